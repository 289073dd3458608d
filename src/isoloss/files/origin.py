"""Where a saved value is from: its file, the isoloss that wrote it, the command that made it."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from isoloss.files.json_text import read_json

_COMMAND: ContextVar[str] = ContextVar("command", default="")


@dataclass(frozen=True)
class FileOrigin:
    """Where a value is from.

    Attributes
    ----------
    name
        The file's name, or the words that named it.
    command
        The command that made it; empty where it was made in Python, or by isoloss 0.1.
    version
        The isoloss that wrote it; empty where it is no saved file.
    sha256
        Of the file; empty where there is none.
    """

    name: str
    command: str = ""
    version: str = ""
    sha256: str = ""


@contextmanager
def made_by(command: str) -> Iterator[None]:
    """Note a command in what is saved while it runs."""
    token = _COMMAND.set(command)
    try:
        yield
    finally:
        _COMMAND.reset(token)


def command() -> str:
    """The command that runs; empty in Python."""
    return _COMMAND.get()


def is_saved(path: str | Path) -> bool:
    """Whether a file is one that isoloss saved, and not a table that happens to be JSON."""
    path = Path(path)
    return path.suffix.lower() == ".json" and path.is_file() and bool(_head(path.read_bytes()))


def origin_of(path: str | Path) -> FileOrigin:
    """Where a file is from; what is no saved value has a name and a hash alone."""
    path = Path(path)
    content = path.read_bytes()
    head = _head(content)
    made, wrote = (str(head.get(name) or "") for name in ("command", "isoloss"))
    return FileOrigin(path.name, made, wrote, hashlib.sha256(content).hexdigest())


def _head(content: bytes) -> dict[str, object]:
    """What stands beside a saved value in its file; empty for other files. NaN is no reason to
    take a damaged file for another.
    """
    try:
        found = read_json(content, nan=True)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and {"isoloss", "type"} <= found.keys() else {}


def versions() -> dict[str, str]:
    """What computes: isoloss, the libraries that it computes with, Python, and the machine."""
    libraries = {name: version(name) for name in ("isoloss", "numpy", "scipy", "polars")}
    return {**libraries, "python": platform.python_version(), "machine": platform.machine()}
