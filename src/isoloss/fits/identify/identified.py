"""What the runs can tell of each constant, and the ridge along which they cannot: a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from isoloss.fits.arguments import FitError
from isoloss.laws import Array, Mask

#: What an answer may move along a ridge that a bound cuts before it is withheld: a log loss, so
#: many times the spread of the residuals; an exponent; the logarithm of a count.
NOISES, EXPONENT, COUNT = 4.0, 0.1, float(np.log(1.5))
#: What a constant that ends at zero may be and still count as zero.
ZERO = 1e-9


@dataclass(frozen=True)
class Along:
    """Where the ridge takes n answers.

    Attributes
    ----------
    low, high
        Ends of each answer over the region, shape (n,); NaN where it is not defined there.
    moved
        Which answers move along a part of the ridge that only a bound ends, shape (n,): the runs
        do not tell them.
    """

    low: Array
    high: Array
    moved: Mask


#: Share of the weight of laws that moves an answer from which it is not told.
SHARE = 0.5


def join_ridges(ridges: Sequence[tuple[float, Along]], level: float) -> Along:
    """Where the ridges of several laws, with their weights, take the average of n answers.

    Laws below the share that an interval leaves out at a side do not reach its ends, and an answer
    is not told where laws of half the weight or more move it.
    """
    heard = [each for weight, each in ridges if weight > (1 - level) / 2] or [ridges[0][1]]
    return Along(
        np.fmin.reduce([each.low for each in heard]),
        np.fmax.reduce([each.high for each in heard]),
        np.sum([weight * each.moved for weight, each in ridges], axis=0) >= SHARE,
    )


@dataclass(frozen=True)
class Identified:
    """Which constants the runs hold, and points of the ridge along which they do not.

    Attributes
    ----------
    followed
        Constants that the Jacobian flags and whose profile was followed; the others are held.
    theta
        Points of those profiles, all else fitted again, in the solver's coordinates, shape (R, p),
        the optimum first; none where nothing was flagged.
    values
        The followed constants there, in their own units, shape (R, len(followed)).
    statistic
        Twice the rise of the objective there over its scale, F of 1 and ``left``, shape (R,).
    walk
        The walk of each point, shape (R,): 2 k of the k-th followed constant downward, 2 k + 1
        upward, -1 the optimum and others as good.
    bound
        Whether some constant stands at a bound of its search there, shape (R,).
    ridges
        The ridge that each followed constant lies on, a number from 0: those that move together.
    left
        Degrees of freedom that the constants leave; with none the runs hold nothing.
    level
        The level to which walks were followed.
    noise
        Spread of the residuals of log loss.
    cause
        On what the constants that are not held rest, in words; empty where all are held.
    remedy
        Two runs that would tell them apart, in words.
    """

    followed: tuple[str, ...] = ()
    theta: Array = field(default_factory=lambda: np.zeros((0, 0)))
    values: Array = field(default_factory=lambda: np.zeros((0, 0)))
    statistic: Array = field(default_factory=lambda: np.zeros(0))
    walk: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, dtype=np.intp))
    bound: Mask = field(default_factory=lambda: np.zeros(0, dtype=bool))
    ridges: tuple[int, ...] = ()
    left: int = 1
    level: float = 0.9
    noise: float = 0.0
    cause: str = ""
    remedy: str = ""

    def inside(self, level: float) -> Mask:
        """Which points lie in the likelihood region of a level, shape (R,)."""
        if not self.left:
            return np.ones(len(self.statistic), dtype=bool)
        return np.asarray(self.statistic <= self._limit(level) * (1 + 1e-9))

    def cut(self, level: float) -> Mask:
        """Which points lie on a ridge that a bound ends inside the region, shape (R,)."""
        if not self.left:
            return np.ones(len(self.walk), dtype=bool)
        ridge = np.append(np.array(self.ridges, dtype=np.intp), -1)[self.walk // 2]
        ends = [k for k in range(2 * len(self.followed)) if self._meets_bound(k, level)]
        return np.isin(ridge, [self.ridges[k // 2] for k in ends])

    def profile(self, name: str, level: float) -> tuple[float, float]:
        """Ends of the profile interval of a followed constant; infinite where it meets a bound.

        Raises FitError for a constant that was not followed.
        """
        if name not in self.followed:
            raise FitError(f"constant {name!r} was not followed; followed were {self.followed}")
        if not self.left:
            return -np.inf, np.inf
        k = self.followed.index(name)
        low, high = self._end(2 * k, k, level), self._end(2 * k + 1, k, level)
        # Where another walk or optimum went beyond an end, that end is not the region's.
        others = self.values[self.inside(level), k]
        near = 0.01 * np.ptp(others)
        low = low if others.min() >= low - near else -np.inf
        high = high if others.max() <= high + near else np.inf
        # That a floor or an amplitude is not below zero needs no run.
        return (-np.inf if 0 <= low <= ZERO and np.isinf(high) else low), high

    def not_held(self, level: float) -> tuple[str, ...]:
        """Constants whose profile interval is open to a side."""
        return tuple(
            name for name in self.followed if not np.isfinite(self.profile(name, level)).all()
        )

    def along(self, answers: Array, level: float, least: float) -> Along:
        """How far answers, (R, n) at the points, move over the region of a level.

        ``least`` is what an answer may move along a cut walk and still be told.
        """
        within, cut = self.inside(level), self.cut(level)
        known = np.where(np.isfinite(answers), answers, np.nan)
        spread = known[within & (cut | (self.walk < 0))]
        with np.errstate(all="ignore"):
            low, high = (f.reduce(known[within]) for f in (np.fmin, np.fmax))
            # Without a degree of freedom nothing says how far an answer may move.
            moved = ~(spread.max(axis=0) - spread.min(axis=0) <= least) | (not self.left)
        return Along(low, high, np.asarray(moved & cut.any()))

    def of_exponents(self, answers: Array, level: float) -> Along:
        """As ``along``, for exponents."""
        return self.along(answers, level, EXPONENT)

    def of_counts(self, logs: Array, level: float) -> Along:
        """As ``along``, for logs of params or tokens."""
        return self.along(logs, level, COUNT)

    def of_losses(self, logs: Array, level: float) -> Along:
        """As ``along``, for log losses."""
        return self.along(logs, level, NOISES * self.noise)

    def of_gaps(self, gaps: Array, loss: float, level: float) -> Along:
        """As ``along``, for gaps in a loss."""
        return self.along(gaps, level, NOISES * self.noise * loss)

    def _limit(self, level: float) -> float:
        return float(stats.f.ppf(level, 1, self.left))

    def _meets_bound(self, walk: int, level: float) -> bool:
        """Whether a walk comes to a bound inside the region, or leaves it because of one."""
        rows = np.flatnonzero(self.walk == walk)
        inside = self.inside(level)[rows]
        beyond = rows[~inside]
        near = beyond[np.argsort(self.statistic[beyond])[:1]]
        return bool(self.bound[rows[inside]].any() or self.bound[near].any())

    def _end(self, walk: int, k: int, level: float) -> float:
        """Where the root of the rise on a walk crosses that of the limit."""
        rows = self.walk == walk
        if self._meets_bound(walk, level):
            return -np.inf if walk % 2 == 0 else np.inf
        own = np.append(self.values[0, k], self.values[rows, k])
        root = np.sqrt(np.maximum(np.append(0.0, self.statistic[rows]), 0.0))
        limit = np.sqrt(self._limit(level))
        last = int(np.argmax(np.where(root <= limit, np.abs(own - own[0]), -1.0)))
        beyond = np.flatnonzero((root > limit) & np.isfinite(root))
        if not len(beyond):
            # A walk that was followed to a lower level goes on as it came; others ended at zero.
            went_on = root[last] > 0.98 * np.sqrt(self._limit(self.level))
            return float(own[0] + (limit / root[last] if went_on else 1.0) * (own[last] - own[0]))
        first = int(beyond[np.argmin(np.abs(own[beyond] - own[0]))])
        share = (limit - root[last]) / (root[first] - root[last])
        return float(own[last] + share * (own[first] - own[last]))
