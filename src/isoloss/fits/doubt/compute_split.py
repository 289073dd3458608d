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
    best = [
        np.array([_best(coordinates, row[None, :], f, group) for row in theta])
        for f in (flop / 2, flop, flop * 2)
    ]
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


def _best(coordinates: Coordinates, theta: Array, flop: float, group: str | None) -> float:
    """Log params of least loss at a budget."""
    params = np.exp(GRID)
    levels = Levels((Level(Precision.parse("fp")),))
    zeros = np.zeros(len(GRID), dtype=np.intp)
    groups = (group,) if group is not None else ()
    x = Inputs(
        params,
        flop / (6 * params),
        levels,
        zeros,
        flop / (6 * params),
        groups,
        zeros if groups else zeros[:0],
    )
    with np.errstate(all="ignore"):
        loss = np.broadcast_to(
            plain(coordinates.law.formula.loss(coordinates.constants(theta), x)), (1, len(GRID))
        )[0]
    k = int(np.argmin(np.where(np.isfinite(loss), loss, np.inf)))
    if k in (0, len(GRID) - 1):
        return float("nan")
    before, at, after = loss[k - 1 : k + 2]
    bend = before - 2 * at + after
    shift = 0.5 * (before - after) / bend if bend > 0 else 0.0
    return float(GRID[k] + np.clip(shift, -1, 1) * (GRID[1] - GRID[0]))
