"""How a table is read, as a value that is kept in a file and used again."""

from __future__ import annotations

import shlex
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


def read_apart(one: Any, sources: Sequence[Any]) -> str:
    """How a file is read of which others have other columns, for the end of a message; empty where
    it stands alone.

    Parameters
    ----------
    one
        The file, or another source of runs.
    sources
        All that are read together.
    """
    if not isinstance(one, str | Path) or len(sources) < 2:
        return ""
    names = [Path(each).name for each in sources if isinstance(each, str | Path)]
    bare = Path(one).name
    name = bare if names.count(bare) == 1 else str(one)
    kept = f"{bare.partition('.')[0]}.json"
    return (
        "; --column is for all files: where they differ, keep how each is read, isoloss runs "
        f"{shlex.quote(str(one))} ... --map {shlex.quote(kept)}, and give the maps in its place, "
        f"--map {shlex.quote(f'{name}={kept}')}"
    )


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
