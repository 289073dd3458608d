"""Parquet files."""

from __future__ import annotations

import io

import polars as pl

from isoloss.runs.intake.frames import plain
from isoloss.runs.intake.origin import Origin
from isoloss.runs.intake.reader import READERS, Opened, Reader
from isoloss.runs.problems import RunsError


def open_parquet(data: bytes, name: str) -> Opened:
    """The columns with the types they have there."""
    try:
        return Opened(plain(pl.read_parquet(io.BytesIO(data))), Origin(name))
    except pl.exceptions.PolarsError as error:
        raise RunsError(f"cannot read {name} as Parquet: {str(error).splitlines()[0]}") from None


READERS.register(".parquet", Reader(open_parquet))
