"""The laws that isoloss ships: every file of families/, in its order."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from math import inf
from types import ModuleType

from isoloss.laws import families
from isoloss.laws.law import Law


@cache
def shipped() -> tuple[Law, ...]:
    """The laws of each family, families by their `ORDER`, those without one last and by name.

    Returns
    -------
    tuple of Law
        One instance a process: what a user gets is a copy (`preset`).
    """
    names = sorted(found.name for found in pkgutil.iter_modules(families.__path__))
    modules = [import_module(f"{families.__name__}.{name}") for name in names]
    return tuple(law for module in sorted(modules, key=_place) for law in module.laws())


def _place(module: ModuleType) -> float:
    return float(getattr(module, "ORDER", inf))
