"""Parquet files."""

from __future__ import annotations

import io

import polars as pl

from isoloss.runs.intake.frames import plain
from isoloss.runs.intake.how_read import NOTE
from isoloss.runs.intake.origin import Origin
from isoloss.runs.intake.reader import READERS, Opened, Reader
from isoloss.runs.problems import RunsError


def open_parquet(data: bytes, name: str) -> Opened:
    """The columns with the types they have there, and how the table was read that was saved so."""
    try:
        frame = plain(pl.read_parquet(io.BytesIO(data)))
        return Opened(frame, Origin(name), kept=_note(data))
    except pl.exceptions.PolarsError as error:
        raise RunsError(f"cannot read {name} as Parquet: {str(error).splitlines()[0]}") from None


def _note(data: bytes) -> str:
    return str(pl.read_parquet_metadata(io.BytesIO(data)).get(NOTE, ""))


READERS.register(".parquet", Reader(open_parquet))
