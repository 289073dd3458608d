"""A public table of runs: where its files are, who made it, and the parser that knows its traps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import polars as pl

from isoloss.files import displayed
from isoloss.runs.provenance import Provenance

Parser = Callable[..., pl.DataFrame]


@dataclass(frozen=True)
class PublicFile:
    """One file: its path in the repository, its path in a local data folder, its hash."""

    path: str
    local: str
    sha256: str


@displayed
@dataclass(frozen=True)
class PublicTable:
    """One table that isoloss reads by name.

    parse takes the files' contents by local path, and the options by name, and returns a frame of
    canonical columns; bundled names a file of isoloss itself instead of files to fetch. Without
    files of its own, a table's are those that files.tsv lists under its name.
    """

    name: str
    summary: str
    provenance: Provenance
    parse: Parser
    repository: str = ""
    files: tuple[PublicFile, ...] = ()
    options: Mapping[str, str] | None = None
    bundled: str = ""

    def listed(self) -> tuple[PublicFile, ...]:
        """The files to fetch."""
        return self.files or _all_listed().get(self.name, ())

    def __str__(self) -> str:
        return f"{self.name}: {self.summary}; {self.provenance}"


@lru_cache(maxsize=1)
def _all_listed() -> dict[str, tuple[PublicFile, ...]]:
    """The files of every table, from files.tsv: table, sha256, path in the repository, local
    path.
    """
    text = resources.files("isoloss.runs").joinpath("published", "files.tsv").read_text("utf-8")
    by_table: dict[str, tuple[PublicFile, ...]] = {}
    for line in text.splitlines()[1:]:
        table, sha256, path, local = line.split("\t")
        by_table[table] = (*by_table.get(table, ()), PublicFile(path, local, sha256))
    return by_table
