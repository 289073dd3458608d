"""The laws that isoloss ships: every file of families/, in its order."""

from __future__ import annotations

from functools import cache
from math import inf
from types import ModuleType

from isoloss.files import modules_of
from isoloss.laws.law import Law


@cache
def shipped() -> tuple[Law, ...]:
    """The laws of each family, families by their `ORDER`, those without one last and by name.

    Returns
    -------
    tuple of Law
        One instance a process: what a user gets is a copy (`preset`).
    """
    modules = sorted(modules_of("isoloss.laws.families"), key=_place)
    return tuple(law for module in modules for law in module.laws())


def _place(module: ModuleType) -> float:
    return float(getattr(module, "ORDER", inf))
