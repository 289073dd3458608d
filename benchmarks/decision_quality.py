"""Decision quality under cross-law truth: what a plan costs when the truth is a law that nobody
fitted.

300 teams (``benchmarks.decision_teams``), each with 60 noisy runs of a truth near one published law
and a set of other laws to fit, plan params, tokens and precision at 10 and 100 times the compute of
all their runs. The score is regret: how much less compute the truth's own best plan needs for the
loss that the chosen plan reaches, in percent.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.decision_teams import FAMILIES, NEWEST, Oracle, Team, at_peaks, form, team
from benchmarks.timing import repeats, share, table
from isoloss.fits import Comparison, Fit, ResultWarning, compare, fit
from isoloss.laws import Array, DomainError, Law, preset
from isoloss.plans import Budget, Choice, PlanError, plan

HORIZONS = (10, 100)
#: The seed of the first team; those before it were looked at while the study was written.
FIRST = 1000
DRAWS, STARTS = 100, 6
#: Warnings that say an interval cannot be trusted. Extrapolation is not among them: every plan here
#: is one. A plan that refuses to choose a precision, for want of an effect, counts too; its team
#: trains in bf16.
REFUSED = "refused"
DOUBTS = {"lack_of_fit", "laws_disagree", "not_covered", "at_bound", "collinear_design", REFUSED}
OURS, BF16, LATEST, KNOWN = (
    "isoloss: compare, then plan",
    "bf16 with the fitted Chinchilla",
    "the latest paper's constants",
    "(the truth's form, fitted)",
)


@dataclass(frozen=True)
class Outcome:
    """One plan: who made it, at which horizon, its regret in percent, and what its intervals and
    warnings said.
    """

    seed: int
    truth: str
    who: str
    horizon: int
    regret: float
    precision: str
    best_precision: str
    ratio: float
    loss_covered: bool
    params_covered: bool
    kinds: frozenset[str]


def outcomes(seed: int) -> list[Outcome]:
    """Every planner's plan at every horizon for the team of a seed."""
    who = team(seed)
    oracle = Oracle.of(who.truth, who.family.precisions, who.family.hardware)
    return [
        _scored(who, oracle, name, times, choice, kinds)
        for name, listened, precisions, cautions in _planners(who)
        for times in HORIZONS
        for choice, kinds in [_planned(who, listened, precisions, cautions, times)]
    ]


def _planners(
    who: Team,
) -> Iterator[tuple[str, Law | Fit | Comparison, Sequence[str], tuple[ResultWarning, ...]]]:
    """Whom the plan listens to, the precisions to choose from, and the warnings so far."""
    laws, precisions = [form(name) for name in who.family.laws], who.family.precisions
    together = compare(laws, who.runs, draws=DRAWS, starts=STARTS, seed=who.seed)
    yield OURS, together, precisions, together.warnings
    base = fit(
        "chinchilla", who.runs.where(precision="bf16"), draws=DRAWS, starts=STARTS, seed=who.seed
    )
    yield BF16, base, ["bf16"], ()
    paper, read = latest(who)
    yield LATEST, paper, read, ()
    yield (
        KNOWN,
        fit(form(who.family.truth), who.runs, draws=DRAWS, starts=STARTS, seed=who.seed),
        precisions,
        (),
    )


def latest(who: Team) -> tuple[Law, list[str]]:
    """The newest published law but the truth's that reads a rounded precision of the team, and what
    it reads.
    """
    for name in NEWEST:
        law = preset(name)
        read = [p for p in who.family.precisions if _reads(law, p)]
        if name != who.family.truth and len(read) > 1:
            return law, read
    raise ValueError(f"no published law reads a precision of the teams of {who.family.truth}")


def _reads(law: Law, precision: str) -> bool:
    try:
        return bool(np.isfinite(law(1e9, 1e11, precision)))
    except DomainError:
        return False


def _planned(
    who: Team,
    listened: Law | Fit | Comparison,
    precisions: Sequence[str],
    cautions: Sequence[ResultWarning],
    times: int,
) -> tuple[Choice, frozenset[str]]:
    budget, asked = Budget(times * who.compute), {"extrapolate": True, "draws": DRAWS}
    try:
        found = plan(listened, budget, at_peaks(who.family.hardware), precision=precisions, **asked)
        refused = set()
    except (
        PlanError
    ):  # the fit sees no effect of precision, and the plan says that it cannot choose
        found = plan(listened, budget, at_peaks(who.family.hardware), precision="bf16", **asked)
        refused = {REFUSED}
    assert found.best is not None
    return found.best, frozenset({c.kind for c in (*cautions, *found.warnings)} | refused)


def _scored(
    who: Team, oracle: Oracle, name: str, times: int, c: Choice, kinds: frozenset[str]
) -> Outcome:
    compute = times * who.compute
    reached = oracle.loss(c.params, c.tokens, c.precision)
    best = [oracle.params(compute, p) for p in oracle.precisions]
    k = int(np.argmin([loss for _, loss in best]))
    right = best[oracle.precisions.index(c.precision)][0]
    return Outcome(
        who.seed, who.family.truth, name, times,
        100.0 * (compute / oracle.needed(reached, compute) - 1.0),
        c.precision, oracle.precisions[k], c.params / right,
        c.loss_interval[0] <= reached <= c.loss_interval[1],
        c.params_interval[0] <= right <= c.params_interval[1],
        kinds,
    )  # fmt: skip


