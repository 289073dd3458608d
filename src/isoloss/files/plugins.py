"""Modules of a user's own that register formats, methods, laws or machines: loaded by name, never
by a file.

Two ways: an installed package with an entry point in the group "isoloss" is loaded when a name is
looked up that is not known yet; `use("module")` (``--use module``) imports one at once. Workers of
a sweep import what their parent used.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
import threading
from functools import cache
from pathlib import Path

GROUP = "isoloss"
_USED: list[str] = []
_HERE = threading.local()


def use(*modules: str) -> None:
    """Import modules that register something with isoloss.

    Parameters
    ----------
    modules
        Dotted names of importable modules, or paths that end in ".py".

    Raises
    ------
    ValueError
        A module cannot be found, or fails while it is imported; the message has the reason.
    """
    for given in modules:
        # A path is kept whole, so that a worker in another folder finds it.
        name = str(Path(given).resolve()) if given.endswith(".py") else given
        if name in _USED:
            continue
        try:
            _import(name)
        except Exception as error:
            raise ValueError(
                f"cannot use module '{given}': {type(error).__name__}: {error}"
            ) from error
        _USED.append(name)


def used() -> tuple[str, ...]:
    """The modules that this process was told to use, in order: what its workers must use too."""
    return tuple(_USED)


def load_entry_points() -> None:
    """Import the entry points of installed packages in the group "isoloss", once.

    Raises
    ------
    ValueError
        One fails while it is imported; the message names it.
    """
    # A module that registers looks names up while it is imported; it must not be loaded again
    # before it is whole. Another thread waits for the import instead.
    if getattr(_HERE, "loading", False):
        return
    _HERE.loading = True
    try:
        _load_once()
    finally:
        _HERE.loading = False


@cache
def _load_once() -> None:
    for point in importlib.metadata.entry_points(group=GROUP):
        try:
            point.load()
        except Exception as error:
            raise ValueError(
                f"the plugin '{point.name}' ({point.value}) cannot be loaded: "
                f"{type(error).__name__}: {error}"
            ) from error


def _import(name: str) -> None:
    if not name.endswith(".py"):
        importlib.import_module(name)
        return
    path = Path(name).resolve()
    if not path.is_file():
        raise FileNotFoundError(f"there is no file '{name}'")
    # A file stands for the module of its name, so that workers and pickles find it under one name.
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    importlib.import_module(path.stem)
