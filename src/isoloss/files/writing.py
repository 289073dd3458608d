"""The one way a file is written: whole or not at all, and never over another unless told to.

The content goes to a new file in the same folder, is flushed to the disk and takes the name in one
step, so that a full disk, a signal or a lost machine leaves what stood there before. Only such new
files are ever removed: one's own, and those that writers left who were killed.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from isoloss.files.parts import new_part, remove_left
from isoloss.files.problems import FilesError, reason, shown

#: What goes into a file: its bytes, its text (UTF-8), or a function that writes to a path.
Content = bytes | str | Callable[[Path], object]


def check_target(
    path: str | Path,
    force: bool = False,
    endings: tuple[str, ...] = (),
    problem: type[ValueError] = FilesError,
) -> Path:
    """The path as a Path, if a file may be written there: asked before any work is done.

    Parameters
    ----------
    path
        Where the file is to stand.
    force
        Allow a file that exists to be replaced.
    endings
        The accepted suffixes, lower case; () accepts any.
    problem
        The ValueError to raise, so that a room keeps its own type.

    Raises
    ------
    ValueError
        The ending is another, the name cannot be used, the file exists, or its folder does not.
    """
    path = Path(path)
    if endings and path.suffix.lower() not in endings:
        raise problem(f"cannot write {shown(path)}: accepted endings are {', '.join(endings)}")
    try:
        there = _there(path)
    except (OSError, ValueError) as error:
        raise problem(f"cannot write {shown(path)}: {reason(error)}") from None
    if there and path.is_dir():
        raise problem(f"cannot write {shown(path)}: it is a folder")
    if there and not force:
        raise problem(
            f"{shown(path)} exists; give another name or force=True (--force) to replace it"
        )
    if not path.absolute().parent.is_dir():
        raise problem(f"cannot write {shown(path)}: there is no folder {shown(path.parent)}")
    return path


def _there(path: Path) -> bool:
    """Whether something has the name, a broken link included; OSError for a name that nothing can
    have.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def write(
    path: str | Path,
    content: Content,
    force: bool = False,
    problem: type[ValueError] = FilesError,
) -> Path:
    """Write a file whole or not at all.

    Parameters
    ----------
    path
        Where it stands afterwards; a link is followed, so that what it points to is replaced.
    content
        Bytes, text, or a function that is given the path of an empty file to write to.
    force
        Replace a file that exists.
    problem
        The ValueError to raise, so that a room keeps its own type.

    Returns
    -------
    Path
        The path as it was given.

    Raises
    ------
    ValueError
        The file exists and `force` is not given, or it cannot be written (a full disk, no
        permission); what stood there before is as it was.
    """
    path = check_target(path, force, problem=problem)
    try:
        # A device or a pipe has no content to keep, and its name must not be given to a file.
        if path.exists() and not path.is_file():
            _fill(path, content)
            return path
        with _beside(Path(os.path.realpath(path))) as (target, part):
            _fill(part, content)
            _take_name(part, target, force)
    except FileExistsError:
        raise problem(
            f"{shown(path)} exists; give another name or force=True (--force) to replace it"
        ) from None
    except OSError as error:
        raise problem(f"cannot write {shown(path)}: {reason(error)}") from error
    return path


@contextlib.contextmanager
def _beside(target: Path) -> Iterator[tuple[Path, Path]]:
    """The target and a new empty file in its folder, which is removed unless it took the target's
    name.
    """
    remove_left(target.parent)
    with new_part(target.parent) as part:
        if target.exists():
            part.chmod(stat.S_IMODE(target.stat().st_mode))
        yield target, part


def _fill(path: Path, content: Content) -> None:
    if callable(content):
        content(path)
        with path.open("rb") as file:
            _to_disk(file.fileno())
        return
    data = content.encode("utf-8") if isinstance(content, str) else content
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        _to_disk(file.fileno())


def _take_name(part: Path, target: Path, force: bool) -> None:
    """Give the finished file its name; without `force` a file that came meanwhile is kept."""
    if force:
        part.replace(target)
    else:
        try:
            os.link(part, target)  # unlike a rename, it refuses a name that is taken
        except FileExistsError:
            raise
        except OSError:  # file systems without hard links
            if os.path.lexists(target):
                raise FileExistsError(target) from None
            part.replace(target)
    _folder_to_disk(target.parent)


def _to_disk(descriptor: int) -> None:
    # A pipe or a device has no disk to be flushed to.
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.fsync(descriptor)


def _folder_to_disk(folder: Path) -> None:
    """Make the new name last; systems that cannot open a folder keep it on their own."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
