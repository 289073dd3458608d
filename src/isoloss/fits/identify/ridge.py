"""The ridge of a fit: the objective followed along loose constants, out to a limit or a bound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoloss.fits.identify.likelihood import Likelihood
from isoloss.fits.solve import Coordinates, solve
from isoloss.laws import Array, Mask

#: First step as a share of the linear half width, growth of steps, rounds at most, and refinements
#: of a crossing.
FIRST, GROWTH, ROUNDS, FINE = 0.4, 1.8, 40, 2
#: Share of its range by which a constant stops short of a bound towards which the objective falls:
#: the last steps of a walk gain too little to be made.
SHORT = 1e-3


@dataclass(frozen=True)
class Ridge:
    """What walks along loose constants found, the optimum first.

    Attributes
    ----------
    theta
        Points, all else fitted again at each, in the solver's coordinates, shape (R, p).
    statistic
        Twice the rise of the objective there over its scale, shape (R,).
    walk
        Which walk came by, shape (R,): 2 k is that of the k-th loose constant downward, 2 k + 1
        upward, and -1 the optimum.
    bound
        Whether some constant stands at a bound of its search there, on the ridge of the followed
        one or not at the optimum already, shape (R,).
    """

    theta: Array
    statistic: Array
    walk: NDArray[np.intp]
    bound: Mask


@dataclass
class _Walkers:
    """Two walkers a constant, one to each side; each holds its constant and goes outward."""

    index: NDArray[np.intp]
    sign: Array
    theta: Array
    slope: Array
    rise: Array
    step: Array
    wall: Array
    wall_rise: Array
    fine: NDArray[np.intp]
    going: Mask

    @property
    def own(self) -> Array:
        """Where each walker stands in the constant that it holds."""
        return np.asarray(self.theta[np.arange(len(self.index)), self.index])


def follow(found: Likelihood, flagged: list[int], ridges: tuple[int, ...], level: float) -> Ridge:
    """Walk the profile of every flagged constant to both sides, all at once.

    ``ridges`` says which ridge each flagged constant lies on.

    Each walker holds its constant at a value, the others are fitted again from its last point
    moved along the last direction, and steps grow until the rise passes the limit of the level,
    whose crossing is then refined, or until the constant stands at its bound.
    """
    limit = found.limit(level)
    walkers = _begin(found, flagged, level)
    points, rises, walks = [found.theta[None, :]], [np.zeros(1)], [np.array([-1])]
    for _ in range(ROUNDS):
        live = np.flatnonzero(walkers.going)
        if not len(live):
            break
        theta, rise = _advance(found, walkers, live, limit)
        points.append(theta)
        rises.append(rise)
        walks.append(live)
        good = rise <= limit
        _accept(found, walkers, live[good], theta[good], rise[good])
        _refuse(walkers, live[~good], theta[~good], rise[~good])
    theta, walk = np.concatenate(points), np.concatenate(walks)
    at = at_search_bound(found.problem.coordinates, theta)
    # What stands at its bound at the optimum already cuts what lies on its ridge, and nothing else.
    of_walk = np.append(np.repeat(ridges, 2), -1)[walk]
    of_constant = np.full(len(found.theta), -2)
    of_constant[flagged] = ridges
    bound = (at & (~at[0] | (of_constant == of_walk[:, None]))).any(axis=1)
    return Ridge(theta, np.concatenate(rises), walk, bound)


def at_search_bound(coordinates: Coordinates, theta: Array) -> Mask:
    """Which constants of each vector (R, p) stand where only their search ends.

    Zero is no such bound: that of a floor, or of an amplitude that is walked in its logarithm, is
    where the constant itself ends.
    """
    near = SHORT * (coordinates.upper - coordinates.lower)
    natural = np.array([k.scale == "log" or k.lower == 0 for k in coordinates.free])
    low = (theta <= coordinates.lower + near) & ~natural
    return np.asarray(low | (theta >= coordinates.upper - near))


def _begin(found: Likelihood, flagged: list[int], level: float) -> _Walkers:
    coordinates, theta = found.problem.coordinates, found.theta
    index = np.repeat(np.array(flagged, dtype=np.intp), 2)
    span = (coordinates.upper - coordinates.lower)[index]
    own = found.covariance[index, index]
    slope = found.covariance[index] / np.maximum(own, 1e-300)[:, None]
    slope[np.arange(len(index)), index] = 1.0
    logs = np.array([coordinates.free[i].scale == "log" for i in index])
    # A direction that no run sees has no length of its own: steps begin small in what is walked.
    small = np.minimum(0.05 * span, 0.25 * np.maximum(np.abs(theta[index]), 0.2))
    many = len(index)
    return _Walkers(
        index,
        np.tile([-1.0, 1.0], len(flagged)),
        np.tile(theta, (many, 1)),
        slope,
        np.zeros(many),
        np.minimum(FIRST * found.half(level)[index], np.where(logs, 0.5, small)),
        np.full(many, np.nan),
        np.full(many, np.nan),
        np.zeros(many, dtype=np.intp),
        np.ones(many, dtype=bool),
    )


def _advance(
    found: Likelihood, w: _Walkers, live: NDArray[np.intp], limit: float
) -> tuple[Array, Array]:
    """The next point of each live walker, all else fitted again, and its rise."""
    problem = found.problem
    coordinates = problem.coordinates
    rows, i = np.arange(len(live)), w.index[live]
    at = w.own[live]
    ahead = at + w.sign[live] * w.step[live]
    ahead = np.where(np.isfinite(w.wall[live]), _crossing(w, limit)[live], ahead)
    ahead = np.clip(ahead, coordinates.lower[i], coordinates.upper[i])
    start = w.theta[live] + w.slope[live] * (ahead - at)[:, None]
    start = np.clip(start, coordinates.lower, coordinates.upper)
    still = w.theta[live].copy()
    start[rows, i] = still[rows, i] = ahead
    # A straight step may leave the law's domain, or be worse than moving the constant alone.
    start = np.where((problem.value(start) <= problem.value(still))[:, None], start, still)
    lower, upper = (
        np.tile(edge, (len(live), 1)) for edge in (coordinates.lower, coordinates.upper)
    )
    lower[rows, i] = upper[rows, i] = ahead
    ends = solve(problem, start, tolerance=1e-6, max_steps=60, bounds=(lower, upper))
    return ends.theta, found.statistic(ends.value)


def _accept(
    found: Likelihood, w: _Walkers, live: NDArray[np.intp], theta: Array, rise: Array
) -> None:
    """Walkers whose point is inside the region go there, and on from it with a longer step."""
    coordinates = found.problem.coordinates
    i = w.index[live]
    ahead = theta[np.arange(len(live)), i]
    moved = ahead - w.own[live]
    far = np.abs(moved) > 1e-12
    slope = (theta - w.theta[live]) / np.where(far, moved, 1.0)[:, None]
    w.slope[live] = np.where(far[:, None], slope, w.slope[live])
    w.theta[live], w.rise[live] = theta, rise
    w.step[live] *= GROWTH
    w.fine[live] += np.isfinite(w.wall[live])
    edge = np.where(w.sign[live] < 0, ahead <= coordinates.lower[i], ahead >= coordinates.upper[i])
    w.going[live] = ~edge & (w.fine[live] < FINE) & far


def _refuse(w: _Walkers, live: NDArray[np.intp], theta: Array, rise: Array) -> None:
    """Walkers whose point is outside stay, and look between there and here."""
    w.wall[live] = theta[np.arange(len(live)), w.index[live]]
    w.wall_rise[live] = rise
    w.fine[live] += 1
    w.going[live] = w.fine[live] <= FINE


def _crossing(w: _Walkers, limit: float) -> Array:
    """Where the rise passes the limit between a walker and its wall, by its square root."""
    low, high = (np.sqrt(np.maximum(v, 0.0)) for v in (w.rise, w.wall_rise))
    with np.errstate(all="ignore"):
        share = (np.sqrt(limit) - low) / np.maximum(high - low, 1e-300)
    # A wall outside the law's domain, where the rise is infinite, is halved towards.
    share = np.where(np.isfinite(w.wall_rise), np.clip(share, 0.02, 0.98), 0.5)
    return np.asarray(w.own + share * (w.wall - w.own))
