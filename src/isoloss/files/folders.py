"""A folder whose files are entries of an open set, read in the order of their names."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def modules_of(package: str) -> tuple[ModuleType, ...]:
    """The modules of a package, imported, by name.

    Parameters
    ----------
    package
        Dotted name of the folder, whose face imports none of its files.
    """
    folder = importlib.import_module(package)
    names = (entry.name for entry in pkgutil.iter_modules(folder.__path__))
    return tuple(importlib.import_module(f"{package}.{name}") for name in names)
