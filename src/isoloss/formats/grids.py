"""The numbers that an element of a format can be, before any scale."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, NamedTuple, assert_never

import numpy as np
from numpy.typing import NDArray

Kind = Literal[
    "exact", "int", "float", "block", "grid", "ternary", "binary", "noise", "custom"
]  # fmt: skip
# What of its range an integer uses: the 2^bits - 1 levels around zero; all of them, the largest
# magnitude lying half a step beyond the last; or all of them between the least and the largest
# number, with a zero point.
Span = Literal["symmetric", "full", "shifted"]
# What the top codes of a float say: all numbers; one NaN; infinities and NaNs as in IEEE 754; all
# numbers, and the code of minus zero is the NaN.
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


class Elements(NamedTuple):
    """The numbers that an element can be, in brief.

    Attributes
    ----------
    levels
        How many there are.
    min, max
        The smallest and the largest.
    step
        The smallest distance of two neighbours.
    """

    levels: int
    min: float
    max: float
    step: float


def float_elements(exponent: int, mantissa: int, special: Special, bias: int) -> Elements:
    """The finite numbers of a float, in brief."""
    top = float_max(exponent, mantissa, special, bias)
    levels = float_levels(exponent, mantissa, special)
    return Elements(levels, -top, top, float_step(mantissa, bias))


def int_elements(bits: float, step: float, is_shifted: bool) -> Elements:
    """The codes of an integer times a step, in brief: two's complement, or from zero up."""
    if is_shifted:
        return Elements(int(2**bits), 0.0, float(2.0**bits - 1) * step, step)
    half = float(2.0 ** (bits - 1))
    return Elements(int(2**bits), -half * step, (half - 1) * step, step)


def listed_elements(numbers: tuple[float, ...]) -> Elements:
    """A list of numbers, in brief."""
    step = min(high - low for low, high in pairwise(numbers))
    return Elements(len(numbers), numbers[0], numbers[-1], step)


def float_grid(exponent: int, mantissa: int, special: Special, bias: int) -> NDArray[np.float64]:
    """All finite numbers of a float, ascending."""
    fields = np.arange(2**exponent - (special == "ieee"), dtype=np.float64)[:, None]
    fractions = np.arange(2**mantissa, dtype=np.float64)[None, :] / 2**mantissa
    lead = (fields > 0).astype(np.float64)
    magnitudes = np.exp2(np.maximum(fields, 1) - bias) * (lead + fractions)
    positive = magnitudes.ravel()[1:]
    positive = positive[positive <= float_max(exponent, mantissa, special, bias)]
    return np.concatenate([-positive[::-1], [0.0], positive])


def elements_of(
    kind: Kind,
    bits: float,
    span: Span,
    floating: tuple[int, int, Special, int] | None,
    numbers: tuple[float, ...] | None,
) -> Elements | None:
    """The numbers of a format's element, in brief; None where it has no grid."""
    if floating is not None:
        return float_elements(*floating)
    match kind:
        case "exact" | "noise" | "custom":
            return None
        case "grid":
            return listed_elements(numbers or ())
        case "ternary":
            return Elements(3, -1.0, 1.0, 1.0)
        case "binary":
            return Elements(2, -1.0, 1.0, 2.0)
        case "int":
            return int_elements(bits, 1.0, span == "shifted")
        case "float":
            raise AssertionError("the numbers of a float come from its exponent and mantissa")
        case "block":
            # Integers of MX are fixed point with one bit before the point and the sign.
            return int_elements(bits, float(2.0 ** (2 - bits)), is_shifted=False)
        case _:
            assert_never(kind)


def uniform_grid(levels: int, low: float, step: float) -> NDArray[np.float64]:
    """The numbers of a grid of equal steps, ascending from `low`, a multiple of the step."""
    # Whole numbers first: they are exact, and so is their product with a power of two.
    return (np.arange(levels, dtype=np.float64) + low / step) * step


def check_numbers(name: str, numbers: tuple[float, ...] | None, is_grid: bool) -> None:
    """Raise ValueError unless a grid lists 2 to 65,536 finite numbers, ascending, and others
    none."""
    if (numbers is not None) != is_grid:
        raise ValueError(
            f"'{name}' {'is a grid without' if is_grid else 'is no grid but has'} numbers"
        )
    if numbers is None:
        return
    listed = np.asarray(numbers, dtype=np.float64)
    if not 2 <= listed.size <= LARGEST_GRID or not np.isfinite(listed).all():
        raise ValueError(
            f"the grid of '{name}' has {listed.size} numbers; it takes 2 to {LARGEST_GRID} finite "
            "ones"
        )
    wrong = np.flatnonzero(np.diff(listed) <= 0)
    if wrong.size:
        first, second = listed[wrong[0]], listed[wrong[0] + 1]
        raise ValueError(
            f"the grid of '{name}' has {second:g} after {first:g}; its numbers ascend, each once"
        )
