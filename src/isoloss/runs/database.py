"""The SQLite file under a store: opened, written in whole transactions, its problems said in one
sentence.

Write-ahead logging with full synchronisation: what was committed is there after SIGKILL and after a
power cut, and readers never wait for a writer. On file systems of several machines, SQLite's older
journal, just as safe. Every use opens its own connection, so that threads and processes share
nothing.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from isoloss.runs.columns import COLUMNS
from isoloss.runs.problems import StoreError, StoreUnwritable

#: The version of the tables below, kept as user_version; and "isol", by which a store is known.
SCHEMA = 1
APPLICATION = 0x69736F6C
#: Seconds that a transaction waits for another one to end.
PATIENCE = 60.0

# Numbers of rows stand in columns of no type: SQLite then gives back the very bits that it was
# given.
_NUMBERS = ", ".join(f'"{c.name}"' for c in COLUMNS if c.kind != "text" and c.name != "key")
_TEXTS = ", ".join(f'"{c.name}" TEXT' for c in COLUMNS if c.kind == "text" and c.name != "key")
TABLES = (
    """CREATE TABLE tasks (key TEXT PRIMARY KEY, label TEXT NOT NULL, state TEXT NOT NULL,
    claim TEXT, owner TEXT, beat REAL, share REAL NOT NULL DEFAULT 0, loss REAL, reason TEXT,
    traceback TEXT, flops REAL, memory REAL, seconds REAL NOT NULL DEFAULT 0)""",
    f"CREATE TABLE rows (key TEXT PRIMARY KEY, task TEXT NOT NULL, {_NUMBERS}, {_TEXTS})",
    "CREATE TABLE extras (key TEXT, name TEXT, value, PRIMARY KEY (key, name))",
    "CREATE TABLE notes (id INTEGER PRIMARY KEY, task TEXT NOT NULL, said TEXT NOT NULL)",
)
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
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """A transaction on the store, which is made where there is none; committed at the end, or
    undone on an error.

    Raises StoreError where the file is no store, or cannot be written.
    """
    try:
        with closing(
            _patiently(partial(_begun, path))
        ) as base:  # closing undoes what was not committed
            yield base
            base.execute("COMMIT")
    except sqlite3.Error as error:
        raise StoreUnwritable(_sentence(error, path)) from None


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
    except sqlite3.Error as error:
        raise StoreUnwritable(_sentence(error, path)) from None


def _begun(path: Path) -> sqlite3.Connection:
    base = _connected(path, "rwc")
    try:
        if not _is_store(base, path) and not shared(path):
            base.execute("PRAGMA journal_mode = WAL")
        base.execute("PRAGMA synchronous = FULL")
        base.execute("BEGIN IMMEDIATE")
        if not _is_store(base, path):
            for table in TABLES:
                base.execute(table)
            base.execute(f"PRAGMA application_id = {APPLICATION}")
            base.execute(f"PRAGMA user_version = {SCHEMA}")
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
            for table in TABLES:
                base.execute(table)
    except BaseException:
        base.close()
        raise
    return base


def _connected(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=PATIENCE, isolation_level=None)


def _copied(path: Path, folder: Path) -> Path:
    for name in (path.name, path.name + "-wal"):
        if (path.parent / name).exists():
            shutil.copyfile(path.parent / name, folder / name)
    return folder / path.name


def _is_store(base: sqlite3.Connection, path: Path) -> bool:
    """Whether the file is a store that this version reads; False where it is still empty."""
    (application,) = base.execute("PRAGMA application_id").fetchone()
    (schema,) = base.execute("PRAGMA user_version").fetchone()
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
    return True


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


def _code(error: sqlite3.Error) -> int:
    """The primary code of an error; -1 where it has none."""
    return int(getattr(error, "sqlite_errorcode", -1)) & 0xFF


def _sentence(error: sqlite3.Error, path: Path) -> str:
    """What went wrong with the file, and what to do."""
    code, folder = _code(error), path.absolute().parent
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


def full(path: Path) -> str:
    """What is said when the disk under a store, or under the folders beside it, has no room."""
    return (
        f"the disk of the store '{path}' is full; "
        "what is finished is kept: make room and start again"
    )
