"""Opening a file of any ending that has a reader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from isoloss.files import Registry, reason, shown
from isoloss.runs.intake.content import called, check_is_text, with_run
from isoloss.runs.intake.frames import with_printable_names
from isoloss.runs.intake.origin import Origin
from isoloss.runs.intake.reader import READERS, Opened, Reader
from isoloss.runs.problems import RunsError


def open_file(path: Path) -> Opened:
    """The raw table in a file, read as its ending says.

    Parameters
    ----------
    path
        A file whose ending is one of `READERS`; a part of it is named behind '#', as
        'runs.xlsx#sheet'.

    Raises
    ------
    RunsError
        It is not there, has another ending, is empty or cannot be read.
    """
    try:
        path, part = _with_part(path)
        if not path.is_file():
            raise RunsError(f"cannot read {shown(path)}: {_why_no_file(path)}")
        reader = _reader_of(path)
        if reader.in_place is not None:
            return _as_read(reader.in_place, path)
        data = path.read_bytes()
    except OSError as error:
        raise RunsError(f"cannot read {shown(path)}: {reason(error)}") from None
    return _opened(reader, data, called(path.parts) + part)


def _why_no_file(path: Path) -> str:
    if path.is_dir():
        return "it is a folder; one of TensorBoard is read as tensorboard:FOLDER"
    if path.exists():
        return "it is a pipe or device; keep what comes from it as a file, such as runs.csv"
    return "it is a link to what is not there" if path.is_symlink() else "it is not there"


def _with_part(path: Path) -> tuple[Path, str]:
    """The file, and '#' with the part of it that is named where the path is no file as it
    stands.
    """
    if path.exists():
        return path, ""
    for at, sign in enumerate(text := str(path)):
        file = Path(text[:at])
        if sign != "#" or not text[at + 1 :] or not file.is_file():
            continue
        if not _reader_of(file).parts:
            accepted = ", ".join(ending for ending, reader in READERS.items() if reader.parts)
            raise RunsError(
                f"cannot read {shown(path)}: of files that end in {accepted} alone a part may be "
                "named behind '#'"
            )
        return file, text[at:]
    return path, ""


def open_bytes(data: bytes, name: str) -> Opened:
    """The raw table in the content of a file of this name; RunsError as `open_file`."""
    return _opened(_reader_of(Path(name)), data, name)


def _opened(reader: Reader, data: bytes, name: str) -> Opened:
    if not data or data.isspace():
        raise RunsError(f"{name} is empty; a table of runs needs a header and rows")
    if reader.open is None:
        raise RunsError(f"cannot read {name} from its content alone; give the path of the file")
    check_is_text(data, name, Path(name).suffix.lower())
    opened = _as_read(reader.open, data, name)
    if opened.frame.height == 0:
        raise RunsError(f"{name} has columns but no rows")
    return opened


def _as_read(reader: Callable[..., Opened], *given: Any) -> Opened:
    """What a reader gives; RunsError where one of a user's own fails or gives something else."""
    own = not Registry.is_shipped(str(getattr(reader, "__module__", None)))
    try:
        found = reader(*given)
    except (RunsError, OSError):
        raise
    except Exception as error:
        if not own:
            raise
        raise RunsError(
            f"cannot read {given[-1]}: its reader failed with {type(error).__name__}: {error}"
        ) from error
    whole = isinstance(found, Opened) and isinstance(found.frame, pl.DataFrame)
    if own and not (whole and isinstance(found.origin, Origin)):
        raise RunsError(
            f"cannot read {given[-1]}: its reader gave a {type(found).__name__}; it gives "
            "Opened(a polars DataFrame, Origin(name))"
        )
    frame = with_printable_names(found.frame, found.origin.name)
    return replace(found, frame=with_run(frame, found.origin.name))


def _reader_of(path: Path) -> Reader:
    found = READERS.find(path.suffix.lower())
    if found is None:
        raise RunsError(f"cannot read {shown(path)}: accepted endings are {', '.join(READERS)}")
    return found
