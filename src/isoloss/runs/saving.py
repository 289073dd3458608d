"""Writing a table of runs: Parquet, CSV, TSV, JSON or JSON lines, by the suffix of the path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl

from isoloss.runs.problems import RunsError

WRITERS: dict[str, Callable[[pl.DataFrame, Path], object]] = {
    ".parquet": lambda frame, path: frame.write_parquet(path),
    ".csv": lambda frame, path: frame.write_csv(path),
    ".tsv": lambda frame, path: frame.write_csv(path, separator="\t"),
    ".json": lambda frame, path: frame.write_json(path),
    ".jsonl": lambda frame, path: frame.write_ndjson(path),
}


def save_frame(frame: pl.DataFrame, path: Path, force: bool = False) -> Path:
    """The path, after the frame was written there; RunsError where it exists and force is not given."""
    write = WRITERS.get(path.suffix.lower())
    if write is None:
        raise RunsError(
            f"cannot save runs as '{path.name}'; accepted endings are {', '.join(WRITERS)}"
        )
    if path.exists() and not force:
        raise RunsError(f"'{path}' exists; say force=True (--force) to replace it")
    try:
        write(frame, path)
    except OSError as error:
        raise RunsError(f"cannot write '{path}': {error.strerror or error}") from None
    return path
