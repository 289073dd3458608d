"""The error of rounding a normal variable: one number that compares any two formats.

`gaussian_error` returns E(Q(x) - x)^2 / E x^2 for x ~ N(0, 1), by quadrature. The rules, in one place:

- Integers, ternary, binary: the best uniform grid of 2^bits (ternary 3) levels, that is, the best scale and
  zero point. For a normal variable the best one is symmetric, so an even number of levels lies at the odd
  multiples of half a step. These are the optimum uniform quantisers of Max (1960), and the grid of QuEST:
  0.3634, 0.11885, 0.03744, 0.011543 for 1 to 4 bits. At 8 bits the best is 8.769e-5; the 8.78e-5 that goes
  with QuEST comes from its tabulated scale, which is 1% off the best.
- Floats up to 8 bits: their own grid with the best scale (e2m1 0.012685). Wider floats: scale 1, since nobody
  scales them.
- Block formats: the largest magnitude m of the block makes the scale. MX: 2^floor(log2 m) over the power of
  two of the grid's largest number, so that elements above the grid saturate. NV: m over that largest number,
  rounded to E4M3 (the tensor's second scale taken as 1). With '/row' or '/tensor' the best scale instead.
- Ideal noise: its eps. 'fp': 0.
- '~sr' rounds to one of the two neighbours so that the mean is kept; what lies beyond the grid saturates.
- Groups, rows, Hadamard, clip search and methods do not enter: a normal variable is alike everywhere, and the
  best scale is the bound for every way to find one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import ndtr

from isoloss.formats.grids import float_grid
from isoloss.formats.number import Format

Array = NDArray[np.float64]
REACH = 12.0  # standard deviations; what lies beyond weighs less than 1e-30
# Finer grids are so fine that step^2 / 12 is exact to a part in a million.
_SUMMED_BITS = 12
_SUMMED_MANTISSA = 10
_NODES, _WEIGHTS = (np.polynomial.legendre.leggauss(10)[row] / 2 for row in (0, 1))  # on (-1/2, 1/2)


def gaussian_error(known: Format) -> float:
    """The mean squared error of rounding N(0, 1) to a format, by the rules at the top of this file."""
    return _error_of(known.marked(known.marks._replace(hadamard=False, clip=False, method=None)))


def grid_error(levels: Array, stochastic: bool = False, limit: float = REACH) -> float:
    """E[(Q(x) - x)^2; |x| <= limit] for x ~ N(0, 1) and a symmetric grid.

    `levels` are the grid's numbers >= 0, ascending. Gauss-Legendre with 10 nodes on every piece where the
    rounded value is one number.
    """
    middles = (levels[1:] + levels[:-1]) / 2
    cuts = np.concatenate([[0.0, limit], levels, middles, np.arange(0.0, REACH, 0.5)])
    cuts = np.unique(cuts[cuts <= limit])
    widths = np.diff(cuts)
    centres = cuts[:-1] + widths / 2
    x = centres[:, None] + widths[:, None] * _NODES
    if stochastic:
        # Below the smallest positive level of a grid without zero, the lower neighbour is its mirror image.
        ladder = np.concatenate([[-levels[0]], levels])
        above = np.clip(np.searchsorted(ladder, centres), 1, len(ladder) - 1)
        squares = (x - ladder[above - 1, None]) * (ladder[above, None] - x)
        squares = np.where(centres[:, None] > levels[-1], (x - levels[-1]) ** 2, squares)
    else:
        squares = (x - levels[np.searchsorted(middles, centres), None]) ** 2
    density = np.exp(-(x**2) / 2) * math.sqrt(2 / math.pi)  # of |x|
    return float(np.sum(widths[:, None] * _WEIGHTS * squares * density))


def best_error(error_at: Callable[[float], float]) -> float:
    """The smallest error over the scale, where `error_at` takes the largest number of the scaled grid.

    Floats have a local best in every octave, so the scale is scanned before it is refined.
    """
    tops = np.geomspace(0.5, 64.0, 169)
    at = int(np.argmin([error_at(top) for top in tops[:-1]]))
    bounds = (tops[max(at - 1, 0)], tops[at + 1])
    found = minimize_scalar(error_at, bounds=bounds, method="bounded", options={"xatol": 1e-9})
    return float(found.fun)


@lru_cache(maxsize=1024)
def _error_of(known: Format) -> float:
    if known.is_exact:
        return 0.0
    if known.eps is not None:
        return known.eps
    if known.scale is not None and known.group is not None:
        return _block_error(known, known.group)
    if known.kind == "float" and known.bits > 8:
        return _wide_float_error(known)
    if known.kind == "int" and known.bits > _SUMMED_BITS:
        return best_error(lambda top: _fine_error(top, 2 * top / (2**known.bits - 1), known.stochastic))
    levels = _element_levels(known)
    return best_error(lambda top: grid_error(levels * (top / levels[-1]), known.stochastic))


def _element_levels(known: Format) -> Array:
    """The numbers >= 0 of an element's grid, up to a factor; integers at odd halves, as stated above."""
    if known.exponent is not None and known.mantissa is not None:
        grid = float_grid(known.exponent, known.mantissa, known.special)
        return grid[grid >= 0]
    if known.kind == "ternary":
        return np.array([0.0, 1.0])
    return np.arange(2 ** (int(known.bits) - 1)) + 0.5


