"""Modules of a user's own that register formats, methods, laws or machines: loaded by name, never
by a file.

Two ways: an installed package with an entry point in the group "isoloss" is loaded when a name is
looked up that is not known yet; `use("module")` (``--use module``) imports one at once. Workers of
a sweep import what their parent used.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
import threading
from functools import cache
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakSet

GROUP = "isoloss"


class Restorable(Protocol):
    """A registry, as far as a module that fails while it is imported concerns it."""

    def state(self) -> Any:
        """What it holds now."""

    def restore(self, state: Any) -> None:
        """Hold that again."""


#: Every registry of this process.
REGISTRIES: WeakSet[Restorable] = WeakSet()
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
        if not isinstance(given, str) or not given:
            raise ValueError(
                f"cannot use {given!r}; accepted are names of modules and paths of .py files"
            )
        # A path is kept whole, so that a worker in another folder finds it.
        name = str(Path(given).resolve()) if given.endswith(".py") else given
        if name in _USED:
            continue
        kept = {registry: registry.state() for registry in REGISTRIES}
        try:
            _import(name)
        except (Exception, SystemExit) as error:
            # What a module registered before it failed goes, so that the mended one can register;
            # in registries that came with it, all that is not isoloss's own.
            for registry in list(REGISTRIES):
                registry.restore(kept.get(registry, ({}, {})))
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
    _check_stem(path)
    if path.stem in sys.modules:  # this very file, imported before
        return
    # A file stands for the module of its name, so that workers and pickles find it under one name.
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"'{name}' is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise


def _check_stem(path: Path) -> None:
    """Raise ValueError for a file whose name is no module's, or that of another module."""
    if not path.stem.isidentifier():
        raise ValueError(f"'{path.stem}' cannot be the name of a module; rename the file")
    there = sys.modules.get(path.stem)
    taken = path.stem in sys.stdlib_module_names or (
        there is not None and getattr(there, "__file__", None) != str(path)
    )
    if taken or path.stem == GROUP:
        raise ValueError(f"another module is named '{path.stem}'; rename the file")
