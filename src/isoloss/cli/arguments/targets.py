"""Files that a command is to write: refused before the work is done, not after."""

from __future__ import annotations

from pathlib import Path

from isoloss.cli.refusing import Refused

FIGURES = (".svg", ".png", ".pdf")
TABLES = (".parquet", ".csv", ".tsv", ".json", ".jsonl")
RESULTS = (".json",)


def check_target(path: Path | None, endings: tuple[str, ...], force: bool) -> None:
    """Nothing; raises Refused where a result cannot be written to the path, one sentence."""
    if path is None:
        return
    if path.suffix.lower() not in endings:
        raise Refused(f"cannot write '{path}': accepted endings are {', '.join(endings)}")
    if path.exists() and not force:
        raise Refused(f"'{path}' exists; give another name, or --force to replace it")
    if not path.absolute().parent.is_dir():
        raise Refused(f"cannot write '{path}': there is no folder '{path.parent}'")