def _fine_error(top: float, step: float, stochastic: bool) -> float:
    """The error of a uniform grid of small steps: step^2 / 12 (6 when stochastic), and saturation outside."""
    inside = step**2 / (6 if stochastic else 12) * (1 - 2 * ndtr(-top))
    return float(inside + _saturation(top))


def _saturation(top: float) -> float:
    """E[(|x| - top)^2; |x| > top] for x ~ N(0, 1)."""
    density = math.exp(-(top**2) / 2) / math.sqrt(2 * math.pi)
    return float(2 * max((1 + top**2) * ndtr(-top) - top * density, 0.0))


def _wide_float_error(known: Format) -> float:
    """The error of a float at scale 1; for long mantissas step^2 / 12 (6 when stochastic) in each binade."""
    mantissa, top = known.mantissa or 0, min(known.max, 2.0**6)
    normal = max(known.smallest_step * 2.0**mantissa, 2.0**-30)  # below 2^-30 an error weighs 1e-27
    powers = np.exp2(np.arange(math.log2(normal), math.ceil(math.log2(top)) + 1))
    if mantissa <= _SUMMED_MANTISSA:
        fractions = np.arange(2.0**mantissa) / 2.0**mantissa
        levels = np.concatenate([fractions * normal, (powers[:, None] * (1 + fractions)).ravel()])
        return grid_error(levels[levels <= top], known.stochastic)
    edges = powers[powers <= 2 * top]
    steps = np.concatenate([edges[:1], edges[:-1]]) * 2.0**-mantissa
    weights = 2 * np.diff(ndtr(np.concatenate([[0.0], edges])))
    inside = float(np.sum(steps**2 * weights)) / (6 if known.stochastic else 12)
    return inside + _saturation(top)


def _block_error(known: Format, block: int) -> float:
    """The error of an element whose scale is made by the largest of `block` elements.

    The scale is s for every maximum m in (low, high]; one element's share of the error there is
    I_s(high) F(high)^(block-1) - I_s(low) F(low)^(block-1), with F the distribution of |x| and
    I_s(m) = E[(Q_s(x) - x)^2; |x| <= m], because the maximum is below m when all elements are.
    """
    grid = known.grid
    levels = grid[(grid >= 0) & (grid <= known.max)]
    total = 0.0
    for low, high, scale in _scale_pieces(known):
        scaled = levels * scale
        for edge, sign in ((high, 1.0), (low, -1.0)):
            others = float(2 * ndtr(edge) - 1) ** (block - 1)
            total += sign * grid_error(scaled, known.stochastic, edge) * others
    return total


def _scale_pieces(known: Format) -> Iterator[tuple[float, float, float]]:
    """Intervals of the block's largest magnitude, with the scale that each gives."""
    if known.scale == "e8m0":
        largest = math.floor(math.log2(known.max))
        for power in range(-30, 4):
            yield 2.0**power, 2.0 ** (power + 1), 2.0 ** (power - largest)
        return
    scales = float_grid(4, 3, "nan")
    scales = scales[scales > 0]
    edges = np.concatenate([[0.0], (scales[1:] + scales[:-1]) / 2, [math.inf]]) * known.max
    for low, high, scale in zip(edges[:-1], edges[1:], scales, strict=True):
        if low < REACH:
            yield float(low), min(float(high), REACH), float(scale)
