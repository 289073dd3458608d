"""Files that a command is to write: refused before the work is done, not after."""

from __future__ import annotations

from pathlib import Path

import isoloss as il
from isoloss.cli.refusing import Refused

FIGURES = (".svg", ".png", ".pdf")
TABLES = (".parquet", ".csv", ".tsv", ".json", ".jsonl")
RESULTS = (".json",)


def check_target(path: Path | None, endings: tuple[str, ...], force: bool) -> None:
    """Raise Refused, in one sentence, where a result cannot be written to the path."""
    if path is not None:
        il.files.check_target(path, force, endings, Refused)
