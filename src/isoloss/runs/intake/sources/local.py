"""Files of trackers on this machine, looked at before a client is: clients make what is not there.

Reading never writes, so an SQLite file must exist, and hold the tables of its tracker.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from isoloss.files import shown
from isoloss.runs.problems import RunsError

#: An address of an SQLite file, and the path in it.
SQLITE = re.compile(r"sqlite(?:\+\w+)?:///([^?]*)")


@contextmanager
def opened_readonly(path: Path, table: str, tracker: str) -> Iterator[sqlite3.Connection]:
    """An SQLite file that holds a table of a tracker, to be read only.

    Parameters
    ----------
    path
        The file.
    table
        A table that every file of the tracker has.
    tracker
        Its name, for messages.

    Raises
    ------
    RunsError
        The file is not there, is no SQLite file, or is another program's.
    """
    if not path.is_file():
        what = "a folder" if path.is_dir() else "not there"
        raise RunsError(f"cannot read {shown(path)}: it is {what}")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            asked = "select name from sqlite_master where type = 'table' and name = ?"
            if connection.execute(asked, (table,)).fetchone() is None:
                raise RunsError(f"cannot read {shown(path)}: it is no file of {tracker}")
            yield connection
    except sqlite3.DatabaseError as error:
        raise RunsError(f"cannot read {shown(path)}: {error}") from None


def check_sqlite(uri: str, table: str, tracker: str) -> None:
    """Raise RunsError where the SQLite file of an address is not one of the tracker; other
    addresses pass.
    """
    found = SQLITE.match(uri)
    if found is not None:
        with opened_readonly(Path(found[1]), table, tracker):
            pass
