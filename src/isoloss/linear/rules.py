"""A quantiser as seven numbers, the form in which compiled code reads it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isoloss.formats import Format
from isoloss.linear.quantisers import default_step

#: What a quantiser does: nothing; noise added, by one factor a vector, by one factor an element; whole numbers,
#: to the nearest or at random; floats likewise; a grid finer than the numbers it is given, which only clips.
NONE, ADD, VEC, COORD, NEAREST_EQUAL, RANDOM_EQUAL, NEAREST_FLOAT, RANDOM_FLOAT, CLIP = range(9)
#: Places in a rule: what it does, the deviation of its noise, what one unit of its grid stands for, the ends of the
#: grid, a float's smallest normal number, and 2^-mantissa.
CODE, SPREAD, SCALE, LOW, TOP, SMALLEST, UNIT = range(7)
_NOISES = {"add": ADD, "vec": VEC, "coord": COORD}


def rule_of(
    known: Format | None, scale: float | None, size: float, dtype: Any = np.float32, low: float | None = None
) -> NDArray[Any]:
    """The rule (7,) of a format for numbers of a type; `size` is what an integer's default step is made from.

    `low` is the lower end of the grid in its own units; None is minus the upper end, as this room has it.
    """
    if known is None or known.is_exact:
        return np.array([NONE, 0, 1, -math.inf, math.inf, 0, 0], dtype)
    if known.noise is not None:
        return np.array(
            [_NOISES[known.noise], math.sqrt(known.eps or 0.0), 1, -math.inf, math.inf, 0, 0], dtype
        )
    top = _within(known.max, dtype)
    bottom = -top if low is None else -_within(-low, dtype)
    at_random = known.rounding == "sr"
    if known.mantissa is None or known.lowest_exponent is None:
        step = scale or default_step(known, size)
        return np.array([RANDOM_EQUAL if at_random else NEAREST_EQUAL, 0, step, bottom, top, 1, 1], dtype)
    bits, lowest = (23, -126) if dtype == np.float32 else (52, -1022)
    if known.mantissa >= bits and known.lowest_exponent <= lowest:
        code = CLIP
    else:
        code = RANDOM_FLOAT if at_random else NEAREST_FLOAT
    smallest, unit = 2.0**known.lowest_exponent, 2.0**-known.mantissa
    return np.array([code, 0, scale or 1.0, bottom, top, smallest, unit], dtype)


def _within(value: float, dtype: Any) -> float:
    """The largest number of a type that is not above a positive value."""
    with np.errstate(over="ignore"):
        near = dtype(value)
    return float(near if float(near) <= value else np.nextafter(near, dtype(0)))
