"""The finished rows of a store: written once each, read as a frame, every number with the bits it
had.
"""

from __future__ import annotations

import json
import sqlite3
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from isoloss.files import shown, shown_value
from isoloss.runs.columns import BY_NAME, NUMERIC, REQUIRED
from isoloss.runs.database import CHECKSUM, check, checksum, has_column, quoted, reading
from isoloss.runs.problems import StoreError
from isoloss.runs.run import Run

#: Endings of the files of stores.
STORES = (".db", ".sqlite")
#: The order of rows, whatever the order in which they were finished.
ORDER = "params, tokens, precision, seed, key"
NAMES = [name for name in BY_NAME if name != "key"]
_LISTED = ", ".join(quoted(name) for name in NAMES)
_INSERT = f"INSERT INTO rows (key, task, {_LISTED}) VALUES ({', '.join('?' * (len(NAMES) + 2))})"
TEXTS = frozenset(BY_NAME) - NUMERIC
#: Columns that tell of the machine and not of the run: another value is no other row.
OF_THE_MACHINE = frozenset({"cost"})


def stored_frame(path: Path, keys: Iterable[str] | None = None) -> pl.DataFrame:
    """The finished rows of a store: sorted, or those of these keys in their order; StoreError for
    no store, and for one that is damaged, holds what no sweep writes, or was changed outside.
    """
    with reading(path) as base:
        check_whole(base, path)
        taken = CHECKSUM if has_column(base, "rows", CHECKSUM) else "NULL"
        kept, found = {row["key"]: row for row in _rows(base, taken)}, {}
        for key, row in kept.items():
            found[key] = {name: _unpacked(row[name], name, key, path) for name in BY_NAME}
        for key, name, value in base.execute("SELECT key, name, value FROM extras ORDER BY rowid"):
            if key not in found or not isinstance(name, str):
                raise _strange(path, "a further column", key, name)
            found[key][name] = _unpacked(value, name, key, path)
            kept[key][name] = value
    for key, row in kept.items():
        check("rows", key, row.pop(CHECKSUM), _covered(row), path)
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


@dataclass(frozen=True)
class Packed:
    """A row as the store keeps it: its key, its columns, and the further ones."""

    key: str
    values: Mapping[str, Any]
    extra: Mapping[str, Any]

    @classmethod
    def of(cls, run: Run, extra: Mapping[str, Any]) -> Packed:
        """The row of a run; StoreError where it has no key, or values that are no numbers and no
        text.
        """
        key = run.key
        if not key:
            raise StoreError(
                f"a row without a key cannot be stored ({run}); its key is the hash of its settings"
            )
        if given := next((name for name in extra if name in BY_NAME), None):
            raise StoreError(f"'{given}' is a column of every run; give it to Run, not beside it")
        values = asdict(run) | {"loss": float(run.loss)}
        return cls(
            key,
            {name: _packed(values[name], name, key) for name in NAMES},
            {name: _packed(each, name, key) for name, each in extra.items() if each is not None},
        )


def insert(base: sqlite3.Connection, task: str, row: Packed, path: Path) -> None:
    """Add a row; the same row again is left as it is.

    Raises StoreError where the row that is there differs in any column but those of the machine.
    """
    there = base.execute(f"SELECT {_LISTED} FROM rows WHERE key = ?", (row.key,)).fetchone()
    if there is not None:
        kept = dict(zip(NAMES, there, strict=True))
        kept |= dict(base.execute("SELECT name, value FROM extras WHERE key = ?", (row.key,)))
        _check_same(kept, {**row.values, **row.extra}, row.key, path)
        return
    base.execute(_INSERT, (row.key, task, *row.values.values()))
    base.executemany(
        "INSERT INTO extras VALUES (?, ?, ?)",
        [(row.key, name, value) for name, value in row.extra.items()],
    )
    # Of what SQLite kept: text columns turn numbers into text.
    (kept,) = _rows(base, CHECKSUM, "WHERE key = ?", row.key)
    kept |= dict(base.execute("SELECT name, value FROM extras WHERE key = ?", (row.key,)))
    del kept[CHECKSUM]
    taken = checksum(*_covered(kept)), row.key
    base.execute(f"UPDATE rows SET {CHECKSUM} = ? WHERE key = ?", taken)


def packed_rows(path: Path) -> list[tuple[str, Packed]]:
    """The finished rows of a store as it keeps them, each after the key of its task, in order.

    Raises StoreError as `stored_frame` does.
    """
    stored_frame(path)
    with reading(path) as base:
        extras: dict[str, dict[str, Any]] = {}
        for key, name, value in base.execute("SELECT key, name, value FROM extras ORDER BY rowid"):
            extras.setdefault(key, {})[name] = value
        return [
            (
                row["task"],
                Packed(row["key"], {n: row[n] for n in NAMES}, extras.get(row["key"], {})),
            )
            for row in _rows(base, "NULL")
        ]


