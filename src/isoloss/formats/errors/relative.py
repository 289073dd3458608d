"""The error of a format on random numbers: one number that compares any two formats.

`relative_error` returns E(Q(x) - x)^2 / E x^2, by quadrature. The rules, in one place:

- Integers, ternary, binary: the best uniform grid of 2^bits (ternary 3) levels, that is, the best
  scale and zero point. For a normal variable the best one is symmetric, so an even number of levels
  lies at the odd multiples of half a step. These are the optimum uniform quantisers of Max (1960),
  and the grid of QuEST: 0.3634, 0.11885, 0.03744, 0.011543 for 1 to 4 bits. At 8 bits the best is
  8.769e-5; the 8.78e-5 that goes with QuEST comes from its tabulated scale, which is 1% off the
  best.
- Floats up to 8 bits: their own grid with the best scale (e2m1 0.012685). Wider floats: scale 1,
  since nobody scales them.
- Grids of numbers: their own numbers with the scale that the largest magnitude of the block makes;
  a grid without a block, or with '/row' or '/tensor', with the best scale.
- Block formats: the largest magnitude of the block makes the scale, as rounding does (scaling.py),
  the tensor's second scale of NV taken as 1. With '/row' or '/tensor' the best scale instead.
- `block` asks for the scale that the largest of so many numbers makes (absmax), for any format.
- Ideal noise: its eps. 'fp': 0. A user's own function is measured on 2^20 draws.
- '~sr' rounds to one of the two neighbours so that the mean is kept, '~dither' adds step^2 / 12
  everywhere; what lies beyond the grid saturates.
- Groups of plain formats, rows, Hadamard, clip search and methods do not enter: the numbers are
  alike everywhere, and the best scale is the bound for every way to find one.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from isoloss.formats.errors.block_error import absmax_error, block_error, sides_of
from isoloss.formats.errors.distributions import Array, Distribution, distribution
from isoloss.formats.errors.quadrature import (
    best_error,
    fine_error,
    grid_error,
    saturation,
    two_sided_error,
)
from isoloss.formats.named import int_format
from isoloss.formats.number import Format
from isoloss.formats.rounding import fake_quantise

# Finer grids are so fine that step^2 / 12 is exact to a part in a million.
_SUMMED_BITS = 12
_SUMMED_MANTISSA = 10
_DRAWN_ROWS = 256


def relative_error(
    format: Format | str, distribution: str = "normal", block: int | None = None
) -> float:
    """The mean squared error of rounding, over the variance, by the rules at the top of this file.

    Parameters
    ----------
    format
        The format or its spelling.
    distribution
        That of the numbers: 'normal', 'laplace' or 'uniform'.
    block
        How many numbers share an absmax scale; None: the best scale, or the block of the format.

    Returns
    -------
    float
        E(Q(x) - x)^2 / E x^2, no unit.

    Raises
    ------
    ValueError
        The distribution is unknown, the block is below 2, or the scale of the format is not absmax
        alone.
    """
    known = Format.parse(format)
    if block is None:
        plain = known.modifiers._replace(hadamard=False, clip=0.0, method=None)
        return _error_of(known.modified(plain), distribution)
    if isinstance(block, bool) or not isinstance(block, int | np.integer) or block < 2:
        raise ValueError(f"a block of {block!r} numbers is none; it is a whole number, 2 or more")
    if not has_absmax_scale(known):
        raise ValueError(
            f"'{known}' has no absmax scale to compute an error of; error_structure measures it on "
            "an array"
        )
    return _absmax_error_of(known, distribution, int(block))


def has_absmax_scale(known: Format) -> bool:
    """Whether the largest magnitude of a block makes the scale, so that `block` can be asked
    for."""
    is_around_zero = known.is_scaled and known.span != "shifted"
    return is_around_zero and not (known.clip or known.scales_by_mean)


def integer_bits(error: float) -> float:
    """The bits of the integer format with this normal error; between two whole numbers, linear in
    the logarithm."""
    if not 0 < error < 1:
        return math.inf if error == 0 else math.nan
    bits = np.arange(1, 17)
    # Errors fall by a factor of about four a bit, so their logarithms are nearly a line.
    logs = [math.log(_error_of(int_format(int(b)), "normal")) for b in bits]
    at = int(np.clip(np.searchsorted(-np.array(logs), -math.log(error)), 1, len(bits) - 1))
    share = (math.log(error) - logs[at - 1]) / (logs[at] - logs[at - 1])
    return float(bits[at - 1] + share)


@lru_cache(maxsize=1024)
def _error_of(known: Format, name: str) -> float:
    x = distribution(name)
    if known.is_exact:
        return 0.0
    if known.eps is not None:
        return known.eps
    if known.function:
        return _measured(known, x)
    if known.scale is not None and known.group is not None:
        return block_error(known, known.group, x)
    if not known.is_scaled:
        return _wide_float_error(known, x)
    if known.numbers is not None:
        return _listed_error(known, x)
    if known.is_integer and known.bits > _SUMMED_BITS:
        return best_error(
            lambda top: fine_error(top, 2 * top / (2**known.bits - 1), known.rounding, x)
        )
    levels = _element_levels(known)
    return best_error(lambda top: grid_error(levels * (top / levels[-1]), known.rounding, x=x))


@lru_cache(maxsize=1024)
def _absmax_error_of(known: Format, name: str, block: int) -> float:
    x = distribution(name)
    is_piecewise = known.scale is not None or known.pow2
    return block_error(known, block, x) if is_piecewise else absmax_error(known, block, x)


def _listed_error(known: Format, x: Distribution) -> float:
    """The error of a grid of numbers: absmax of its block, or the best scale where there is
    none."""
    if known.group is not None and known.block is not None:
        return _absmax_error_of(known, x.name, known.group)
    sides, top = sides_of(known), known.scaled_max
    return best_error(
        lambda at: two_sided_error(
            [side * (at / top) for side in sides], known.rounding, math.inf, x
        )
    )


def _element_levels(known: Format) -> Array:
    """The numbers >= 0 of an element's grid, up to a factor; integers at odd halves, as stated
    above."""
    if known.exponent is not None:
        grid = known.grid
        return grid[grid >= 0]
    if known.levels == 3:
        return np.array([0.0, 1.0])
    return np.arange(2 ** (int(known.bits) - 1)) + 0.5


def _wide_float_error(known: Format, x: Distribution) -> float:
    """The error of a float at scale 1; for long mantissas step^2 / 12 (6 when stochastic) in each
    binade."""
    mantissa, top = known.mantissa or 0, min(known.max, 2.0**6)
    normal = max(known.smallest_step * 2.0**mantissa, 2.0**-30)  # below 2^-30 an error weighs 1e-27
    powers = np.exp2(np.arange(math.log2(normal), math.ceil(math.log2(top)) + 1))
    if mantissa <= _SUMMED_MANTISSA:
        fractions = np.arange(2.0**mantissa) / 2.0**mantissa
        levels = np.concatenate([fractions * normal, (powers[:, None] * (1 + fractions)).ravel()])
        return grid_error(levels[levels <= top], known.rounding, x=x)
    # In a binade of so many numbers the error is step^2 / 12 to more digits than are asked for.
    edges = powers[powers <= 2 * top]
    steps = np.concatenate([edges[:1], edges[:-1]]) * 2.0**-mantissa
    weights = np.diff(x.below(np.concatenate([[0.0], edges])))
    inside = float(np.sum(steps**2 * weights)) / (6 if known.rounding == "sr" else 12)
    return inside + saturation(top, x)


def _measured(known: Format, x: Distribution) -> float:
    """The error of a user's own quantiser on 2^20 draws of a fixed seed, in rows (or groups) as it
    shares scales."""
    numbers = x.draw(np.random.default_rng(0), 2**20)
    width = known.granularity if isinstance(known.granularity, int) else 2**20 // _DRAWN_ROWS
    numbers = numbers[: numbers.size // width * width].reshape(-1, width)
    return float(np.mean((fake_quantise(numbers, known) - numbers) ** 2) / np.mean(numbers**2))
