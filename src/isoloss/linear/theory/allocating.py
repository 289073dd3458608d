"""The joint choice of model size, samples, format and step size under an allowance, on exact risk.

Every precision is tried at sizes evenly spaced in the logarithm, each with all the samples that the
allowance leaves and at several shares of the stability limit; the best candidate is then refined
twice. The model sees the first M coordinates of the problem, a deterministic stand-in for a random
sketch, whose eigenvalues have the same order i^-a (Lin et al. 2024, 2406.08466), or with
model='sketch' a real one, at M^3 a point.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from isoloss.formats import Precision
from isoloss.linear.asked import check_precision, check_problem
from isoloss.linear.checks import finite, of_type, several, whole
from isoloss.linear.descent import SGD
from isoloss.linear.quantisers import DEFAULT_SCALES, Scales, quantisers_of
from isoloss.linear.regression import Regression
from isoloss.linear.risk import Inputs
from isoloss.linear.theory.allocation_budget import Allowance
from isoloss.linear.theory.allocation_result import Allocation, AllocationChoice
from isoloss.linear.theory.closed_forms import (
    best_size,
    data_noise,
    is_mixed,
    largest_feature,
    size_constant,
)
from isoloss.linear.theory.model_sizes import Model, Seen, View, seen_risks, view_of

SHARES = (0.02, 0.06, 0.15, 0.35, 0.65, 0.95)
ROUNDS = 2
#: Sizes and shares around a candidate.
FINE = (9, 5)


@dataclass(frozen=True)
class _Try:
    """One candidate of the search."""

    precision: Precision
    size: int
    samples: int
    share: float


@dataclass(frozen=True)
class _Search:
    problem: Regression
    allowance: Allowance
    batch: int
    schedule: str
    view: View

    def risks(self, tries: Sequence[_Try]) -> list[Seen]:
        """The risks of candidates."""
        points = [(self.problem, each.size, self._descent(each), each.precision) for each in tries]
        return seen_risks(points, self.view)

    def _descent(self, at: _Try) -> SGD:
        return SGD(at.samples // self.batch, self.batch, f"{at.share!r} limit", self.schedule)

    def at(self, precision: Precision, size: int, share: float) -> _Try:
        """A candidate with all the samples that are left."""
        return _Try(precision, size, self.allowance.samples_for(precision, size), share)

    def best(
        self, precisions: Sequence[Precision], count: int, shares: Sequence[float]
    ) -> list[AllocationChoice]:
        """The best choice of each precision."""
        grids: list[tuple[list[int], list[float]]] = []
        for precision in precisions:
            most = self.allowance.largest(precision, self.problem.dim, self.batch)
            grids.append((_whole_sizes(1, most, count), list(shares)))
        found: list[tuple[_Try, Seen]] = []
        for turn in range(ROUNDS + 1):
            best = self._round(precisions, grids)
            found = (
                best
                if not turn
                else [min(pair, key=_risk) for pair in zip(found, best, strict=True)]
            )
            grids = [_divided(grid, cell) for grid, (cell, _) in zip(grids, found, strict=True)]
        return [self.choice(*each) for each in found]

    def _round(
        self, precisions: Sequence[Precision], grids: Sequence[tuple[list[int], list[float]]]
    ) -> list[tuple[_Try, Seen]]:
        tries = [
            [self.at(precision, size, share) for size in sizes for share in shares]
            for precision, (sizes, shares) in zip(precisions, grids, strict=True)
        ]
        risks = iter(self.risks([each for row in tries for each in row]))
        return [min(((each, next(risks)) for each in row), key=_risk) for row in tries]

    def choice(self, at: _Try, seen: Seen) -> AllocationChoice:
        """A candidate with its risk as a choice."""
        steps = at.samples // self.batch
        most = self.allowance.largest(at.precision, self.problem.dim, self.batch)
        return AllocationChoice(
            str(at.precision), self.allowance.width(at.precision), at.size, steps * self.batch,
            steps, seen.step_size, at.share, seen.total, seen.approximation, seen.floor,
            seen.trained, edge=at.size == most,
        )  # fmt: skip


def allocate(
    problem: Regression,
    allowance: Allowance,
    precisions: Sequence[Precision | str] | Precision | str,
    *,
    sizes: int = 40,
    shares: Sequence[float] = SHARES,
    batch: int = 1,
    schedule: str = "constant",
    iterate: str = "average",
    model: Model = "first",
    inputs: Inputs = "clean",
    scales: Scales = DEFAULT_SCALES,
) -> Allocation:
    """Best size, samples and step size of every precision under an allowance, ranked by exact risk.

    The risk is the whole one: approximation, bias, variance and floor.

    Parameters
    ----------
    problem : Regression
        The largest model is the whole problem.
    allowance : Allowance
        What a training may cost.
    precisions : sequence of Precision or str
        What is ranked.
    sizes : int
        Model sizes that are tried from 1 to the largest affordable one, before refinement.
    shares : sequence of float
        Shares of the stability limit (above 0, below 1) that are tried as step size, before
        refinement.
    batch, schedule, iterate, inputs, scales
        As in `SGD` and `excess_risk`.
    model : str
        'first': the model sees the first M coordinates. 'sketch': a random sketch of M rows.

    Returns
    -------
    Allocation
        One choice a precision, best first. A precision whose cost or risk is not known, or that no
        affordable model fits, is dropped and stands there with the reason.

    Raises
    ------
    ValueError
        Bad input, or every precision is dropped.
    """
    check_problem(problem)
    of_type("allowance", allowance, Allowance, "Allowance(compute=1e9)")
    view = view_of(model, iterate, inputs, scales)
    spelled = [Precision.parse(check_precision(each)) for each in several(precisions)]
    if not spelled:
        raise ValueError("there is no precision to choose; give at least one, such as 'fp'")
    steps = sorted({_share(each) for each in several(shares)})
    if not steps:
        raise ValueError(
            "there is no step size to choose; give shares of the limit above 0 and below 1"
        )
    search = _Search(problem, allowance, whole("batch", batch), schedule, view)
    count = whole("sizes", sizes, 2)
    kept, dropped = _costed(search, spelled, steps[0])
    found = search.best(kept, count, steps)
    constant, exponent = _fitted(search, count, steps)
    ranked = sorted(
        (_closed(search, each, constant, steps) for each in found), key=lambda each: each.risk
    )
    return Allocation(
        tuple(ranked), allowance, model, inputs, constant, exponent, _theory(problem), problem.dim,
        dropped,
    )  # fmt: skip


def _costed(
    search: _Search, spelled: Sequence[Precision], share: float
) -> tuple[list[Precision], dict[str, str]]:
    """The precisions whose cost and risk are known, and the others with the reason.

    Raises the first reason where none is left.
    """
    kept, dropped = [], {}
    for each in spelled:
        try:
            search.allowance.largest(each, search.problem.dim, search.batch)
            search.risks([search.at(each, 1, share)])
        except ValueError as error:
            dropped[str(each)] = str(error)
        else:
            kept.append(each)
    if not kept:
        raise ValueError(next(iter(dropped.values())))
    return kept, dropped


def _share(given: object) -> float:
    share = finite("a share of the limit", given, 0.0, above=True)
    if share >= 1:
        raise ValueError(f"a share of the limit is {given!r}; accepted is above 0 and below 1")
    return share


def _risk(found: tuple[_Try, Seen]) -> float:
    return found[1].total


def _whole_sizes(low: int, high: int, count: int) -> list[int]:
    return sorted({round(each) for each in np.geomspace(low, high, count)} | {low, high})


def _divided(grid: tuple[list[int], list[float]], at: _Try) -> tuple[list[int], list[float]]:
    """Sizes and shares between the neighbours of a candidate."""
    sizes, shares = grid
    low, high = _around(sizes, at.size)
    least, most = _around(shares, at.share)
    fine = [float(each) for each in np.geomspace(least, most, FINE[1])]
    return _whole_sizes(int(low), int(high), FINE[0]), sorted({*fine, at.share})


def _around(values: Sequence[float], at: float) -> tuple[float, float]:
    below = [each for each in values if each < at]
    above = [each for each in values if each > at]
    return (max(below) if below else at), (min(above) if above else at)


def _theory(problem: Regression) -> float:
    """1/(a+1), or nan without a power law above 1."""
    return 1 / (problem.decay + 1) if problem.spectrum is None and problem.decay > 1 else math.nan


def _fitted(search: _Search, count: int, shares: Sequence[float]) -> tuple[float, float]:
    """const of const C^(1/(a+1)) at full precision, from C / 16, C / 4 and C, and the exponent that
    is seen.
    """
    theory, exact = _theory(search.problem), Precision.parse("fp")
    compute = search.allowance.effective_compute(exact)
    if math.isnan(theory) or compute is None:
        return math.nan, math.nan
    sizes, costs = [], []
    for part in (16.0, 4.0, 1.0):
        if compute / part < search.batch:  # not one coordinate and one batch
            continue
        there = replace(search, allowance=Allowance(compute=compute / part))
        (best,) = there.best([exact], count, shares)
        sizes.append(best.size)
        costs.append(compute / part)
    logs = np.log(np.array(sizes, dtype=float))
    spans = np.log(np.array(costs))
    if len(sizes) < 3 or np.ptp(logs) == 0:
        return math.nan, math.nan
    return float(np.exp(np.mean(logs - theory * spans))), float(np.polyfit(spans, logs, 1)[0])


def _closed(
    search: _Search, choice: AllocationChoice, constant: float, shares: Sequence[float]
) -> AllocationChoice:
    """The choice with the closed form of its size beside it."""
    problem, view = search.problem, search.view
    precision = Precision.parse(choice.precision)
    compute = search.allowance.effective_compute(precision)
    if math.isnan(constant) or compute is None or is_mixed(quantisers_of(precision).d):
        return choice
    kind, eps = data_noise(precision, view.scales, largest_feature(problem))
    kept = size_constant(problem.decay, view.inputs)
    closed = best_size(compute, eps if kind == "added" else 0.0, problem.decay, constant, kept)
    most = search.allowance.largest(precision, problem.dim, search.batch)
    size = min(max(round(closed), 1), most)
    tries = [search.at(precision, size, share) for share in (*shares, choice.share)]
    there = search.choice(*min(zip(tries, search.risks(tries), strict=True), key=_risk))
    return min(choice, there, key=lambda each: each.risk).with_closed(closed, there.risk)
