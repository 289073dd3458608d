"""A folder whose files are entries of an open set, read in the order of their names."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def modules_of(package: str) -> tuple[ModuleType, ...]:
    """The modules of a package and of its wings, imported, by name.

    Parameters
    ----------
    package
        Dotted name of the folder, whose face imports none of its files.
    """
    folder = importlib.import_module(package)
    found = pkgutil.walk_packages(folder.__path__, f"{package}.")
    return tuple(importlib.import_module(entry.name) for entry in found if not entry.ispkg)
