"""The folder of a task's own beside the store: made on first use, known as ours by a mark, removed
when done.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from isoloss.files import checked_name
from isoloss.runs.problems import StoreError

#: A file that tells a folder that a sweep made from one that stood there before, which is never
#: removed.
MARK = ".isoloss-task"


def folder_of(store: Path, key: str) -> Path:
    """The path of a task's folder; StoreError for a key that cannot name one."""
    return _beside(store) / checked_name(key, "task key", StoreError)


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
    path = folder_of(store, key)
    if not path.is_symlink() and (path / MARK).is_file():
        shutil.rmtree(path, ignore_errors=True)


def remove_empty(store: Path) -> None:
    """Remove the folder that holds those of the tasks, if nothing is left in it."""
    with contextlib.suppress(OSError):
        _beside(store).rmdir()


def _beside(store: Path) -> Path:
    return store.with_name(f"{store.name}.files")
