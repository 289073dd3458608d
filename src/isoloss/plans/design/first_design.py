"""The verb `first_runs`: a question and published laws in; the first runs out, or STOP.

Where nothing was run, published laws stand for what may be true. Each is read in one form over the
region of the runs (`power_laws`), which says how a run would move its constants, and these its
answer (`questions`). The design is bought as that of `next_runs` (`exchange`): the least mean log
variance of the answer over the laws. What counts as known beside the runs are bounds alone, as in a
fit: the interval is that of a fit to these runs, and published constants narrow nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from isoloss.files import percent, real_number, shown_value
from isoloss.fits import ResultWarning, WarningKind
from isoloss.formats import Precision
from isoloss.laws import Array
from isoloss.plans.budget import BudgetLike, as_budget, machine_of
from isoloss.plans.checks import as_count
from isoloss.plans.costs import Hardware
from isoloss.plans.design.candidates import (
    POINTS,
    Candidates,
    Range,
    Region,
    affordable,
    ends_of,
    grid,
    purse,
)
from isoloss.plans.design.exchange import Counts, DesignProblem, Limits, best_design
from isoloss.plans.design.first_result import FirstRuns, LawAnswer, Rival
from isoloss.plans.design.power_laws import ALONE, Readings, readings_of
from isoloss.plans.design.questions import Asked, question_of
from isoloss.plans.design.rivals import ratio_spread, rivals
from isoloss.plans.design.to_train import NextRun
from isoloss.plans.doubt import FAR
from isoloss.plans.problems import PlanError
from isoloss.plans.search import LawsLike, members_of

#: Unless said: the largest run at 20 tokens a param costs this share of the budget, the smallest
#: model is so many times smaller, and runs have so many tokens a param.
LARGEST, DOWN, RATIO = 0.25, 32.0, (2.0, 800.0)
#: Standard deviation of log loss from run to run unless said: about that of small models' seeds.
NOISE = 0.005
#: Weight of the laws under which a question must be answered.
ENOUGH = 0.5


@dataclass(frozen=True)
class First:
    """A question with the laws that it is put to.

    Attributes
    ----------
    asked, readings
        The question and the laws in the form of a design.
    noise, z
        Standard deviation of log loss, and standard deviations in half an interval.
    """

    asked: Asked
    readings: Readings
    noise: float
    z: float

    def problem(self, runs: Candidates) -> DesignProblem:
        """The design problem of some candidate runs: what each law says of them."""
        slopes = self.readings.slopes(runs) / self.noise
        unit = ALONE[: slopes.shape[2]]
        known = np.broadcast_to(np.eye(len(unit)), (len(slopes), len(unit), len(unit)))
        aims = np.array([self.asked.aim(self.readings, t) for t in self.readings.theta])
        return DesignProblem(known, slopes * unit, aims * unit)

    def halves(self, runs: Candidates, counts: Array | Counts) -> Array:
        """Half the expected interval of the answer by each law, (K,)."""
        problem = self.problem(runs)
        inverse = problem.inverse(counts)
        assert problem.aims is not None
        variance = np.einsum("kp,kpq,kq->k", problem.aims, inverse, problem.aims)
        return np.asarray(self.z * np.sqrt(variance))

    def mean(self, halves: Array) -> float:
        """The geometric mean over laws by weight."""
        return float(np.exp(self.readings.weights @ np.log(halves)))

    def needs(self) -> Array:
        """Half the interval that answers the question, by each law, (K,)."""
        answers = (self.asked.answer(self.readings, t) for t in self.readings.theta)
        return np.array([self.asked.need(each) for each in answers])

    def beyond(self, runs: Candidates) -> Array:
        """How many times beyond the largest and the longest run each law's answer lies, (K,)."""
        points = [self.asked.point(self.readings, t) for t in self.readings.theta]
        most = runs.params.max(), runs.tokens.max()
        return np.array(
            [1.0 if p is None else max(1.0, p[0] / most[0], p[1] / most[1]) for p in points]
        )


