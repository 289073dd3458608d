"""The mean squared error of rounding a random variable to a grid, by quadrature."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from isoloss.formats.errors.distributions import NORMAL, Array, Distribution
from isoloss.formats.modifiers import Rounding

_NODES, _WEIGHTS = (
    np.polynomial.legendre.leggauss(10)[row] / 2 for row in (0, 1)
)  # on (-1/2, 1/2)


def grid_error(
    levels: Array,
    rounding: Rounding | None = None,
    limit: float = math.inf,
    x: Distribution = NORMAL,
) -> float:
    """E[(Q(x) - x)^2; |x| <= limit] for a symmetric grid.

    `levels` are the grid's numbers >= 0, ascending, and before them the neighbour below zero where
    that is not the mirror image of the first. Gauss-Legendre with 10 nodes on every piece where the
    rounded value is one number.
    """
    limit = min(limit, x.reach)
    # Between two cuts the rounded value is one number, so the integrand is smooth there.
    middles = (levels[1:] + levels[:-1]) / 2
    cuts = np.concatenate([[0.0, limit], levels, middles, np.arange(0.0, x.reach, 0.5)])
    cuts = np.unique(cuts[(cuts >= 0) & (cuts <= limit)])
    widths = np.diff(cuts)
    centres = cuts[:-1] + widths / 2
    nodes = centres[:, None] + widths[:, None] * _NODES
    squares = _squares(levels, middles, centres, nodes, rounding)
    return float(np.sum(widths[:, None] * _WEIGHTS * squares * x.density(nodes)))


def two_sided_error(
    sides: Sequence[Array], rounding: Rounding | None, limit: float, x: Distribution
) -> float:
    """`grid_error` where the numbers above zero and the magnitudes below it differ: the mean of
    both."""
    return float(np.mean([grid_error(levels, rounding, limit, x) for levels in sides]))


def best_error(error_at: Callable[[float], float]) -> float:
    """The smallest error over the scale, where `error_at` takes the largest number of the scaled
    grid.

    Floats have a local best in every octave, so the scale is scanned before it is refined.
    """
    from scipy.optimize import (
        minimize_scalar,
    )  # formats are read everywhere, errors computed seldom

    # 24 scales an octave, from half a standard deviation to far outside any of them.
    tops = np.geomspace(0.5, 64.0, 169)
    at = int(np.argmin([error_at(top) for top in tops[:-1]]))
    bounds = (tops[max(at - 1, 0)], tops[at + 1])
    found = minimize_scalar(error_at, bounds=bounds, method="bounded", options={"xatol": 1e-9})
    return float(found.fun)


def fine_error(top: float, step: float, rounding: Rounding | None, x: Distribution) -> float:
    """The error of a uniform grid of small steps: step^2 / 12 (6 when stochastic), and saturation
    outside."""
    return float(step**2 / (6 if rounding == "sr" else 12) * x.below(top)) + saturation(top, x)


def saturation(top: float, x: Distribution) -> float:
    """E[(|x| - top)^2; |x| > top]."""
    if top >= x.reach:
        return 0.0
    cuts = np.linspace(top, x.reach, 2 * math.ceil(x.reach - top) + 1)
    nodes = (cuts[1:] + cuts[:-1])[:, None] / 2 + np.diff(cuts)[:, None] * _NODES
    return float(np.sum(np.diff(cuts)[:, None] * _WEIGHTS * (nodes - top) ** 2 * x.density(nodes)))


def integral(of: Callable[[float], float], low: float, high: float, width: float) -> float:
    """The integral of a smooth function, ten nodes on every piece of at most `width`."""
    cuts = np.linspace(low, high, math.ceil((high - low) / width) + 1)
    pairs = zip(cuts[:-1], np.diff(cuts), strict=True)
    return float(
        sum(
            h * w * of(a + h / 2 + h * t)
            for a, h in pairs
            for t, w in zip(_NODES, _WEIGHTS, strict=True)
        )
    )


def _squares(
    levels: Array, middles: Array, centres: Array, nodes: Array, rounding: Rounding | None
) -> Array:
    """E[(Q(x) - x)^2 | x] at the nodes of each piece."""
    squares: Array
    if rounding == "sr":
        # Below the smallest positive level of a grid without zero, the lower neighbour is its
        # mirror image.
        ladder = levels if levels[0] < 0 else np.concatenate([[-levels[0]], levels])
        above = np.clip(np.searchsorted(ladder, centres), 1, len(ladder) - 1)
        squares = (nodes - ladder[above - 1, None]) * (ladder[above, None] - nodes)
        squares = np.where(centres[:, None] > levels[-1], (nodes - levels[-1]) ** 2, squares)
    elif rounding == "dither":
        step = levels[-1] - levels[-2] if len(levels) > 1 else 2 * levels[-1]
        squares = step**2 / 12 + np.maximum(nodes - levels[-1], 0.0) ** 2
    else:
        squares = (nodes - levels[np.searchsorted(middles, centres), None]) ** 2
    return squares
