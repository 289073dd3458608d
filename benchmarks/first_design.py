"""Designs before the first run: what the proposed one costs beside the best grid, L and two ratios
for an equal interval, whether such intervals are those of fits, and when it says STOP.

The truth is a published law that the design does not know: it and the laws of its base are left
out of what may be true. Intervals are those of the truth. A rival's cost lies between costs that
are tried, its sizes and seeds at each chosen by the truth's own interval: a rival has hindsight.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.optimize import least_squares

from benchmarks.timing import table
from isoloss.formats import Precision
from isoloss.laws import Array, Law, preset, presets
from isoloss.plans import Budget, as_machine, first_runs
from isoloss.plans.design.candidates import Candidates
from isoloss.plans.design.first_design import First, region_for
from isoloss.plans.design.power_laws import Readings, readings_of
from isoloss.plans.design.questions import question_of
from isoloss.plans.design.rivals import candidates_at, rivals
from isoloss.plans.doubt import FAR
from isoloss.plans.search import MISREAD, complete, is_one_base, members_of

DEVICE = as_machine("h100")
TARGET = Budget("1e23 flop")
PARAMS, EXPONENT = "params within 2", "exponent of w4/64 a4/64"
#: Truths with their questions; the money of each; the noise and z of 90%.
TRUTHS = (
    ("hoffmann2022", PARAMS), ("epoch2024", PARAMS), ("kumar2024", PARAMS), ("sun2025", PARAMS),
    ("chen2025", PARAMS), ("kumar2024", EXPONENT), ("chen2025", EXPONENT),
)  # fmt: skip
MOST, NOISE, Z, RUNS = 1e20, 0.005, 1.6449, 64
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

    def first(self, most: float) -> First:
        """The question put to the truth alone, over the region of a budget."""
        asked = question_of(self.question, self.target, None)
        region = region_for(most, None, None)
        return First(
            asked, readings_of(members_of([self.truth]), region, asked.precision), NOISE, Z
        )

    def proposed(self, most: float) -> tuple[Candidates, np.ndarray, bool]:
        """The runs that are proposed without the truth, their seeds, and whether STOP is said."""
        found = first_runs(
            self.known, Budget(most), DEVICE, question=self.question, target=self.target
        )
        rows = [(r.params, r.tokens, [str(p) for p in self.precisions].index(r.precision), r.flop)
                for r in found.runs]  # fmt: skip
        n, d, which, cost = map(np.array, zip(*rows, strict=True))
        runs = Candidates(n, d, which.astype(np.intp), cost, self.precisions)
        return runs, np.array([r.seeds for r in found.runs]), found.stop is not None


def best_rivals(case: Case, first: First, most: float, at: float) -> dict[str, float]:
    """Half the truth's interval by the best rival of each kind that costs so much."""
    best: dict[str, float] = {}
    for name, runs, seeds in rivals(
        region_for(most, None, None), DEVICE, case.precisions, at, RUNS
    ):
        half = float(first.halves(runs, np.full(len(runs), seeds))[0])
        best[name] = min(best.get(name, np.inf), half)
    return best


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
        yield name, question.split()[0], str(counts.sum()), first.asked.width(half), *shown


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
    """One row a truth and budget: what the truth says of every design, and what is said."""
    for name, question in TRUTHS[:5]:
        case = Case(preset(name), question)
        for most in BUDGETS:
            first = case.first(most)
            runs, counts, stop = case.proposed(most)
            need = float(first.needs()[0])
            halves = best_rivals(case, first, most, most)
            far = float(first.beyond(runs)[0])
            own = float(first.halves(runs, counts)[0])
            grid = min(halves.get(kind, np.inf) for kind in KINDS[:2])
            yield (
                name, f"{most:.0e}", f"{far:.3g} x", f"{np.exp(2 * own):.3g}",
                f"{np.exp(2 * grid):.3g}", "yes" if own <= need and far <= FAR else "no",
                "yes" if grid <= need and far <= FAR else "no", "STOP" if stop else "go",
            )  # fmt: skip


def right_stops(rows: Sequence[tuple[str, ...]]) -> tuple[int, int, int]:
    """Rows in which nothing resolves the question, those of them with STOP, and wrong STOPs."""
    none = [row for row in rows if row[5] == row[6] == "no"]
    wrong = [row for row in rows if "yes" in row[5:7] and row[7] == "STOP"]
    return len(none), sum(row[7] == "STOP" for row in none), len(wrong)


def main() -> None:
    """Print the three studies."""
    print(f"### Cost over that of a rival with as narrow an interval, {MOST:.0e} FLOPs\n")
    print(table(("truth", "question", "runs", "interval", *KINDS), list(ratios())))
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
        "resolved",
        "by a grid or L",
        "said",
    )
    print(table(head, told))
    none, right, wrong = right_stops(told)
    print(f"\nNothing resolves it in {none} rows, STOP in {right} of them; STOP in {wrong} others.")


if __name__ == "__main__":
    main()
