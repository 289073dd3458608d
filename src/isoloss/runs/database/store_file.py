"""The SQLite file under a store: opened, written in whole transactions, its problems said in one
sentence.

Write-ahead logging with full synchronisation: what was committed is there after SIGKILL and after a
power cut, and readers never wait for a writer. On file systems of several machines, SQLite's older
journal, just as safe. Every use opens its own connection, so that threads and processes share
nothing.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from isoloss.files import shown, shown_value
from isoloss.runs.columns import COLUMNS
from isoloss.runs.database.checksums import CHECKSUM, keep_fresh
from isoloss.runs.problems import StoreError, StoreUnwritable

#: The version of the tables below, kept as user_version (2: heartbeats are counted; 3: checksums);
#: and "isol", by which a store is known.
SCHEMA = 3
APPLICATION = 0x69736F6C
#: Seconds that a transaction waits for another one to end.
PATIENCE = 60.0
#: Bytes that a disk with room takes: what a few rows need.
_A_LITTLE = 1 << 16

# Numbers of rows stand in columns of no type: SQLite then gives back the very bits that it was
# given.
_ROWS = {"key": "TEXT PRIMARY KEY", "task": "TEXT NOT NULL"}
_ROWS |= {c.name: "" for c in COLUMNS if c.kind != "text"}
_ROWS |= {c.name: "TEXT" for c in COLUMNS if c.kind == "text" and c.name != "key"}
_ROWS |= {CHECKSUM: "TEXT"}
#: Every table of a store: its columns with their types.
TABLES: Mapping[str, Mapping[str, str]] = {
    "tasks": {
        "key": "TEXT PRIMARY KEY",
        "label": "TEXT NOT NULL",
        "state": "TEXT NOT NULL",
        "claim": "TEXT",
        "owner": "TEXT",
        "beat": "REAL",
        "share": "REAL NOT NULL DEFAULT 0",
        "loss": "REAL",
        "reason": "TEXT",
        "traceback": "TEXT",
        "flops": "REAL",
        "memory": "REAL",
        "seconds": "REAL NOT NULL DEFAULT 0",
        "beats": "INTEGER NOT NULL DEFAULT 0",
        CHECKSUM: "TEXT",
    },
    "rows": _ROWS,
    "extras": {"key": "TEXT", "name": "TEXT", "value": "", "PRIMARY": "KEY (key, name)"},
    "notes": {
        "id": "INTEGER PRIMARY KEY",
        "task": "TEXT NOT NULL",
        "said": "TEXT NOT NULL",
        CHECKSUM: "TEXT",
    },
}
#: Columns that older schemas did not have, and the first that has them.
_SINCE = {("tasks", "beats"): 2} | {(name, CHECKSUM): 3 for name in ("tasks", "rows", "notes")}
#: What the checksums of tables whose rows change cover: all that is kept of a task, or of a note.
COVERED = {
    name: tuple(column for column in TABLES[name] if column != CHECKSUM)
    for name in ("tasks", "notes")
}
#: File systems of several machines. The log of WAL has an index in memory, which is one machine's;
#: there SQLite's older journal is used, which needs nothing but locks.
NETWORKED = frozenset(
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "lustre",
        "gpfs",
        "beegfs",
        "ceph",
        "cephfs",
        "glusterfs",
        "afs",
        "sshfs",
        "9p",
        "panfs",
        "wekafs",
    ]
)
_WAIT = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_UNREADABLE = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
}
_Made = TypeVar("_Made")


@contextmanager
def writing(path: Path, make: bool = True) -> Iterator[sqlite3.Connection]:
    """A transaction on the store, committed at the end, or undone on an error.

    make: whether to make the store where there is none; a worker's has been there before.
    Raises StoreError where the file is no store, is gone, or cannot be written.
    """
    try:
        with closing(
            _patiently(partial(_begun, path, make))
        ) as base:  # closing undoes what was not committed
            yield base
            base.execute("COMMIT")
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise StoreUnwritable(_sentence(error, path, make), path) from None


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Keep the store open, so that the log of its writes is not folded in and removed after each.

    The last to close a store does that, at the price of several flushes to the disk.
    """
    try:
        base = _connected(path, "rw")
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise StoreUnwritable(_sentence(error, path, make=False), path) from None
    with closing(base):
        # Only a connection that has read is one; what locks it took end with the statement.
        with suppress(sqlite3.Error):
            base.execute("SELECT count(*) FROM sqlite_master").fetchone()
        yield


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that sees one moment of the store and changes nothing; the file may be
    read-only.

    Raises StoreError where the file is not there or is no store.
    """
    if not path.is_file():
        raise StoreError(
            f"cannot read '{path}': it is {'a folder' if path.is_dir() else 'not there'}"
        )
    try:
        with ExitStack() as stack:
            try:
                base = _patiently(partial(_looked_at, path))
            except sqlite3.OperationalError as error:
                if _code(error) not in _UNREADABLE:
                    raise
                # Even readers write beside the file (the index of its log); where none may, a copy
                # is read.
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                base = _patiently(partial(_looked_at, _copied(path, folder)))
            yield stack.enter_context(closing(base))
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise StoreUnwritable(_sentence(error, path), path) from None


def _begun(path: Path, make: bool) -> sqlite3.Connection:
    base = _connected(path, "rwc" if make else "rw")
    try:
        base.execute("BEGIN")  # one moment: another process may be making it
        made = _is_store(base, path)
        base.execute("ROLLBACK")
        if not made and not shared(path):
            base.execute("PRAGMA journal_mode = WAL")
        base.execute("PRAGMA synchronous = FULL")
        base.execute("BEGIN IMMEDIATE")
        if not _is_store(base, path):
            _make_tables(base)
            base.execute(f"PRAGMA application_id = {APPLICATION}")
            base.execute(f"PRAGMA user_version = {SCHEMA}")
        elif schema_of(base) < SCHEMA:
            for table, column in _SINCE:
                if not has_column(base, table, column):
                    base.execute(f"ALTER TABLE {table} ADD COLUMN {column} {TABLES[table][column]}")
            base.execute(f"PRAGMA user_version = {SCHEMA}")
        keep_fresh(base, COVERED)
    except BaseException:
        base.close()
        raise
    return base


def _looked_at(path: Path) -> sqlite3.Connection:
    base = _connected(path, "rw")
    try:
        base.execute("PRAGMA query_only = ON")
        base.execute("BEGIN")
        if not _is_store(base, path):
            # Its making was cut short: it holds nothing, and the next to write makes it.
            base.close()
            base = sqlite3.connect(":memory:", isolation_level=None)
            _make_tables(base)
            base.execute(f"PRAGMA user_version = {SCHEMA}")
    except BaseException:
        base.close()
        raise
    return base


def _connected(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    base = sqlite3.connect(uri, uri=True, timeout=PATIENCE, isolation_level=None)
    base.execute("PRAGMA trusted_schema = OFF")  # what the file defines runs no function of ours
    return base


def _copied(path: Path, folder: Path) -> Path:
    for name in (path.name, path.name + "-wal"):
        if (path.parent / name).exists():
            shutil.copyfile(path.parent / name, folder / name)
    return folder / path.name


def _is_store(base: sqlite3.Connection, path: Path) -> bool:
    """Whether the file is a store that this version reads; False where it is still empty."""
    (application,) = base.execute("PRAGMA application_id").fetchone()
    schema = schema_of(base)
    if application != APPLICATION:
        if base.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,) and schema == 0:
            return False
        raise StoreError(
            f"'{path}' is an SQLite file of something else; accepted is a store made by isoloss"
        )
    if schema > SCHEMA:
        raise StoreError(
            f"'{path}' has schema {schema} and this version of isoloss reads up to {SCHEMA}; "
            "update isoloss"
        )
    _check_ours(base, path, schema)
    return True


def schema_of(base: sqlite3.Connection) -> int:
    """The version of the tables of a store."""
    (schema,) = base.execute("PRAGMA user_version").fetchone()
    return int(schema)


def has_column(base: sqlite3.Connection, table: str, column: str) -> bool:
    """Whether the table of this store has a column, which older ones may not."""
    return any(name == column for _, name, *_ in base.execute(f"PRAGMA table_info({table})"))


def _make_tables(base: sqlite3.Connection) -> None:
    for table, columns in TABLES.items():
        words = ", ".join(
            f"{name if name == 'PRIMARY' else quoted(name)} {kind}".rstrip()
            for name, kind in columns.items()
        )
        base.execute(f"CREATE TABLE {table} ({words})")


def quoted(name: str) -> str:
    """A name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def _check_ours(base: sqlite3.Connection, path: Path, schema: int) -> None:
    """Raise StoreError for what could change or invent rows behind our back: triggers, views, and
    tables that are not as they were made.
    """
    there = base.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    for kind, name, _ in there:
        if kind in ("trigger", "view"):
            raise StoreError(
                f"{shown(path)} has the {kind} {shown_value(name)}, which isoloss did not make; "
                f"accepted is a store as isoloss made it: drop the {kind} to use this one"
            )
    made = {name: str(sql) for kind, name, sql in there if kind == "table"}
    for table, columns in TABLES.items():
        if not made.get(table, "").upper().startswith("CREATE TABLE"):
            raise _not_as_made(path, f"no table '{table}'")
        found = {
            name: (kind, hidden)
            for _, name, kind, _, _, _, hidden in base.execute(f"PRAGMA table_xinfo({table})")
        }
        for name, kind in columns.items():
            since = _SINCE.get((table, name), 0)
            if name == "PRIMARY" or (schema < since and name not in found):
                continue
            if found.get(name) != (kind.partition(" ")[0], 0):
                raise _not_as_made(
                    path, f"another kind of column '{name}', or none, in its table '{table}'"
                )