def check_whole(base: sqlite3.Connection, path: Path) -> None:
    """Raise StoreError for a file whose pages do not hold together: it would give fewer rows, and
    say nothing.
    """
    (said,) = base.execute("PRAGMA quick_check(1)").fetchone()
    if said != "ok":
        text = " ".join(str(said).split())
        raise StoreError(
            f"'{path}' is damaged ({text[:120]}); take a copy of it that is whole, or what "
            "'sqlite3 FILE .recover' finds in it"
        )


def _check_same(kept: Mapping[str, Any], given: Mapping[str, Any], key: str, path: Path) -> None:
    first = ["loss", *(name for name in {**kept, **given} if name != "loss")]
    for name in first:
        one, two = kept.get(name), given.get(name)
        if name not in OF_THE_MACHINE and not _same(one, two):
            raise StoreError(
                f"row {key} is in the store with {name} {_told(one, name, key, path)} and comes "
                f"again with {_told(two, name, key, path)}; the settings in its key do not "
                "determine its result"
            )


def _same(one: Any, two: Any) -> bool:
    """Whether two values are equal to the last bit; a whole number may come as either kind."""
    if isinstance(one, int | float) and isinstance(two, int | float):
        if isinstance(one, int) and isinstance(two, int):
            return one == two
        return one == two and struct.pack("<d", one) == struct.pack("<d", two)
    return type(one) is type(two) and bool(one == two)


def _told(value: Any, name: str, key: str, path: Path) -> str:
    return "nothing" if value is None else shown_value(_unpacked(value, name, key, path))


def _rows(
    base: sqlite3.Connection, taken: str, where: str = "", *values: Any
) -> Iterator[dict[str, Any]]:
    """Rows as SQLite keeps them, in order, each with its task and its checksum; taken: what SQL
    gives for the checksum.
    """
    sql = f"SELECT key, task, {_LISTED}, {taken} FROM rows {where} ORDER BY {ORDER}"
    for row in base.execute(sql, values):
        yield dict(zip(("key", "task", *NAMES, CHECKSUM), row, strict=True))


def _covered(row: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """What the checksum of a row covers: its task, and all that is known, by name."""
    return sorted((name, value) for name, value in row.items() if value is not None)


def _packed(value: Any, name: str, key: str) -> Any:
    """The value as SQLite keeps it; NaN, which it knows no number for, as its eight bytes.

    A number in a column of text is text, as SQLite has it, and the same when it comes again.
    """
    value = value.item() if hasattr(value, "item") else value
    if name in TEXTS and isinstance(value, int | float) and value == value:
        return str(value)
    if isinstance(value, float) and name not in TEXTS:
        return struct.pack("<d", value) if value != value else value
    if value is None or isinstance(value, str) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    raise StoreError(
        f"column '{name}' of row {key} has {shown_value(value)}; accepted are numbers and text"
    )


def _unpacked(value: Any, name: str, key: Any, path: Path) -> Any:
    """The value that was kept; StoreError for one that cannot be what was kept there."""
    number = isinstance(value, int | float | bytes)
    fits = value is None or (isinstance(value, str) if name in TEXTS else True)
    fits = fits and not (name in NUMERIC and isinstance(value, str))
    if value is None and name in ("key", "params", "tokens", "precision", "loss"):
        fits = False
    if not fits or (number and isinstance(value, bytes) and len(value) != 8):
        raise _strange(path, f"{shown_value(value)} as {name}", key)
    return struct.unpack("<d", value)[0] if isinstance(value, bytes) else value


def _strange(path: Path, what: str, key: Any, name: Any = None) -> StoreError:
    of = "" if name is None else f" ({shown_value(name)})"
    return StoreError(
        f"{shown(path)} has {what}{of} of row {shown_value(key)}, which no sweep writes; accepted "
        "is a store as isoloss made it"
    )


def _column(name: str, values: list[Any]) -> pl.Series:
    """A column of numbers where all that is known are numbers, else of text."""
    known = [value for value in values if value is not None]
    if all(isinstance(value, int) for value in known) and known:
        return pl.Series(name, values, dtype=pl.Int64)
    if all(isinstance(value, int | float) for value in known):
        return pl.Series(name, [None if v is None else float(v) for v in values], dtype=pl.Float64)
    return pl.Series(name, [None if v is None else str(v) for v in values], dtype=pl.String)
