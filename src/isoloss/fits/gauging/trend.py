"""Where a gap that is watched would cross a limit: its blocks continued along tokens."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from isoloss.fits.gauging.sequential import inflation
from isoloss.laws import Array

#: The share of the tokens so far that is left out at the begin, and how far is looked ahead.
SETTLING, AHEAD = 0.1, 10.0
#: Blocks below which nothing is continued.
LEAST = 6
#: Points of tokens that are looked at.
GRID = 2000


@dataclass(frozen=True)
class Crossing:
    """The tokens at which a gap crosses a limit.

    Attributes
    ----------
    limit
        The gap, nats per token.
    tokens
        Where the trend crosses it; infinite where it does not within `until`.
    low, high
        Ends of the interval, infinite where it does not within `until`.
    since, until
        The tokens between which it was looked for: what is crossed at `since` lay above the limit
        before.
    """

    limit: float
    tokens: float
    low: float
    high: float
    since: float
    until: float


def crossing(
    tokens: Array,
    means: Array,
    rows: Array,
    limit: float,
    level: float,
    shape: Callable[[Array], Array] | None = None,
) -> Crossing | None:
    """Where block means of a gap, continued, cross a limit from below; None with too few blocks.

    Parameters
    ----------
    tokens, means, rows
        Middle, mean and count of rows of each block, shape (blocks,).
    limit
        The gap.
    level
        Coverage of the pointwise band whose crossings are the ends, 0.9 = 90%.
    shape
        The gap by tokens up to a factor, which is fitted; a line in the logarithm of tokens where
        it is None. Squares are weighted by rows, errors widened for correlated blocks.
    """
    used = tokens > SETTLING * tokens[-1]
    if int(used.sum()) < LEAST:
        return None
    x, y, weight = _basis(tokens[used], shape), means[used], np.sqrt(rows[used])
    if np.linalg.matrix_rank(x * weight[:, None]) < x.shape[1]:
        return None
    inverse = np.linalg.inv((x * rows[used][:, None]).T @ x)
    values = inverse @ ((x * rows[used][:, None]).T @ y)
    rest = (y - x @ values) * weight
    freedom = len(y) - x.shape[1]
    variance = float(rest @ rest) / freedom * inflation(rest)
    until = AHEAD * float(tokens[-1])
    grid = np.geomspace(tokens[used][0], until, GRID)
    at = _basis(grid, shape)
    spread = np.sqrt(variance * np.einsum("ij,jk,ik->i", at, inverse, at))
    reach = float(stats.t.ppf((1 + level) / 2, freedom)) * spread
    line = at @ values
    middle, low, high = (_first(grid, each >= limit) for each in (line, line + reach, line - reach))
    return Crossing(limit, middle, low, high, float(grid[0]), until)


def _basis(tokens: Array, shape: Callable[[Array], Array] | None) -> Array:
    if shape is not None:
        return np.asarray(shape(tokens))[:, None]
    return np.stack([np.ones(len(tokens)), np.log(tokens)], axis=1)


def _first(grid: Array, above: Array) -> float:
    return float(grid[int(above.argmax())]) if above.any() else math.inf
