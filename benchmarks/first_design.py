"""Designs before the first run: what the proposed one costs beside the best grid, L and two ratios
for an equal interval, whether such intervals are those of fits, and when it says STOP.

The truth is a published law that the design does not know: it and the laws of its base are left
out of what may be true. Intervals are those of the truth. A rival's cost lies between costs that
are tried, its sizes and seeds at each chosen by the truth's own interval: a rival has hindsight.
The last column of the first table is what any design could gain: the seeds of the best one that
knows the truth, of the same cost, over those of the proposal for an equal interval.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.optimize import least_squares

from benchmarks.timing import table
from isoloss.formats import Precision
from isoloss.laws import Array, Law, preset, presets
from isoloss.plans import Budget, as_machine, first_runs
from isoloss.plans.design.candidates import Candidates, Region
from isoloss.plans.design.expected import Design, First
from isoloss.plans.design.first_design import region_for, room_of
from isoloss.plans.design.first_search import Room, possible
from isoloss.plans.design.power_laws import Readings, readings_of
from isoloss.plans.design.questions import question_of
from isoloss.plans.design.rivals import candidates_at, rivals
from isoloss.plans.search import MISREAD, complete, is_one_base, members_of

DEVICE = as_machine("h100")
TARGET = Budget("1e23 flop")
PARAMS, EXPONENT = "params within 2", "exponent of w4/64 a4/64"
#: Truths with their questions; the money of each; the noise and z of 90%.
TRUTHS = (
    ("hoffmann2022", PARAMS), ("epoch2024", PARAMS), ("kumar2024", PARAMS), ("sun2025", PARAMS),
    ("chen2025", PARAMS), ("kumar2024", EXPONENT), ("chen2025", EXPONENT),
)  # fmt: skip
MOST, NOISE, Z, RUNS, SEEDS = 1e20, 0.005, 1.6449, 64, 16
KINDS = ("regular grid", "L-shape", "two ratios")
#: Costs of rivals that are tried, over the money.
COSTS = tuple(2.0**k for k in range(-3, 8))
#: Budgets of the study of STOP, and fits of the check of intervals.
BUDGETS, FITS = (1e17, 1e18, 1e19, 1e20, 1e21), 60


@dataclass(frozen=True)
class Case:
    """A truth, what it is asked, and the laws that a design may know."""

    truth: Law
    question: str

    @property
    def known(self) -> list[Law]:
        """The published laws that do not share the truth's base."""
        laws = [law for law in presets() if complete(law) and law.name not in MISREAD]
        return [law for law in laws if not is_one_base(law, self.truth)]

    @property
    def target(self) -> Budget | None:
        """The plan whose params are asked for; None for an exponent."""
        return TARGET if self.question == PARAMS else None

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """Of the runs."""
        other = question_of(self.question, self.target, None).precision
        return (Precision("bf16"),) if other is None else (Precision("bf16"), other)

    def region(self, most: float) -> Region:
        """Where the runs of a budget may lie."""
        return region_for(most, None, None, [law.box for law in self.known])

    def room(self, most: float) -> Room:
        """What the budget may buy."""
        return room_of(self.region(most), None, None, self.precisions, DEVICE, most, (RUNS, SEEDS))

    def first(self, most: float) -> First:
        """The question put to the truth alone, over the region of a budget."""
        asked = question_of(self.question, self.target, None)
        readings = readings_of(members_of([self.truth]), self.region(most), asked.precision)
        return First(asked, readings, NOISE, Z)

    def proposed(self, most: float) -> tuple[Candidates, np.ndarray, str]:
        """The runs that are proposed without the truth, their seeds, and what is said of them."""
        found = first_runs(
            self.known, Budget(most), DEVICE, question=self.question, target=self.target
        )
        rows = [(r.params, r.tokens, [str(p) for p in self.precisions].index(r.precision), r.flop)
                for r in found.runs]  # fmt: skip
        n, d, which, cost = map(np.array, zip(*rows, strict=True))
        runs = Candidates(n, d, which.astype(np.intp), cost, self.precisions)
        said = "STOP" if found.stop else "not enough" if found.short else "go"
        return runs, np.array([r.seeds for r in found.runs]), said


def best_rivals(case: Case, first: First, most: float, at: float) -> dict[str, float]:
    """Half the truth's interval by the best rival of each kind that costs so much."""
    best: dict[str, float] = {}
    for each in rival_designs(case, first, most, at):
        best[each.name] = min(best.get(each.name, np.inf), float(each.halves[0]))
    return best


def rival_designs(case: Case, first: First, most: float, at: float) -> list[Design]:
    """All rivals that cost so much, over the region of a budget."""
    tried = rivals(case.region(most), DEVICE, case.precisions, at, RUNS)
    return [Design(name, runs, np.full(len(runs), seeds), first) for name, runs, seeds in tried]


def costs_of_equals(case: Case, first: First, half: float) -> dict[str, float]:
    """What each kind of rival costs for an interval of this half, over the money; infinite where
    none of these costs reaches it.
    """
    tried = [best_rivals(case, first, MOST, at * MOST) for at in COSTS]
    found = {}
    for kind in KINDS:
        halves = np.minimum.accumulate([each.get(kind, np.inf) for each in tried])
        known = np.isfinite(halves)
        enough = np.interp(np.log(half), np.log(halves[known])[::-1], np.log(COSTS)[known][::-1])
        found[kind] = float(np.exp(enough)) if halves[-1] <= half else float("inf")
    return found


