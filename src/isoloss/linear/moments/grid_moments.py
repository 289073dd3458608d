"""Moments of a normal variable and its rounding to a real grid, exact: sums of partial moments over
the cells.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isoloss.linear.moments.partial_moments import partial_moments

Array = NDArray[np.float64]
#: Standard deviations of x beyond which a cell is left out (all but the first cells outside), and
#: the share of one below which the finest numbers of a float are.
REACH = 10.0
DEPTH = 1e-9
#: A point mass is taken as a normal with a deviation of so many times the mean and the first step,
#: so that one formula serves.
POINT = 1e-12
CHUNK = 1_000_000


class Moments(NamedTuple):
    """h = E u^2, f = E u^4, g = E u x, t = E u^3 x, b = E u^2 x^2 of x and its rounding u, each
    (n,).
    """

    h: Array
    f: Array
    g: Array
    t: Array
    b: Array


def symmetric_moments(levels: Array, stochastic: bool, sd: Array) -> Moments:
    """The five moments of x ~ N(0, sd^2) and u, its rounding to the grid of +-levels (ascending
    from 0).

    Nearest, or stochastic between neighbours; both saturate at the largest number. Source: derived.
    """
    # Half of the line is enough; the cell around zero is cut there.
    # Even moments of a symmetric grid and a symmetric density: twice those of x > 0.
    sums = _cell_sums(levels, stochastic, np.zeros_like(sd), sd)
    return Moments(*(2 * each for each in sums[1:]))


def rounded_moments(
    levels: Array, stochastic: bool, mean: Array, sd: Array
) -> tuple[Array, Array, Array]:
    """(E u, E u^2, E u x) for x ~ N(mean, sd^2) and its rounding u to the grid of +-levels; sd may
    be 0.
    """
    mean_u, h, _, g, _, _ = signed_sums(levels, stochastic, mean, sd)
    return mean_u, h, g


def signed_sums(levels: Array, stochastic: bool, mean: Array, sd: Array) -> list[Array]:
    """E u, E u^2, E u^4, E u x, E u^3 x, E u^2 x^2 for x ~ N(mean, sd^2) and u, its rounding."""
    # A mean other than zero breaks the symmetry: all levels, ascending, with their signs.
    signed = np.concatenate([-levels[:0:-1], levels])
    tiny = POINT * (np.abs(mean) + levels[1])
    return _cell_sums(signed, stochastic, mean, np.maximum(sd, tiny))


def _cell_sums(levels: Array, stochastic: bool, mean: Array, sd: Array) -> list[Array]:
    """E u, E u^2, E u^4, E u x, E u^3 x, E u^2 x^2 over the cells of ascending levels; x above
    levels[0] where that is 0."""
    # Cells that hold mass: within REACH deviations of the mean, and not below DEPTH of one.
    half = levels[0] == 0
    first = (
        np.searchsorted(levels, mean - REACH * sd)
        if not half
        else np.searchsorted(levels, DEPTH * sd)
    )
    last = np.searchsorted(levels, mean + REACH * sd)
    first = np.clip(first - 2, 0, len(levels) - 1)
    last = np.clip(last + 2, 1, len(levels))
    # Ragged: every row (a feature) has cells of its own, laid out one after the other and summed by
    # reduceat.
    counts = last - first
    out = [np.zeros(len(sd)) for _ in range(6)]
    for rows in _chunks(counts):
        at = first[rows].repeat(counts[rows]) + _ramps(counts[rows])
        pieces = _pieces(levels, stochastic, half, at, np.repeat(rows, counts[rows]), mean, sd)
        starts = np.concatenate([[0], np.cumsum(counts[rows])[:-1]])
        for total, piece in zip(out, pieces, strict=True):
            total[rows] = np.add.reduceat(piece, starts)
    return out


def _pieces(
    levels: Array,
    stochastic: bool,
    half: bool,
    at: NDArray[np.intp],
    row: NDArray[np.intp],
    mean: Array,
    sd: Array,
) -> list[Array]:
    """The share of each level (nearest) or of the cell above it (stochastic) in the six moments."""
    low, high, u = _edges(levels, stochastic, half)
    i0, i1, i2, i3 = partial_moments(low[at], high[at], mean[row], sd[row])
    # Nearest: u is the level on its cell, so E u^j x^k is a^j times the k-th partial moment.
    a = u[at]
    if not stochastic:
        return [a * i0, a**2 * i0, a**4 * i0, a * i1, a**3 * i1, a**2 * i2]
    b = np.append(levels[1:], levels[-1])[
        at
    ]  # the last cell saturates: both ends are the last level
    end = at == len(levels) - 1
    # Stochastic between a and b: E u = x, and E u^j at x is linear in x, with weights (b - x) / (b
    # - a) and (x - a) / (b - a): divided differences of a^j and b^j.
    line = [
        i1,
        (a + b) * i1 - a * b * i0,
        (a + b) * (a * a + b * b) * i1 - a * b * (a * a + a * b + b * b) * i0,
        i2,
        (a * a + a * b + b * b) * i2 - a * b * (a + b) * i1,
        (a + b) * i3 - a * b * i2,
    ]
    flat = [a * i0, a**2 * i0, a**4 * i0, a * i1, a**3 * i1, a**2 * i2]
    pieces = [np.where(end, f, g) for f, g in zip(flat, line, strict=True)]
    if not half:  # what lies below the lowest level of a signed grid saturates as well
        below = np.flatnonzero(at == 0)
        j0, j1, j2, _ = partial_moments(
            np.full(len(below), -math.inf), levels[at[below]], mean[row[below]], sd[row[below]]
        )
        c = levels[0]
        for piece, more in zip(
            pieces, (c * j0, c**2 * j0, c**4 * j0, c * j1, c**3 * j1, c**2 * j2), strict=True
        ):
            piece[below] += more
    return pieces


def _edges(levels: Array, stochastic: bool, half: bool) -> tuple[Array, Array, Array]:
    """Lower and upper end of each level's cell, and the level."""
    if stochastic:
        return levels, np.append(levels[1:], math.inf), levels
    middles = (levels[1:] + levels[:-1]) / 2
    start = 0.0 if half else -math.inf
    return np.concatenate([[start], middles]), np.append(middles, math.inf), levels


def _ramps(counts: NDArray[np.intp]) -> NDArray[np.intp]:
    """0, 1, ..., count - 1 for each count, one after the other."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1]) - np.repeat(ends - counts, counts)


def _chunks(counts: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Rows in runs of about CHUNK cells."""
    cuts = np.flatnonzero(np.diff(np.cumsum(counts) // CHUNK)) + 1
    return np.split(np.arange(len(counts)), cuts)
