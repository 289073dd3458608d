"""Checks of what users give: one sentence with the value and what is accepted, before any work."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from numbers import Real


def whole(name: str, value: object, low: int = 1) -> int:
    """A whole number of at least `low`; 1e9 counts as one. Raises ValueError for anything else."""
    if isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value):
        number = int(float(value)) if not isinstance(value, int) else value
        if number == value and number >= low:
            return number
    raise ValueError(f"{name} is {value!r}; accepted is a whole number of at least {low}")


def finite(name: str, value: object, low: float = -math.inf, above: bool = False) -> float:
    """A finite number of at least `low` (more than `low` where `above`). Raises ValueError for anything else."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if math.isfinite(number) and (number > low if above else number >= low):
        return number
    bound = "" if low == -math.inf else f" {'above' if above else 'of at least'} {low:g}"
    raise ValueError(f"{name} is {value!r}; accepted is a finite number{bound}")


def one_of(name: str, value: object, accepted: Sequence[str]) -> str:
    """The value, which is one of the accepted words. Raises ValueError for anything else."""
    if isinstance(value, str) and value in accepted:
        return value
    raise ValueError(f"unknown {name} {value!r}; accepted are {', '.join(map(repr, accepted))}")


def fits_in_memory(what: str, size: float, instead: str) -> None:
    """None, or ValueError where `size` bytes are more than half of the machine's memory."""
    memory = float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")
    if size > memory / 2:
        raise ValueError(
            f"{what} needs about {size / 1e9:.3g} GB, more than half of this machine's {memory / 1e9:.3g} GB; {instead}"
        )
