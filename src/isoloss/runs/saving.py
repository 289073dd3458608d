"""Writing a table of runs: Parquet, CSV, TSV, JSON or JSON lines, by the suffix of the path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import polars as pl

from isoloss.files import Registry, check_target, write
from isoloss.runs.problems import RunsError

#: How a table is written, by the ending of the file.
WRITERS: Registry[Callable[[pl.DataFrame, Path], object]] = Registry("ending", RunsError)
WRITERS.register(".parquet", lambda frame, path: frame.write_parquet(path))
WRITERS.register(".csv", lambda frame, path: frame.write_csv(path))
WRITERS.register(".tsv", lambda frame, path: frame.write_csv(path, separator="\t"))
WRITERS.register(".json", lambda frame, path: frame.write_json(path))
WRITERS.register(".jsonl", lambda frame, path: frame.write_ndjson(path))


def save_frame(
    frame: pl.DataFrame, path: str | Path, force: bool = False, note: str | Mapping[str, str] = ""
) -> Path:
    """Write a data frame, whole or not at all.

    Parameters
    ----------
    frame
        The table.
    path
        The file; its ending, one of `WRITERS`, says how it is written.
    force
        Replace a file that exists.
    note
        How the table came about, in the metadata of a Parquet file under "isoloss", or texts by
        their keys there; other formats hold none.

    Returns
    -------
    Path
        The path.

    Raises
    ------
    RunsError
        The ending is another, the file exists and `force` is not given, or it cannot be written.
    """
    path = check_target(path, force, tuple(WRITERS), RunsError)
    writer = WRITERS[path.suffix.lower()]
    if note and path.suffix.lower() == ".parquet":
        writer = partial(_with_note, {"isoloss": note} if isinstance(note, str) else dict(note))
    return write(path, partial(_filled, frame, writer), force, RunsError)


def _with_note(note: dict[str, str], frame: pl.DataFrame, path: Path) -> None:
    # Older versions of polars write no metadata of one's own.
    known = "metadata" in signature(pl.DataFrame.write_parquet).parameters
    more: dict[str, Any] = {"metadata": note} if known else {}
    frame.write_parquet(path, **more)


def _filled(
    frame: pl.DataFrame, writer: Callable[[pl.DataFrame, Path], object], path: Path
) -> None:
    try:
        writer(frame, path)
    except pl.exceptions.PolarsError as error:  # a full disk, or a column the format cannot hold
        raise OSError(" ".join(str(error).split())) from None
