"""The open table of checks: each computes the figures of a claim."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from isoloss.files import Registry, modules_of
from isoloss.papers.claim import Finding, PapersError

#: A check: the laboratory first, what a claim gives as keywords.
Check = Callable[..., Finding]
AnyCheck = TypeVar("AnyCheck", bound=Check)


def _shipped() -> None:
    modules_of("isoloss.papers.checks")


#: All checks by name.
CHECKS: Registry[Check] = Registry("check", PapersError, load=_shipped)


def check(function: AnyCheck) -> AnyCheck:
    """Register the decorated function as a check under its own name, and leave it as it is."""
    CHECKS.register(function.__name__, function, home=function.__module__)
    return function
