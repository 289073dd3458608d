"""What an engine may be set to: counts and shares, checked before anything begins."""

from __future__ import annotations

import math
from numbers import Integral

from isoloss.runs.problems import StoreError


def check_whole(name: str, value: int | None) -> None:
    """Raise StoreError unless a count is a whole number above 0, or not given."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if value is not None and not (whole and value >= 1):
        raise StoreError(f"{name} is {value!r}; accepted is a whole number above 0")


def check_share(name: str, value: float) -> None:
    """Raise StoreError unless a task may occupy that much: a finite number of 0 or more."""
    if not 0 <= value < math.inf:
        raise StoreError(f"{name} is {value:g}; accepted is a number of 0 or more")
