"""Checks of what users give: one sentence with the value and what is accepted, before any work."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from isoloss.files import shown_value, whole_number

T = TypeVar("T")


#: Counts from here on would leave the range of floats when they are squared and multiplied.
LARGEST = 10**100
#: The largest size of a number that formulas take the fourth power of; the smallest is 1 over it.
LARGEST_SIZE = 1e30


def of_type(name: str, value: object, kind: type[T], such_as: str) -> T:
    """The value, which is of a type. Raises ValueError for anything else, with an example of
    one.
    """
    if isinstance(value, kind):
        return value
    raise ValueError(f"{name} is {shown_value(value)}; accepted is a value such as {such_as}")


def whole(name: str, value: object, low: int = 1) -> int:
    """A whole number of at least `low`; 1e9 counts as one. Raises ValueError for anything else."""
    number = whole_number(value)
    if number is not None and number >= LARGEST:
        raise ValueError(f"{name} is {shown_value(value)}; accepted is a whole number below 1e100")
    if number is None or number < low:
        raise ValueError(
            f"{name} is {shown_value(value)}; accepted is a whole number of at least {low}"
        )
    return number


def finite(name: str, value: object, low: float = -math.inf, above: bool = False) -> float:
    """A finite number of at least `low` (more than `low` where `above`). Raises ValueError for
    anything else.
    """
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if math.isfinite(number) and (number > low if above else number >= low):
        return number
    bound = "" if low == -math.inf else f" {'above' if above else 'of at least'} {low:g}"
    raise ValueError(f"{name} is {shown_value(value)}; accepted is a finite number{bound}")


def in_range(name: str, value: float) -> float:
    """The value, 0 or of a size whose fourth powers are floating-point numbers. Raises ValueError
    for others.
    """
    if value and not 1 / LARGEST_SIZE <= abs(value) <= LARGEST_SIZE:
        raise ValueError(
            f"{name} is {value!r}; accepted is {1 / LARGEST_SIZE:g} to {LARGEST_SIZE:g}"
        )
    return value


def one_of(name: str, value: object, accepted: Sequence[str]) -> str:
    """The value, which is one of the accepted words. Raises ValueError for anything else."""
    if isinstance(value, str) and value in accepted:
        return value
    raise ValueError(
        f"unknown {name} {shown_value(value)}; accepted are {', '.join(map(repr, accepted))}"
    )


def several(values: object) -> list[object]:
    """The values of a list; one value is as good as a list of one."""
    listed = isinstance(values, Iterable) and not isinstance(values, str | bytes | Mapping)
    return list(values) if listed else [values]  # type: ignore[call-overload]


def fits_in_memory(what: str, size: float, instead: str) -> None:
    """Raise ValueError if `size` bytes are more than half of the machine's memory."""
    memory = float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")
    if size > memory / 2:
        raise ValueError(
            f"{what} needs about {size / 1e9:.3g} GB, more than half of this machine's "
            f"{memory / 1e9:.3g} GB; {instead}"
        )
