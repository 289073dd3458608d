"""How a law splits compute: params and tokens of least loss at a budget, and their exponent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isoloss.fits.solve import Coordinates
from isoloss.formats import Precision
from isoloss.laws import Array, Inputs, Level, Levels, plain

#: Fineness and reach of the search grid in log params; a parabola through the best three points
#: refines it.
GRID = np.arange(np.log(1e3), np.log(1e16), 0.02)
#: Vectors of constants asked at once, so that the arrays of a grid stay in the processor's cache.
ROWS = 32


@dataclass(frozen=True)
class ComputeSplit:
    """Compute-optimal params and tokens at a budget, over draws.

    Attributes
    ----------
    flop
        The budget, 6 N D FLOPs.
    params, tokens
        Counts of least loss, shape (S,).
    exponent
        d log N / d log C there, shape (S,).
    told
        Whether the runs tell the counts: False where these move by more than half along a ridge
        that only a bound ends.
    """

    flop: float
    params: Array
    tokens: Array
    exponent: Array
    told: bool = True


def split_compute(
    coordinates: Coordinates, theta: Array, flop: float, group: str | None = None
) -> ComputeSplit:
    """The compute-optimal split at the reference precision for each of many constants (S, p).

    NaN where the edge of the grid is best: no optimum inside 1e3 to 1e16 params.
    """
    levels = Levels((Level(Precision.parse("fp")),))
    rows = [theta[k : k + ROWS] for k in range(0, len(theta), ROWS)]
    best = []
    for budget in (flop / 2, flop, flop * 2):
        x = _inputs(budget, levels, group)
        found = [_best(coordinates, each, x) for each in rows]
        best.append(np.concatenate(found) if found else np.zeros(0))
    exponent = (best[2] - best[0]) / np.log(4.0)
    params = np.exp(best[1])
    return ComputeSplit(flop, params, flop / (6 * params), exponent)


def exponent_by_form(
    coordinates: Coordinates, theta: Array, flop: float, group: str | None = None
) -> bool:
    """Whether the form of a law allows one exponent only, as with alpha = beta.

    Constants (p,) are moved at random by a fifth, or a factor of e where they span decades: the
    exponent then stays to 1e-3.
    """
    free = coordinates.free
    logs = np.array([k.scale == "log" for k in free])
    shift = np.random.default_rng(0).uniform(-1.0, 1.0, (6, len(free)))
    moved = theta + shift * np.where(logs, 1.0, 0.2 * np.abs(theta))
    moved = np.clip(moved, coordinates.lower, coordinates.upper)
    found = split_compute(coordinates, moved, flop, group).exponent
    found = found[np.isfinite(found)]
    return bool(len(found) > 1 and np.ptp(found) < 1e-3)


def _best(coordinates: Coordinates, theta: Array, x: Inputs) -> Array:
    """Log params of least loss among inputs of one budget, for each of many constants (S, p)."""
    with np.errstate(all="ignore"):
        loss = coordinates.law.formula.loss(coordinates.constants(theta), x)
    loss = np.broadcast_to(plain(loss), (len(theta), len(GRID)))
    k = np.argmin(np.where(np.isfinite(loss), loss, np.inf), axis=1)
    inside = (k > 0) & (k < len(GRID) - 1)
    near = np.clip(k, 1, len(GRID) - 2)
    before, at, after = (loss[np.arange(len(k)), near + step] for step in (-1, 0, 1))
    with np.errstate(all="ignore"):
        bend = before - 2 * at + after
        shift = np.where(bend > 0, 0.5 * (before - after) / bend, 0.0)
    found = GRID[near] + np.clip(shift, -1, 1) * (GRID[1] - GRID[0])
    return np.where(inside, found, np.nan)


def _inputs(flop: float, levels: Levels, group: str | None) -> Inputs:
    """The grid of params at a budget, at the reference."""
    params = np.exp(GRID)
    zeros = np.zeros(len(GRID), dtype=np.intp)
    groups = (group,) if group is not None else ()
    tokens = flop / (6 * params)
    return Inputs(params, tokens, levels, zeros, tokens, groups, zeros if groups else zeros[:0])
