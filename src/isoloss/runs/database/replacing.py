"""A store in the place of another, whose log must not be taken for its own.

SQLite keeps what was written last in a log beside the file. That of a store whose writer was killed
is still there, and would be folded into whatever file has its name by then.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path


def replace_store(new: Path, target: Path) -> None:
    """Put a store that nobody has open in the place of a file; the old one is whole until then."""
    for store in (new, target):
        if store.exists():
            _fold(store)
    for log in logs(target):
        log.unlink(missing_ok=True)
    new.replace(target)


def logs(store: Path) -> tuple[Path, Path]:
    """The files that SQLite keeps beside a store."""
    return store.with_name(f"{store.name}-wal"), store.with_name(f"{store.name}-shm")


def _fold(store: Path) -> None:
    # A file of something else has no log to fold.
    with suppress(sqlite3.Error), closing(sqlite3.connect(store)) as base:
        base.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
