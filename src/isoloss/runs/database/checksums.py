"""Checksums of what a store keeps: a value that was changed outside isoloss is noticed when it is
read.

The checksum of a row covers its columns and its further ones, that of a task or note its own. It
is taken of the values that SQLite gives back, bit by bit, so that what was kept always fits. NULL
stands for no checksum: what an older isoloss wrote, and what a person changed on purpose.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from isoloss.files import shown, shown_value
from isoloss.runs.problems import StoreError

#: The column that holds it, in every table that has one.
CHECKSUM = "checksum"
#: Bytes of a checksum: a change at random is missed once in 2^64.
_BYTES = 8


def checksum(*values: object) -> str:
    """The checksum of some values; of floats every bit counts, and 1 is not 1.0."""
    text = repr(values).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=_BYTES).hexdigest()


def check(table: str, key: Any, found: Any, values: Iterable[Any], path: Path) -> None:
    """Raise StoreError where values do not fit the checksum that was found beside them."""
    if found is not None and found != checksum(*values):
        raise StoreError(_changed(table, key, path))


def keep_fresh(base: sqlite3.Connection, columns: Mapping[str, Sequence[str]]) -> None:
    """Let every write of this connection to some tables take the checksum anew.

    By triggers that are the connection's alone, so that the file itself has none. Where the values
    before the write did not fit their checksum it stays as it is, so that this is still noticed.
    """
    base.create_function("isoloss_checksum", -1, checksum)
    base.execute("PRAGMA temp_store = MEMORY")
    for table, names in columns.items():
        now, before = (", ".join(f'{of}"{name}"' for name in names) for of in ("", "old."))
        anew = f"UPDATE {table} SET {CHECKSUM} = isoloss_checksum({now}) WHERE rowid = new.rowid"
        fits = f"AND (old.{CHECKSUM} IS NULL OR old.{CHECKSUM} = isoloss_checksum({before}))"
        for when, also in (("INSERT", ""), (f"UPDATE OF {now}", fits)):
            base.execute(
                f"CREATE TEMP TRIGGER isoloss_{table}_{when[:6].lower()} AFTER {when} ON "
                f"main.{table} BEGIN {anew} {also}; END"
            )


def _changed(table: str, key: Any, path: Path) -> str:
    name = "id" if table == "notes" else "key"
    told = {"rows": "row", "tasks": "task", "notes": "note"}[table]
    value = str(key) if isinstance(key, int) else "'" + str(key).replace("'", "''") + "'"
    return (
        f"{told} {shown_value(key)} of {shown(path)} was changed outside isoloss: its values do "
        "not fit its checksum; use a copy that is whole, or accept it as it is with the SQL "
        f'"UPDATE {table} SET {CHECKSUM} = NULL WHERE {name} = {value}"'
    )