def gathered(count: int, workers: int) -> list[Outcome]:
    """The outcomes of the first teams, by several processes, with a line of progress."""
    found: list[Outcome] = []
    with ProcessPoolExecutor(workers) as pool:
        for done, new in enumerate(pool.map(outcomes, range(FIRST, FIRST + count)), 1):
            found += new
            print(f"\rteam {done} of {count}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return found


def with_error(values: Array, statistic: Callable[[Array], float]) -> str:
    """A statistic with its bootstrap standard error."""
    rng = np.random.default_rng(0)
    again = [statistic(values[rng.integers(0, len(values), len(values))]) for _ in range(500)]
    return f"{statistic(values):.3g} (se {np.std(again):.2g})"


median: Callable[[Array], float] = np.median
tail: Callable[[Array], float] = partial(np.quantile, q=0.9)


def regrets(found: Sequence[Outcome]) -> str:
    """Median and 90th percentile of regret by planner and horizon."""
    rows = []
    for who in (OURS, BF16, LATEST, KNOWN):
        row: list[str] = [who]
        for times in HORIZONS:
            values = np.array([o.regret for o in found if o.who == who and o.horizon == times])
            row += [with_error(values, median), with_error(values, tail)]
        rows.append(row)
    head = [f"{what}, {times}x" for times in HORIZONS for what in ("median", "90th percentile")]
    return table(["plan", *head], rows)


def by_truth(found: Sequence[Outcome]) -> str:
    """Median and 90th percentile of regret by the law behind the truth, and how often the precision
    is right.
    """
    rows = []
    for family in FAMILIES:
        for times in HORIZONS:
            row: list[str] = [f"{family.truth} ({family.hardware})", f"{times}x"]
            for who in (OURS, BF16, LATEST, KNOWN):
                chosen = [
                    o for o in found if (o.truth, o.horizon, o.who) == (family.truth, times, who)
                ]
                values = np.array([o.regret for o in chosen])
                right = np.mean([o.precision == o.best_precision for o in chosen])
                row.append(f"{np.median(values):.3g} / {tail(values):.3g} ({100 * right:.0f}%)")
            rows.append(row)
    return table(["truth near", "compute", OURS, BF16, LATEST, KNOWN], rows)


def warnings(found: Sequence[Outcome]) -> str:
    """How often each kind of warning comes."""
    rows = []
    for who in (OURS, KNOWN):
        for times in HORIZONS:
            chosen = [o for o in found if (o.who, o.horizon) == (who, times)]
            said = [
                f"{100 * np.mean([kind in o.kinds for o in chosen]):.0f}%"
                for kind in sorted(DOUBTS)
            ]
            rows.append([who, f"{times}x", *said])
    return table(["plan", "compute", *sorted(DOUBTS)], rows)


def coverage(found: Sequence[Outcome]) -> str:
    """How often the 90% intervals hold the truth, how often there is a warning, and either."""
    groups = [(who, "all") for who in (OURS, KNOWN)] + [(OURS, family.truth) for family in FAMILIES]
    rows = []
    for who, truth in groups:
        for times in HORIZONS:
            chosen = [
                o for o in found if (o.who, o.horizon) == (who, times) and truth in ("all", o.truth)
            ]
            warned = np.array([bool(o.kinds & DOUBTS) for o in chosen])
            loss = np.array([o.loss_covered for o in chosen])
            params = np.array([o.params_covered for o in chosen])
            shares = map(share, (loss, params, warned, loss | warned, params | warned))
            rows.append([who, truth, f"{times}x", *shares])
    said = (
        "loss covered",
        "params covered",
        "warned",
        "loss covered or warned",
        "params covered or warned",
    )
    return table(["plan", "truth near", "compute", *said], rows)


def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--teams", type=int, default=repeats(300))
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    asked = parser.parse_args(list(arguments))
    if asked.teams < len(FAMILIES):
        parser.error(
            f"--teams is {asked.teams}; accepted is at least {len(FAMILIES)}, one for each truth"
        )
    found = gathered(asked.teams, asked.workers)
    print(
        f"### Decisions under a truth that nobody fitted: {asked.teams} teams of 60 runs, regret "
        "in % of compute\n"
    )
    print(regrets(found), "\n")
    print(
        "Median / 90th percentile of regret, and the share of plans in the truth's best "
        "precision:\n"
    )
    print(by_truth(found), "\n")
    print("Intervals of 90%:\n")
    print(coverage(found), "\n")
    print(
        "Share of plans with a warning that counts above (that a plan extrapolates is said "
        "always):\n"
    )
    print(warnings(found))


if __name__ == "__main__":
    main(sys.argv[1:])
