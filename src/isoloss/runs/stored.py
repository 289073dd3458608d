"""The finished rows of a store: written once each, read as a frame, every number with the bits it
had.
"""

from __future__ import annotations

import json
import sqlite3
import struct
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from isoloss.runs.columns import BY_NAME, REQUIRED
from isoloss.runs.database import reading
from isoloss.runs.problems import StoreError
from isoloss.runs.run import Run

#: Endings of the files of stores.
STORES = (".db", ".sqlite")
#: The order of rows, whatever the order in which they were finished.
ORDER = "params, tokens, precision, seed, key"
NAMES = [name for name in BY_NAME if name != "key"]


def stored_frame(path: Path, keys: Iterable[str] | None = None) -> pl.DataFrame:
    """The finished rows of a store: sorted, or those of these keys in their order; StoreError for
    no store.
    """
    with reading(path) as base:
        found = {row["key"]: row for row in _rows(base)}
        for key, name, value in base.execute("SELECT key, name, value FROM extras ORDER BY rowid"):
            found[key][name] = _unpacked(value)
    rows = list(found.values()) if keys is None else [found[key] for key in keys if key in found]
    known = dict.fromkeys(name for row in rows for name, value in row.items() if value is not None)
    names = [name for name in BY_NAME if name in known or name in REQUIRED]
    names += [name for name in known if name not in BY_NAME]
    return pl.DataFrame([_column(name, [row.get(name) for row in rows]) for name in names])


def present(base: sqlite3.Connection, keys: Iterable[str]) -> set[str]:
    """Those of the keys whose rows are finished."""
    listed = json.dumps(list(keys))
    found = base.execute(
        "SELECT key FROM rows WHERE key IN (SELECT value FROM json_each(?))", (listed,)
    )
    return {key for (key,) in found}


def insert(base: sqlite3.Connection, task: str, run: Run, extra: Mapping[str, Any]) -> None:
    """Add a row; one that is there with the same loss is left as it is.

    Raises StoreError for a row without a key, with another loss than the one there, or with values
    that are neither numbers nor text.
    """
    if not run.key:
        raise StoreError(
            f"a row without a key cannot be stored ({run}); its key is the hash of its settings"
        )
    there = base.execute("SELECT loss FROM rows WHERE key = ?", (run.key,)).fetchone()
    if there is not None:
        was, now = _unpacked(there[0]), float(run.loss)
        if struct.pack("<d", was) != struct.pack("<d", now):
            raise StoreError(
                f"row {run.key} is in the store with loss {was!r} and comes again with {now!r}; "
                "the settings in its key do not determine its result"
            )
        return
    values = asdict(run) | {"loss": float(run.loss)}
    packed = [_packed(values[name], name, run.key) for name in NAMES]
    quoted, marks = ", ".join(f'"{name}"' for name in NAMES), ", ".join("?" * (len(NAMES) + 2))
    base.execute(
        f"INSERT INTO rows (key, task, {quoted}) VALUES ({marks})", (run.key, task, *packed)
    )
    for name, value in extra.items():
        if name in BY_NAME:
            raise StoreError(f"'{name}' is a column of every run; give it to Run, not beside it")
        if value is not None:
            base.execute(
                "INSERT INTO extras VALUES (?, ?, ?)",
                (run.key, name, _packed(value, name, run.key)),
            )


def _rows(base: sqlite3.Connection) -> Iterable[dict[str, Any]]:
    quoted = ", ".join(f'"{name}"' for name in BY_NAME)
    for row in base.execute(f"SELECT {quoted} FROM rows ORDER BY {ORDER}"):
        yield dict(zip(BY_NAME, map(_unpacked, row), strict=True))


def _packed(value: Any, name: str, key: str) -> Any:
    """The value as SQLite keeps it; NaN, which it knows no number for, as its eight bytes."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float):
        return struct.pack("<d", value) if value != value else value
    if value is None or isinstance(value, str) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    raise StoreError(f"column '{name}' of row {key} has {value!r}; accepted are numbers and text")


def _unpacked(value: Any) -> Any:
    return struct.unpack("<d", value)[0] if isinstance(value, bytes) else value


def _column(name: str, values: list[Any]) -> pl.Series:
    """A column of numbers where all that is known are numbers, else of text."""
    known = [value for value in values if value is not None]
    if all(isinstance(value, int) for value in known) and known:
        return pl.Series(name, values, dtype=pl.Int64)
    if all(isinstance(value, int | float) for value in known):
        return pl.Series(name, [None if v is None else float(v) for v in values], dtype=pl.Float64)
    return pl.Series(name, [None if v is None else str(v) for v in values], dtype=pl.String)