@dataclass(frozen=True)
class Design:
    """Runs with their seeds, for a question and some laws."""

    name: str
    runs: Candidates
    counts: Array | Counts
    first: First

    @cached_property
    def halves(self) -> Array:
        """Half the expected interval of the answer by each law, (K,)."""
        return self.first.halves(self.runs, self.counts)

    @property
    def half(self) -> float:
        """Its geometric mean over laws."""
        return self.first.mean(self.halves)

    def is_inside(self, region: Region) -> bool:
        """Whether no run leaves the params, tokens and tokens per param of a region."""
        n, d = self.runs.params, self.runs.tokens
        counts = (n, region.params), (d, region.tokens), (d / n, region.ratio)
        return all(
            bool((each >= low * (1 - 1e-6)).all() and (each <= high * (1 + 1e-6)).all())
            for each, (low, high) in counts
        )

    @cached_property
    def answers(self) -> NDArray[np.bool_]:
        """Whether it answers the question if each law is right, (K,)."""
        near = self.first.beyond(self.runs) <= FAR
        return np.asarray((self.halves <= self.first.needs()) & near)

    @property
    def resolved(self) -> float:
        """Weight of the laws under which it answers the question."""
        return float(self.first.readings.weights @ self.answers)


def first_runs(
    laws: LawsLike,
    budget: BudgetLike,
    hardware: str | Hardware | None = None,
    *,
    question: str,
    target: BudgetLike | None = None,
    within: float | None = None,
    params: Range | None = None,
    tokens: Range | None = None,
    max_runs: int = 64,
    max_seeds: int = 16,
    noise: float = NOISE,
    level: float = 0.9,
    group: str | None = None,
) -> FirstRuns:
    """The first runs within a budget that answer a question, or STOP where none of its cost does.

    Parameters
    ----------
    laws
        What may be true: "published", or laws as in `plan`.
    budget
        What all runs may cost together: train, hours or money.
    hardware
        The machine of the runs.
    question
        "params within 1.5" of a plan; "exponent of w4": the sign of the token exponent of its gap;
        "gap of w4 > 0.02 at 7B, 140B": whether it costs more nats than that.
    target
        The compute of the plan; for a gap a budget that holds params and tokens.
    within
        The factor (most over least) within which params are wanted, 2 unless said; for an exponent
        the half-width at which it counts as none, 0.05 unless said.
    params, tokens
        Ranges (least, most) of the runs, which rivals may leave; by default a quarter of the budget
        pays for the largest model on 20 tokens a param, the smallest is 32 times smaller, with 2 to
        800 tokens a param.
    max_runs, max_seeds
        The most runs in all, and the most seeds of one kind of run.
    noise
        Standard deviation of log loss from run to run.
    level
        Coverage of the interval, 0.9 = 90%.
    group
        Whose constants, where a law has some for each of several groups.

    Returns
    -------
    FirstRuns
        The runs, what each law expects of them, and rivals of the same cost.

    Raises
    ------
    PlanError
        An argument is of the wrong kind, the budget pays for no run, or no law can be read.
    """
    paid = as_budget(budget)
    device, most = machine_of(paid, hardware), 0.0
    most = purse(paid, device)
    limits = as_count("max_runs", max_runs), as_count("max_seeds", max_seeds)
    asked = question_of(question, None if target is None else as_budget(target, "target"), within)
    _check(noise, level)
    region = region_for(most, params, tokens)
    tried = (Precision("bf16"), *(() if asked.precision is None else (asked.precision,)))
    readings = readings_of(members_of(laws, group), region, asked.precision)
    first = First(asked, readings, float(noise), float(norm.ppf((1 + level) / 2)))
    runs = affordable(grid(region, POINTS, POINTS, device, tried), most)
    counts = best_design(first.problem(runs), Limits(runs.cost, most, *limits))
    found = np.flatnonzero(counts)
    others = _rivals(first, rivals(region, device, tried, most, limits[0]))
    best = Design("searched", runs.take(found), counts[found], first)
    allowed = [d for d in others.values() if d.is_inside(region)]
    best = min([best, *allowed], key=lambda each: each.half)
    beta, own = float(np.median(readings.theta[:, 3])), best.counts
    return FirstRuns(
        runs=_runs(best.runs, own), question=str(asked), budget=str(paid), hardware=str(device),
        flop=float(best.runs.cost @ own), most_flop=most, laws=_answers(best),
        rivals=tuple(_rival(d, best, beta) for d in others.values()), half=best.half,
        width=asked.width(best.half), spread=ratio_spread(best.runs, own, beta), shape=best.name,
        stop=_stop(best), noise=float(noise), level=level,
        warnings=_warnings(readings, int(own.sum())),
    )  # fmt: skip


def region_for(most: float, params: Range | None, tokens: Range | None) -> Region:
    """Where first runs may lie: as given, or what the budget leaves room for."""
    large = float(np.sqrt(LARGEST * most / 120.0))
    sizes = ends_of((large / DOWN, large), params, "params")
    lengths = ends_of((RATIO[0] * sizes[0], RATIO[1] * sizes[0] * 4), tokens, "tokens")
    free = params is None or tokens is None
    return Region(sizes, lengths, RATIO if free else (0.0, float("inf")))


