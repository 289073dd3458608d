"""The file that content goes to before it takes its name: locked by its writer as long as that
lives, so that the next one in the folder can tell what a killed writer left, and remove it.

The system drops the lock with the process, however that ends; no clock and no process number is
asked. Where files cannot be locked, on Windows and some file systems, what is left stays.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import socket
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

#: Ours: of this machine, as locks of other machines may not be seen here.
_NAME = re.compile(r"\.isoloss-([0-9a-f]{8})-[0-9a-f]{16}\.part")
#: How often a name is tried that another process took for left over in between.
_TRIES = 20


@contextlib.contextmanager
def new_part(folder: Path) -> Iterator[Path]:
    """A new empty file in a folder, locked, and removed at the end unless it took another name."""
    part, descriptor = _made(folder)
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)
        if descriptor is not None:
            os.close(descriptor)


def remove_left(folder: Path) -> None:
    """Remove what killed writers of this machine left in a folder: files that nobody has locked."""
    with contextlib.suppress(OSError):
        with os.scandir(folder) as entries:
            named = [(entry.name, _NAME.fullmatch(entry.name)) for entry in entries]
        for name in (name for name, found in named if found and found[1] == _machine()):
            with contextlib.suppress(OSError):
                descriptor = os.open(folder / name, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
                try:
                    if _locked(descriptor):
                        (folder / name).unlink(missing_ok=True)
                finally:
                    os.close(descriptor)


def _made(folder: Path) -> tuple[Path, int | None]:
    """A new file and what holds its lock; None where files cannot be locked."""
    for _ in range(_TRIES):
        part = folder / f".isoloss-{_machine()}-{secrets.token_hex(8)}.part"
        # O_EXCL: the name is ours alone, so removing it removes nobody else's file.
        descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
        if sys.platform == "win32":  # an open file could not take another name
            os.close(descriptor)
            return part, None
        # Between its making and its lock another process may have held it for left over: it has
        # the lock then, or has removed the file.
        if _locked(descriptor) is not False and part.exists():
            return part, descriptor
        os.close(descriptor)
    raise OSError(f"no new file in {folder} stays there")


def _locked(descriptor: int) -> bool | None:
    """Whether the file is now locked by us; None where this system locks no files."""
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


@cache
def _machine() -> str:
    return hashlib.blake2b(socket.gethostname().encode(), digest_size=4).hexdigest()
