"""Opening a table: any file or data frame becomes a frame of raw values, with the rows' numbers there."""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl

from isoloss.runs.intake.check import Origin
from isoloss.runs.problems import RunsError
from isoloss.runs.stored import stored_frame


@dataclass(frozen=True)
class Opened:
    """Raw values and where they are from."""

    frame: pl.DataFrame
    origin: Origin


def open_file(path: Path) -> Opened:
    """The raw table in a file, read as its suffix says; RunsError where that cannot be done."""
    if not path.is_file():
        raise RunsError(
            f"cannot read '{path}': it is {'a folder' if path.is_dir() else 'not there'}"
        )
    if path.suffix.lower() in STORES:
        return _open_store(path)
    if path.suffix.lower() not in OPENERS:
        raise RunsError(
            f"cannot read '{path}': accepted endings are {', '.join([*OPENERS, *STORES])}"
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RunsError(f"cannot read '{path}': {error.strerror or error}") from None
    return open_bytes(data, path.name)


def open_bytes(data: bytes, name: str) -> Opened:
    """The raw table in the content of a file of this name."""
    if not data.strip():
        raise RunsError(f"{name} is empty; a table of runs needs a header and rows")
    opened = OPENERS[Path(name).suffix.lower()](data, name)
    if opened.frame.height == 0:
        raise RunsError(f"{name} has columns but no rows")
    return opened


def frame_of(frame: Any) -> pl.DataFrame:
    """Any data frame that narwhals knows (polars, pandas, arrow, modin, lazy ones ...) as a polars one."""
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
    return _frame(
        {str(name): [_native(v) for v in table[name].to_list()] for name in table.columns}
    )


def _open_separated(separator: str) -> Callable[[bytes, str], Opened]:
    def opener(data: bytes, name: str) -> Opened:
        reader = csv.reader(
            io.StringIO(_text(data, name), newline=""), delimiter=separator, strict=True
        )
        header: list[str] = []
        records: list[list[str]] = []
        rows: list[int] = []
        start = 1
        try:
            for record in reader:
                if record and not header:
                    header = [cell.strip() for cell in record]
                elif record:
                    _same_length(record, header, name, start)
                    records.append(record)
                    rows.append(start)
                start = reader.line_num + 1
        except csv.Error as error:
            raise RunsError(f"cannot read {name}, row {start}: {error}") from None
        _no_repeats(header, name)
        columns = {cell: [record[i] for record in records] for i, cell in enumerate(header)}
        return Opened(
            pl.DataFrame(columns, schema=dict.fromkeys(header, pl.String)), Origin(name, rows)
        )

    return opener


def _open_json(data: bytes, name: str) -> Opened:
    content = _parsed(_text(data, name), name)
    if isinstance(content, Mapping):  # columns of values, or as pandas writes them, of {row: value}
        lists = {k: list(v.values()) if isinstance(v, Mapping) else v for k, v in content.items()}
        if (
            not all(isinstance(v, list) for v in lists.values())
            or len({len(v) for v in lists.values()}) != 1
        ):
            raise RunsError(
                f"cannot read {name}: accepted is a list of rows or an object of equally long columns"
            )
        return Opened(_frame(lists), Origin(name))
    if not isinstance(content, list):
        raise RunsError(
            f"cannot read {name}: accepted is a list of rows or an object of equally long columns"
        )
    return Opened(_from_rows(content, name, range(1, len(content) + 1)), Origin(name))


def _open_json_lines(data: bytes, name: str) -> Opened:
    numbered = [
        (i, line) for i, line in enumerate(_text(data, name).splitlines(), 1) if line.strip()
    ]
    rows = [number for number, _ in numbered]
    records = [_parsed(line, f"{name}, row {number}") for number, line in numbered]
    return Opened(_from_rows(records, name, rows), Origin(name, rows))


def _open_parquet(data: bytes, name: str) -> Opened:
    try:
        return Opened(pl.read_parquet(io.BytesIO(data)), Origin(name))
    except pl.exceptions.PolarsError as error:
        raise RunsError(f"cannot read {name} as Parquet: {str(error).splitlines()[0]}") from None


def _open_store(path: Path) -> Opened:
    frame = stored_frame(path)
    if frame.height == 0:
        raise RunsError(
            f"{path.name} has no finished rows yet; 'isoloss runs {path.name}' shows its tasks"
        )
    return Opened(frame, Origin(path.name))


#: Endings of stores, which are read where they are, as a sweep may be writing there.
STORES = (".db", ".sqlite")
OPENERS: dict[str, Callable[[bytes, str], Opened]] = {
    ".csv": _open_separated(","),
    ".tsv": _open_separated("\t"),
    ".json": _open_json,
    ".jsonl": _open_json_lines,
    ".parquet": _open_parquet,
}


def _text(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RunsError(f"cannot read {name}: byte {error.start} is not UTF-8 text") from None


def _parsed(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise RunsError(
            f"cannot read {name} as JSON: {error.msg} at column {error.colno}"
        ) from None


def _same_length(record: list[str], header: list[str], name: str, row: int) -> None:
    if len(record) != len(header):
        raise RunsError(
            f"{name}, row {row} has {len(record)} values where the header has {len(header)} columns"
        )


def _no_repeats(header: Iterable[str], name: str) -> None:
    repeated = [cell for cell, count in Counter(header).items() if count > 1]
    if repeated:
        raise RunsError(
            f"{name} has the column '{repeated[0]}' more than once; give each column its own name"
        )


def _from_rows(records: Iterable[object], name: str, rows: Iterable[int]) -> pl.DataFrame:
    flat: list[dict[str, Any]] = []
    for record, row in zip(records, rows, strict=True):
        if not isinstance(record, Mapping):
            raise RunsError(
                f"{name}, row {row} is {record!r}, not an object of column names and values"
            )
        flat.append(dict(_flattened(record)))
    names = list(dict.fromkeys(key for record in flat for key in record))
    return _frame({key: [record.get(key) for record in flat] for key in names})


def _flattened(record: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, Any]]:
    """Nested objects as dotted names, as trackers write them in tables: config.lr, summary.loss."""
    for key, value in record.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _frame(columns: Mapping[str, list[Any]]) -> pl.DataFrame:
    return pl.DataFrame([_series(name, values) for name, values in columns.items()])


def _series(name: str, values: list[Any]) -> pl.Series:
    """A column of numbers where all values are, else of text."""
    known = [value for value in values if value is not None]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        return pl.Series(name, [None if v is None else float(v) for v in values], dtype=pl.Float64)
    return pl.Series(name, [None if v is None else str(v) for v in values], dtype=pl.String)


def _native(value: Any) -> Any:
    """A plain Python value; the missing values of pandas, in text columns too, as None."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and math.isnan(value) else value