def _not_as_made(path: Path, what: str) -> StoreError:
    return StoreError(f"{shown(path)} has {what}; accepted is a store as isoloss made it")


def shared(path: Path) -> bool:
    """Whether the file is on a file system that other machines write to as well, as far as /proc
    tells.
    """
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    folder, best, kind = path.absolute().parent, "", ""
    for _, place, its_kind, *_ in (line.split() for line in mounts):
        if folder.is_relative_to(place.replace("\\040", " ")) and len(place) >= len(best):
            best, kind = place, its_kind
    return kind.removeprefix("fuse.") in NETWORKED


def _patiently(make: Callable[[], _Made]) -> _Made:
    """What make returns, tried again while others are in the way: not all of SQLite's locks wait by
    themselves.
    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return make()
        except sqlite3.OperationalError as error:
            if _code(error) not in _WAIT or time.monotonic() > until:
                raise
        time.sleep(random.uniform(0.005, 0.05))


def _code(error: sqlite3.Error | UnicodeDecodeError) -> int:
    """The primary code of an error; -1 where it has none."""
    if isinstance(error, UnicodeDecodeError):  # names of tables, or what SQLite says of them
        return sqlite3.SQLITE_CORRUPT
    return int(getattr(error, "sqlite_errorcode", -1)) & 0xFF


def _sentence(error: sqlite3.Error | UnicodeDecodeError, path: Path, make: bool = True) -> str:
    """What went wrong with the file, and what to do."""
    code, folder = _code(error), path.absolute().parent
    if not make and not path.exists():
        return gone(path)
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return f"'{path}' is no store, or damaged ({error}); accepted is a store made by isoloss"
    if not folder.is_dir():
        return f"cannot use the store '{path}': there is no folder '{folder}'; make it first"
    if path.is_dir():
        return f"cannot use the store '{path}': it is a folder; accepted is a file such as runs.db"
    if code == sqlite3.SQLITE_FULL or (
        code == sqlite3.SQLITE_IOERR and shutil.disk_usage(folder).free == 0
    ):
        return full(path)
    if code in _WAIT:
        return (
            f"the store '{path}' was held by another program for {PATIENCE:g} s; "
            "try again when that has ended"
        )
    if code in _UNREADABLE:
        return (
            f"cannot write the store '{path}' ({error}); "
            "give it another place, or the right to write there"
        )
    return f"cannot use the store '{path}': {error}"


def gone(path: Path) -> str:
    """What is said when a store vanished under a sweep."""
    return (
        f"the store '{path}' is gone: it was moved or removed while a sweep used it; put it back "
        "and start again, or start again without it"
    )


def full(path: Path) -> str:
    """What is said when the disk under a store, or under the folders beside it, has no room."""
    return (
        f"the disk of the store '{path}' is full; "
        "what is finished is kept: make room and start again"
    )


def has_room(path: Path) -> bool:
    """Whether the disk under a store takes a little more: that of a task's own files may be
    another one.
    """
    try:
        with tempfile.TemporaryFile(dir=path.absolute().parent) as file:
            file.write(bytes(_A_LITTLE))
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        return False
    return True
