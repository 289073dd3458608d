"""How a table is read, as a value that is kept in a file and used again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from isoloss.files import KINDS, Kind
from isoloss.runs.columns import BY_NAME
from isoloss.runs.problems import RunsError


@dataclass(frozen=True)
class TableMap:
    """What was said about a table when it was read; saved and loaded as other values are.

    Attributes
    ----------
    columns
        The column or expression that each canonical column is taken from.
    precision
        A spelling or template.
    perplexity
        Whether the loss column holds perplexity.
    last
        The column that names runs, of which only the last rows are kept.
    history
        Metrics of a tracker whose history is read, with commas between.
    constants
        A value for a column of every row, as text in a file.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    precision: str | None = None
    perplexity: bool = False
    last: str | None = None
    constants: Mapping[str, str] = field(default_factory=dict)
    history: str | None = None

    def with_more(self, other: TableMap) -> TableMap:
        """This map with what another one says in its place, entry by entry."""
        columns = {k: v for k, v in self.columns.items() if k not in other.constants}
        constants = {k: v for k, v in self.constants.items() if k not in other.columns}
        return replace(
            self,
            columns={**columns, **other.columns},
            precision=other.precision or self.precision,
            perplexity=other.perplexity or self.perplexity,
            last=other.last or self.last,
            history=other.history or self.history,
            constants={**constants, **other.constants},
        )


def check_map(found: TableMap) -> None:
    """Raise RunsError for a map of columns that runs do not have."""
    for name in (*found.columns, *found.constants):
        if name not in BY_NAME:
            raise RunsError(f"runs have no column {name!r}; accepted are {', '.join(BY_NAME)}")


KINDS.register("table map", Kind(TableMap, check=check_map))
