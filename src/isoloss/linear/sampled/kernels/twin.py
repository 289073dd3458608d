"""The compiled twin of the rounding rule: `formats/rounding.py` element by element, in float32 or
float64.

Same operations in the same order, so same numbers; tested equal on every code, midpoint and their
neighbours. The ends of a grid are arguments: two's complement reaches to -2^(b-1), the symmetric
integers of this room do not. NaN stays NaN. The sign of zero is not looked after (formats without a
negative zero).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from isoloss.linear.sampled.kernels.compiled import strict

_ONE, _HALF = np.float32(1), np.float32(0.5)


def power_of_two(x: Any) -> Any:
    """The largest power of two not above |x|, read off the exponent bits; 0 below the normal
    numbers.
    """
    raise NotImplementedError("compiled code only")


@overload(power_of_two, strict=False, jit_options={"forceinline": True})
def _power_of_two(x: Any) -> Any:
    if x == types.float32:
        return lambda x: np.int32(np.float32(x).view(np.int32) & np.int32(0x7F800000)).view(
            np.float32
        )
    return lambda x: np.int64(np.float64(x).view(np.int64) & np.int64(0x7FF0000000000000)).view(
        np.float64
    )


@strict
def clipped(x: Any, low: Any, top: Any) -> Any:
    """x, or the end of the grid beyond which it lies."""
    return low if x < low else (top if x > top else x)


@strict
def nearest_equal(x: Any, low: Any, top: Any) -> Any:
    """x on the grid of whole numbers low..top: to the nearest, ties to even."""
    # Clipping first: rint of a huge number would be right too, but that of infinity is not on the
    # grid.
    return np.rint(clipped(x, low, top))


@strict
def random_equal(x: Any, low: Any, top: Any, u: Any) -> Any:
    """x on the grid of whole numbers low..top: the magnitude goes up where u is below its
    fraction.
    """
    return _up_or_down(clipped(x, low, top), u)


@strict
def dithered_equal(x: Any, low: Any, top: Any, u: Any) -> Any:
    """x with subtractive dither on whole numbers: x + u - 1/2 to the nearest, less u - 1/2."""
    shift = ((low - low) + u) - _HALF  # in the type of x
    return np.rint(clipped(x + shift, low, top)) - shift


@strict
def nearest_float(x: Any, low: Any, top: Any, smallest: Any, unit: Any) -> Any:
    """x on the grid of a float: steps of unit = 2^-mantissa times the power of two below, at least
    `smallest`.
    """
    x = clipped(x, low, top)
    step = _step(x, smallest, unit)
    return np.rint(x / step) * step


@strict
def random_float(x: Any, low: Any, top: Any, smallest: Any, unit: Any, u: Any) -> Any:
    """x on the grid of a float, the magnitude up where u is below its fraction of a step."""
    x = clipped(x, low, top)
    step = _step(x, smallest, unit)
    return _up_or_down(x / step, u) * step


@strict
def _step(x: Any, smallest: Any, unit: Any) -> Any:
    # Below the normal numbers all steps are those of the smallest one (subnormals).
    power = power_of_two(x)
    return (smallest if power < smallest else power) * unit


@strict
def _up_or_down(multiple: Any, u: Any) -> Any:
    # On magnitudes, as the specification has it: the same random number rounds x and -x to opposite
    # numbers.
    size = math.fabs(multiple)
    down = np.floor(size)
    out = down + _ONE if u < size - down else down
    return -out if multiple < 0 else out
