"""Opening a file of any ending that has a reader."""

from __future__ import annotations

from pathlib import Path

from isoloss.files import reason, shown
from isoloss.runs.intake.reader import READERS, Opened, Reader
from isoloss.runs.problems import RunsError


def open_file(path: Path) -> Opened:
    """The raw table in a file, read as its ending says.

    Parameters
    ----------
    path
        A file whose ending is one of `READERS`.

    Raises
    ------
    RunsError
        It is not there, has another ending, is empty or cannot be read.
    """
    try:
        if not path.is_file():
            raise RunsError(
                f"cannot read {shown(path)}: it is {'a folder' if path.is_dir() else 'not there'}"
            )
        reader = _reader_of(path)
        if reader.in_place is not None:
            return reader.in_place(path)
        data = path.read_bytes()
    except OSError as error:
        raise RunsError(f"cannot read {shown(path)}: {reason(error)}") from None
    return open_bytes(data, path.name)


def open_bytes(data: bytes, name: str) -> Opened:
    """The raw table in the content of a file of this name; RunsError as `open_file`."""
    if not data.strip():
        raise RunsError(f"{name} is empty; a table of runs needs a header and rows")
    reader = _reader_of(Path(name))
    if reader.open is None:
        raise RunsError(f"cannot read {name} from its content alone; give the path of the file")
    opened = reader.open(data, name)
    if opened.frame.height == 0:
        raise RunsError(f"{name} has columns but no rows")
    return opened


def _reader_of(path: Path) -> Reader:
    found = READERS.find(path.suffix.lower())
    if found is None:
        raise RunsError(f"cannot read {shown(path)}: accepted endings are {', '.join(READERS)}")
    return found