def room_at(case: Case, share: float) -> Room:
    """What some of the money may buy of the same candidates."""
    room, most = case.room(MOST), share * MOST
    return replace(room.cut(room.runs.cost <= most), most=most)


def ratios() -> Iterator[tuple[str, ...]]:
    """One row a truth: its interval after the proposal, and cost ratios to the rivals."""
    for name, question in TRUTHS:
        case = Case(preset(name), question)
        first = case.first(MOST)
        runs, counts, _ = case.proposed(MOST)
        half, spent = float(first.halves(runs, counts)[0]), float(runs.cost @ counts) / MOST
        equal = costs_of_equals(case, first, half)
        shown = (
            f"{spent / equal[kind]:.3f}" if equal[kind] < np.inf else f"< {spent / COSTS[-1]:.3f}"
            for kind in KINDS
        )
        best = [room_at(case, spent).design(first)]
        best += rival_designs(case, first, MOST, spent * MOST)
        gain = f"{(min(half, *(float(each.halves[0]) for each in best)) / half) ** 2:.2f}"
        yield name, question.split()[0], str(counts.sum()), first.asked.width(half), *shown, gain


def spread_of_fits(case: Case, seed: int = 0) -> tuple[float, float]:
    """Standard deviation of the answer over fits to simulated runs, and the expected one."""
    first = case.first(MOST)
    runs, counts, _ = case.proposed(MOST)
    each = np.repeat(np.arange(len(runs)), counts)
    tried = candidates_at(runs.params[each], runs.tokens[each], DEVICE, case.precisions[:1])
    rows = Candidates(tried.params, tried.tokens, runs.which[each], tried.cost, case.precisions)
    own, theta = first.readings, first.readings.theta[0]
    exact, rng, answers = own.log_loss(theta, rows), np.random.default_rng(seed), []
    for _ in range(FITS):
        seen = exact + NOISE * rng.standard_normal(len(exact))
        fitted = least_squares(partial(_misses, own, rows, seen), theta, x_scale="jac")
        answers.append(first.asked.answer(own, fitted.x))
    middle = np.percentile(answers, [5, 95])
    return float(np.ptp(middle) / (2 * Z)), float(first.halves(runs, counts)[0] / Z)


def _misses(own: Readings, rows: Candidates, seen: Array, theta: Array) -> Array:
    return own.log_loss(theta, rows) - seen


def stops() -> Iterator[tuple[str, ...]]:
    """One row a truth and budget: what the truth says of designs, and what is said without it."""
    for name, question in TRUTHS[:5]:
        case = Case(preset(name), question)
        for most in BUDGETS:
            first = case.first(most)
            runs, counts, said = case.proposed(most)
            own = Design("proposed", runs, counts, first)
            others = rival_designs(case, first, most, most)
            grids = [each for each in others if each.name in KINDS[:2]]
            able = possible(first, case.room(most), [own, *others])[0]
            least = min((float(each.halves[0]) for each in grids), default=float("inf"))
            yield (
                name, f"{most:.0e}", f"{first.beyond(runs)[0]:.3g} x",
                f"{np.exp(2 * own.halves[0]):.3g}", f"{np.exp(2 * least):.3g}",
                *("yes" if does else "no" for does in
                  (own.answers[0], any(each.answers[0] for each in grids), able)), said,
            )  # fmt: skip


def right_stops(rows: Sequence[tuple[str, ...]]) -> tuple[int, int, int]:
    """Rows in which no design answers the question, those of them with STOP, and wrong STOPs."""
    none = [row for row in rows if row[7] == "no"]
    wrong = [row for row in rows if row[7] == "yes" and row[8] == "STOP"]
    return len(none), sum(row[8] == "STOP" for row in none), len(wrong)


def main() -> None:
    """Print the three studies."""
    print(f"### Cost over that of a rival with as narrow an interval, {MOST:.0e} FLOPs\n")
    print(table(("truth", "question", "runs", "interval", *KINDS, "best possible"), list(ratios())))
    print("\n### Intervals of fits to simulated runs beside the expected ones\n")
    rows = []
    for name, question in (TRUTHS[1], TRUTHS[4], TRUTHS[6]):
        found, expected = spread_of_fits(Case(preset(name), question))
        rows.append((name, question.split()[0], f"{found:.3g}", f"{expected:.3g}"))
    print(table(("truth", "question", f"sd of {FITS} fits", "expected"), rows))
    told = list(stops())
    print("\n### STOP: the params of a plan for 1e23 FLOPs within a factor of 2\n")
    head = (
        "truth",
        "budget",
        "beyond the runs",
        "interval",
        "best grid or L",
        "answered",
        "by a grid or L",
        "by some design",
        "said",
    )
    print(table(head, told))
    none, right, wrong = right_stops(told)
    able = [row for row in told if row[7] == "yes"]
    own = sum(row[5] == "yes" for row in able)
    print(
        f"\nNo design answers it in {none} rows, STOP in {right} of them; STOP in {wrong} of the "
        f"{len(able)} others, of which the proposed runs answer {own}."
    )


if __name__ == "__main__":
    main()
