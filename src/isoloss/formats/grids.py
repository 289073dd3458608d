"""The numbers that an element of a format can be, before any scale."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

# What the top codes of a float say: all numbers; one NaN; infinities and NaNs as in IEEE 754; all numbers, and
# the code of minus zero is the NaN.
Special = Literal["none", "nan", "ieee", "fnuz"]
LARGEST_GRID = 2**16


def usual_bias(exponent: int) -> int:
    """The bias of IEEE 754 and OCP: 2^(exponent-1) - 1."""
    return int(2 ** (exponent - 1)) - 1


def float_max(exponent: int, mantissa: int, special: Special, bias: int) -> float:
    """The largest number of a float of these bits and a sign."""
    top = 2**exponent - 1 - (special == "ieee") - bias
    fraction = 2 - 2.0**-mantissa * (2 if special == "nan" else 1)
    return float(2.0**top * fraction)


def float_step(mantissa: int, bias: int) -> float:
    """The smallest positive number (a subnormal) of a float."""
    return float(2.0 ** (1 - bias - mantissa))


def float_levels(exponent: int, mantissa: int, special: Special) -> int:
    """How many different finite numbers a float can be; the two zeros count once."""
    codes = 2 * ((1 << exponent) - (special == "ieee")) * (1 << mantissa) - 1
    return codes - 2 if special == "nan" else codes


def float_grid(exponent: int, mantissa: int, special: Special, bias: int) -> NDArray[np.float64]:
    """All finite numbers of a float, ascending."""
    fields = np.arange(2**exponent - (special == "ieee"), dtype=np.float64)[:, None]
    fractions = np.arange(2**mantissa, dtype=np.float64)[None, :] / 2**mantissa
    lead = (fields > 0).astype(np.float64)
    magnitudes = np.exp2(np.maximum(fields, 1) - bias) * (lead + fractions)
    positive = magnitudes.ravel()[1:]
    positive = positive[positive <= float_max(exponent, mantissa, special, bias)]
    return np.concatenate([-positive[::-1], [0.0], positive])


def int_grid(bits: int, step: float = 1.0) -> NDArray[np.float64]:
    """The two's complement numbers of `bits` bits times `step`, ascending."""
    half = 2 ** (bits - 1)
    return np.arange(-half, half, dtype=np.float64) * step


def check_numbers(name: str, numbers: tuple[float, ...] | None, is_grid: bool) -> None:
    """Raise ValueError unless a grid lists 2 to 65,536 finite numbers, ascending, and others none."""
    if (numbers is not None) != is_grid:
        raise ValueError(
            f"'{name}' {'is a grid without' if is_grid else 'is no grid but has'} numbers"
        )
    if numbers is None:
        return
    listed = np.asarray(numbers, dtype=np.float64)
    if not 2 <= listed.size <= LARGEST_GRID or not np.isfinite(listed).all():
        raise ValueError(
            f"the grid of '{name}' has {listed.size} numbers; it takes 2 to {LARGEST_GRID} finite ones"
        )
    wrong = np.flatnonzero(np.diff(listed) <= 0)
    if wrong.size:
        first, second = listed[wrong[0]], listed[wrong[0] + 1]
        raise ValueError(
            f"the grid of '{name}' has {second:g} after {first:g}; its numbers ascend, each once"
        )
