"""The folder of a task's own beside the store: made on first use, known as ours by a mark, removed
when done.

A store may be reached by a link, and moved with a link left in its place: folders lie beside the
file itself, and those that lie beside a link to it are found as well.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from isoloss.files import checked_name
from isoloss.runs.problems import StoreError

#: A file that tells a folder that a sweep made from one that stood there before, which is never
#: removed.
MARK = ".isoloss-task"


def folder_of(store: Path, key: str) -> Path:
    """The path of a task's folder; StoreError for a key that cannot name one."""
    name = checked_name(key, "task key", StoreError)
    places = [beside / name for beside in _beside(store)]
    return next((path for path in places if path.exists()), places[0])


def make_folder(store: Path, key: str) -> Path:
    """The folder of a task, made and marked where nothing has its name."""
    path = folder_of(store, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        path.mkdir()
        (path / MARK).touch()
    return path


def remove_folder(store: Path, key: str) -> None:
    """Remove the folder of a task, if a sweep made it."""
    name = checked_name(key, "task key", StoreError)
    for path in (beside / name for beside in _beside(store)):
        if not path.is_symlink() and (path / MARK).is_file():
            shutil.rmtree(path, ignore_errors=True)


def remove_empty(store: Path) -> None:
    """Remove the folder that holds those of the tasks, if nothing is left in it."""
    for beside in _beside(store):
        with contextlib.suppress(OSError):
            beside.rmdir()


def _beside(store: Path) -> list[Path]:
    """Where folders of tasks are: beside the file, then beside every link that leads to it."""
    places = [Path(os.path.realpath(store)), *_links(store)]
    return list(dict.fromkeys(place.with_name(f"{place.name}.files") for place in places))


def _links(path: Path) -> list[Path]:
    """The path, and what it points to, link by link."""
    found: list[Path] = []
    while path not in found and path.is_symlink():
        found.append(path)
        path = path.parent / path.readlink()
    return [*found, path]
