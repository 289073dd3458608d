"""A folder whose files are entries of a registry: each file has its record under one name."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TypeVar

from isoloss.files import Registry

T = TypeVar("T")


def register_folder(registry: Registry[T], package: str, constant: str) -> None:
    """Register the record that each module of `package` has under the name `constant`, in order of file names.

    Parameters
    ----------
    registry
        The open set that the records belong to; each has an attribute `name`.
    package
        Dotted name of the folder, whose face imports none of its files.
    constant
        The name of the record in every file, as METHOD.
    """
    for entry in pkgutil.iter_modules(importlib.import_module(package).__path__):
        module = f"{package}.{entry.name}"
        record = getattr(importlib.import_module(module), constant)
        registry.register(record.name, record, home=module)
