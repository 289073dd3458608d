"""Greedy D/c-optimal design with Fedorov exchange, averaged over bootstrap replicates.

**The criterion.** A run whose log loss has slopes j by the constants, in units of the noise, adds j
j' to the information M about them. The variance of a quantity with slopes c is c' M^-1 c, and a
design is good where it is small (c-optimality). The slopes depend on the constants, which the runs
are there to find, so several bootstrap replicates of the law each have their own M, j and c, and
the mean of log variance over them is made small: the geometric mean of the widths. Without c it is
the volume of all constants that is made small, -log det M (D-optimality).

**The search.** Runs are bought one by one by the decrease of the criterion over a power of the
cost: the power one favours many cheap runs, zero a few that say much, and neither is right for
every budget, so that several are tried. Each is then mended by exchange, a bought run for another
that the budget allows, until no exchange helps. Adding and removing a run change M by one outer
product, so that M^-1 follows without another inversion (Sherman and Morrison). Reference: Fedorov
1972, Theory of optimal experiments, chapter 3; Chaloner and Verdinelli 1995, Statistical Science
10, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isoloss.laws import Array

#: Powers of the cost by which the fall of the criterion is divided, one greedy design each.
POWERS = (0.0, 0.25, 0.5, 1.0)
#: Decreases of the criterion (log variance) below this count as none; rounds of exchange at most.
LEAST, ROUNDS = 1e-6, 400

Counts = NDArray[np.intp]


@dataclass(frozen=True)
class DesignProblem:
    """What K bootstrap replicates, with p constants, say of m candidate runs.

    Attributes
    ----------
    known
        Information of the runs there are, (K, p, p).
    slopes
        Of the log loss of the candidates by the constants, in units of noise, (K, m, p).
    aims
        Slopes of the quantity that is to be learned, (K, p); None for all constants (D-optimality).
    weights
        Of the replicates, (K,), which add up to one; None where they count alike.
    """

    known: Array
    slopes: Array
    aims: Array | None
    weights: Array | None = None

    def inverse(self, counts: Array | Counts) -> Array:
        """M^-1 once each candidate was run so many times, (K, p, p)."""
        ran = np.flatnonzero(counts)
        some = self.slopes[:, ran, :]
        return np.asarray(
            np.linalg.inv(self.known + (some * counts[ran, None]).transpose(0, 2, 1) @ some)
        )

    def shrunk(self, counts: Array | Counts) -> float:
        """Width of the aims' interval after runs over before, geometric mean over replicates."""
        before, after = (self.score(self.inverse(c)) for c in (np.zeros_like(counts), counts))
        return float(np.exp(0.5 * (after - before)))

    def score(self, inverse: Array) -> float:
        """The criterion: the mean log variance of the aims, or of log volume without them."""
        if self.aims is None:
            return float(self._mean(np.linalg.slogdet(inverse)[1]))
        return float(self._mean(np.log(self._variance(inverse))))

    def added(self, inverse: Array) -> Array:
        """The criterion after one more run of each candidate, (m,)."""
        spread = self.slopes @ inverse
        lever = 1.0 + (spread * self.slopes).sum(-1)
        if self.aims is None:
            return self._mean(np.linalg.slogdet(inverse)[1][:, None] - np.log(lever))
        along = (spread @ self.aims[:, :, None])[:, :, 0]
        return self._mean(np.log(self._variance(inverse)[:, None] - along**2 / lever))

    def plus(self, inverse: Array, run: int, sign: float = 1.0) -> Array:
        """M^-1 after one more (sign -1: one less) run of a candidate."""
        one = self.slopes[:, run, :]
        spread = (inverse @ one[:, :, None])[:, :, 0]
        lever = 1.0 + sign * (spread * one).sum(-1)
        return np.asarray(
            inverse - sign * spread[:, :, None] * spread[:, None, :] / lever[:, None, None]
        )

    def _mean(self, values: Array) -> Array:
        """The mean over replicates, by their weights."""
        if self.weights is None:
            return np.asarray(values.mean(0))
        return np.asarray(self.weights @ values)

    def _variance(self, inverse: Array) -> Array:
        assert self.aims is not None
        return np.asarray(np.einsum("kp,kpq,kq->k", self.aims, inverse, self.aims))


@dataclass(frozen=True)
class Limits:
    """The cost of each candidate (m,), and the most that all runs may cost and number."""

    cost: Array
    most: float
    runs: int
    repeats: int

    def open(self, counts: Counts) -> NDArray[np.bool_]:
        """The candidates of which one more is allowed."""
        room = self.most * (1 + 1e-12) - float(counts @ self.cost)
        return (self.cost <= room) & (counts < self.repeats) & bool(counts.sum() < self.runs)


def best_design(problem: DesignProblem, limits: Limits) -> Counts:
    """How often to run each candidate, (m,): the best of several greedy designs, each exchanged."""
    nothing = np.zeros(len(limits.cost), dtype=np.intp)
    found = [_from(problem, limits, nothing, power) for power in POWERS]
    if not any(counts.any() for counts in found):
        # No single run narrows the aims, and several together may: begin with as many as there are
        # constants, those that say most of all of them.
        constants = problem.known.shape[-1]
        few = replace(limits, runs=min(limits.runs, constants))
        start = greedy(replace(problem, aims=None), few, nothing, 1.0)
        found += [_from(problem, limits, start, power) for power in POWERS]
    return min(found, key=lambda counts: problem.score(problem.inverse(counts)))


def _from(problem: DesignProblem, limits: Limits, start: Counts, power: float) -> Counts:
    """A start with runs added one by one, and exchanged."""
    return exchanged(problem, limits, greedy(problem, limits, start, power))


def greedy(problem: DesignProblem, limits: Limits, counts: Counts, power: float) -> Counts:
    """The counts with runs added one by one: the largest decrease over cost^power first."""
    counts = counts.copy()
    inverse = problem.inverse(counts)
    worth = (limits.cost / limits.most) ** -power
    while (allowed := limits.open(counts)).any():
        fall = np.where(allowed, (problem.score(inverse) - problem.added(inverse)) * worth, -np.inf)
        best = int(np.argmax(fall))
        if fall[best] <= LEAST * worth[best]:
            break
        counts[best] += 1
        inverse = problem.plus(inverse, best)
    return counts


def exchanged(problem: DesignProblem, limits: Limits, counts: Counts) -> Counts:
    """The counts after exchanges of one run for another, the best first, until none helps."""
    for _ in range(ROUNDS):
        inverse = problem.inverse(counts)
        now, best = problem.score(inverse), None
        for out in np.flatnonzero(counts):
            fewer = counts.copy()
            fewer[out] -= 1
            after = np.where(
                limits.open(fewer), problem.added(problem.plus(inverse, int(out), -1.0)), np.inf
            )
            into = int(np.argmin(after))
            if after[into] < now - LEAST:
                now, best = float(after[into]), (int(out), into)
        if best is None:
            break
        counts = counts.copy()
        counts[best[0]] -= 1
        counts[best[1]] += 1
        counts = greedy(problem, limits, counts, 0.5)
    return counts
