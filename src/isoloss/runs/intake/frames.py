"""Raw values as a polars frame: from rows, from columns, or from any data frame."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import narwhals as nw
import polars as pl

from isoloss.runs.problems import RunsError


def frame_of(frame: Any) -> pl.DataFrame:
    """Any data frame that narwhals knows (polars, pandas, arrow, modin, lazy ones ...) as a polars
    one.
    """
    if isinstance(frame, pl.DataFrame):
        return frame
    try:
        known = nw.from_native(frame)
    except TypeError:
        kind = type(frame).__name__
        raise RunsError(
            f"cannot read runs from an object of type {kind}; "
            "give a file, a data frame or the name of a table"
        ) from None
    table: Any = known.collect() if isinstance(known, nw.LazyFrame) else known
    # Column by column through Python values: needs no arrow, and a missing text stays missing.
    return from_columns(
        {str(name): [_native(v) for v in table[name].to_list()] for name in table.columns}
    )


def from_rows(records: Iterable[object], name: str, rows: Iterable[int]) -> pl.DataFrame:
    """A frame of rows that are objects, nested ones as dotted names; RunsError for a row that is
    none.
    """
    flat: list[dict[str, Any]] = []
    for record, row in zip(records, rows, strict=True):
        if not isinstance(record, Mapping):
            raise RunsError(
                f"{name}, row {row} is {record!r}, not an object of column names and values"
            )
        flat.append(dict(_flattened(record)))
    names = list(dict.fromkeys(key for record in flat for key in record))
    return from_columns({key: [record.get(key) for record in flat] for key in names})


def from_columns(columns: Mapping[str, list[Any]]) -> pl.DataFrame:
    """A frame of columns, each of numbers where all its values are, else of text."""
    return pl.DataFrame([_series(name, values) for name, values in columns.items()])


def _flattened(record: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Nested objects as dotted names, as trackers write them in tables: config.lr, summary.loss."""
    for key, value in record.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _series(name: str, values: list[Any]) -> pl.Series:
    known = [value for value in values if value is not None]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        return pl.Series(name, [None if v is None else _float(v) for v in values], dtype=pl.Float64)
    return pl.Series(name, [None if v is None else str(v) for v in values], dtype=pl.String)


def _float(value: float) -> float:
    """The value as a float; infinite beyond the largest, which no column accepts."""
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value)


def _native(value: Any) -> Any:
    """A plain Python value; the missing values of pandas, in text columns too, as None."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and math.isnan(value) else value
