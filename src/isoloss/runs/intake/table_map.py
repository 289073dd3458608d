"""How a table is read, as a value that is kept in a file and used again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from isoloss.files import KINDS, Kind, shown
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
    constants
        A value for a column of every row, as text in a file.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    precision: str | None = None
    perplexity: bool = False
    last: str | None = None
    constants: Mapping[str, str] = field(default_factory=dict)

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
            constants={**constants, **other.constants},
        )


def map_for(
    source: Any, given: Mapping[str, TableMap | str | Path] | TableMap | str | Path | None
) -> TableMap | str | Path | None:
    """The map of one source, where they are given by source or one is given for all.

    Parameters
    ----------
    source
        A path, or another source of runs, which has no name.
    given
        Maps, or files of them, by the path or the name of the file that each is for; or one.
    """
    if not isinstance(given, Mapping):
        return given
    names = {str(source), Path(source).name} if isinstance(source, str | Path) else set()
    return next((given[name] for name in given if str(name) in names), None)


def check_maps(sources: Sequence[Any], given: object) -> None:
    """Raise RunsError unless each map of several is for one of the sources."""
    for name in given if isinstance(given, Mapping) else ():
        fitting = [one for one in sources if map_for(one, {str(name): TableMap()}) is not None]
        if len({str(one) for one in fitting}) != 1:
            there = ", ".join(shown(str(one)) for one in sources if isinstance(one, str | Path))
            what = "several sources are" if fitting else "no source is"
            raise RunsError(
                f"map is given for {str(name)!r}, and {what} called so; there are {there or 'none'}"
            )


def check_map(found: TableMap) -> None:
    """Raise RunsError for a map of columns that runs do not have."""
    for name in (*found.columns, *found.constants):
        if name not in BY_NAME:
            raise RunsError(f"runs have no column {name!r}; accepted are {', '.join(BY_NAME)}")


KINDS.register("table map", Kind(TableMap, check=check_map))