def _check(noise: float, level: float) -> None:
    if not 0 < real_number(noise) < np.inf:
        raise PlanError(
            f"noise is {shown_value(noise)}; it is a standard deviation of log loss above 0, as "
            "0.005"
        )
    if not 0 < real_number(level) < 1:
        raise PlanError(f"level is {shown_value(level)}; it lies between 0 and 1, as 0.9")


def _answers(best: Design) -> tuple[LawAnswer, ...]:
    """What each law expects of a design."""
    own, asked = best.first.readings, best.first.asked
    numbers = zip(best.halves, best.first.needs(), best.first.beyond(best.runs), strict=True)
    rows = zip(own.names, own.weights, own.theta, numbers, strict=True)
    return tuple(
        LawAnswer(name, float(w), asked.say(asked.answer(own, t)), *map(float, each))
        for name, w, t, each in rows
    )


def _rivals(first: First, tried: Iterable[tuple[str, Candidates, int]]) -> dict[str, Design]:
    """The best of each kind of rival."""
    best: dict[str, Design] = {}
    for name, runs, seeds in tried:
        design = Design(name, runs, np.full(len(runs), seeds), first)
        if name not in best or design.half < best[name].half:
            best[name] = design
    return best


def _rival(design: Design, best: Design, beta: float) -> Rival:
    """A rival beside the proposal."""
    spread, runs = ratio_spread(design.runs, design.counts, beta), int(design.counts.sum())
    cost, ratio = (design.half / best.half) ** 2, design.runs.tokens / design.runs.params
    ends = float(ratio.min()), float(ratio.max())
    return Rival(design.name, runs, ends, design.half, design.resolved, spread, cost)


def _stop(best: Design) -> str | None:
    """Reason where a design answers the question under too few laws, or None."""
    first = best.first
    if best.resolved >= ENOUGH - 1e-9:
        return None
    why = (
        "no runs of this cost answer the question: the best leave "
        f"{first.asked.width(best.half)}, enough under laws of {percent(best.resolved)} of "
        "the weight"
    )
    far = first.beyond(best.runs)
    if first.readings.weights @ (far > FAR) > 1 - ENOUGH:
        return (
            f"{why}; by most laws the answer lies {_middle(far, first.readings.weights):.3g} times "
            f"beyond the largest or longest run, and {FAR:g} times beyond nothing holds the error "
            "of a law: train larger or longer runs, or ask nearer by"
        )
    # Seeds alone: the variance falls with their number.
    times = np.square(best.halves / np.maximum(first.needs(), 1e-12))
    return (
        f"{why}; about {_middle(times, first.readings.weights):.2g} times the cost, spent on "
        "seeds, would do for half of them: spend more, ask for less, or leave it"
    )


def _middle(values: Array, weights: Array) -> float:
    """The least value that values of half the weight do not exceed."""
    order = np.argsort(values)
    at = int(np.searchsorted(np.cumsum(weights[order]), ENOUGH - 1e-9))
    return float(values[order][min(at, len(order) - 1)])


def _runs(bought: Candidates, counts: Array | Counts) -> tuple[NextRun, ...]:
    spelled = [str(bought.precisions[k]) for k in bought.which]
    rows = zip(bought.params, bought.tokens, spelled, counts, bought.cost, strict=True)
    return tuple(
        NextRun(float(n), float(d), p, int(seeds), float(flop)) for n, d, p, seeds, flop in rows
    )


def _warnings(readings: Readings, runs: int) -> tuple[ResultWarning, ...]:
    text = (
        "intervals are expected ones, of a fit of the right form with noise as given: a law that "
        "no published one is like, or noise that grows in small runs, is not in them"
    )
    found = [ResultWarning(WarningKind.UNTESTED, text)]
    if readings.left_out:
        names = ", ".join(readings.left_out)
        name, why = next(iter(readings.left_out.items()))
        text = f"laws that say nothing of the question are left out: {names} ({name}: {why})"
        found.append(ResultWarning(WarningKind.UNSEEN_PARTS, text))
    constants = readings.theta.shape[1]
    if runs < 3 * constants:
        text = f"{runs} runs for {constants} constants: a fit has little to test its form by"
        found.append(ResultWarning(WarningKind.FEW_RUNS, text))
    return tuple(found)
