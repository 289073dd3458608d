"""Decisions beside competent rivals, under truths that no fitted law holds.

Each team has 60 noisy runs of a truth near a published law (``benchmarks.decision_teams``), bent:
the reducible loss has a curve in log params, what a precision costs also depends on tokens a param,
and noise falls with size. Five planners choose params, tokens and precision at 10 and 100 times the
compute of the runs; regret is how much less compute the truth's best plan needs for the loss that
the chosen one reaches, in percent. "outside" is how far the best of the team's laws lies from the
truth without noise, in percent of the loss. ``python -m benchmarks.decision_rivals [teams]``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.decision_quality import DRAWS, FIRST, HORIZONS, STARTS, median, tail, with_error
from benchmarks.decision_teams import (
    FAMILIES,
    Family,
    Oracle,
    at_peaks,
    design,
    form,
    jittered,
    published,
)
from benchmarks.timing import repeats, table
from isoloss.fits import compare, fit
from isoloss.laws import Array, Inputs, Law, as_inputs
from isoloss.plans import Budget, PlanError, plan
from isoloss.runs import Runs

#: Spread of the curve of the reducible loss a decade squared, and of the power of tokens a param in
#: what a precision costs; noise at the least size, which falls as the root of params.
BEND, RATE, NOISE = 0.03, 0.15, (0.005, 0.015)
#: Decades squared at which the curve levels off.
REACH = 4.0
#: Params of no curve, and tokens a param of no rate effect: the middle of the runs.
MIDDLE, RATIO = 1.4e8, 40.0
OURS, ONE, EACH, GAPS, EIGHT = (
    "isoloss: compare, then plan",
    "one law alone, the best on held-out runs",
    "a law a precision",
    "a bf16 law and constant gaps",
    "always the widest rounded precision",
)


@dataclass(frozen=True)
class Bent:
    """A law with a curve and a rate effect that it has no term for.

    Attributes
    ----------
    law
        The law behind it.
    bend
        Curve of the reducible loss over log10 of params.
    rate
        Power of tokens a param in what a precision costs.
    """

    law: Law
    bend: float
    rate: float

    def loss(self, x: Inputs) -> Array:
        """The loss without noise, shape (n,)."""
        wide = self.law.loss(x.at_reference())
        cost = (self.law.loss(x) - wide) * (x.tokens / x.params / RATIO) ** self.rate
        floor = self.law.values.get("E", 0.0)
        # The curve levels off two decades away, or the best size would be without end.
        curve = self.bend * REACH * np.tanh(np.log10(x.params / MIDDLE) ** 2 / REACH)
        return np.asarray(floor + (wide - floor) * (1 + curve) + cost)


@dataclass(frozen=True)
class Rivals:
    """One team: what it has, and the truth, which only the score sees."""

    seed: int
    family: Family
    truth: Bent
    runs: Runs
    compute: float


def team(seed: int) -> Rivals:
    """The team of a seed; families take turns."""
    rng = np.random.default_rng([2026, seed])
    family = FAMILIES[seed % len(FAMILIES)]
    law = jittered(published(family.truth), rng)
    truth = Bent(law, BEND * rng.standard_normal(), RATE * rng.standard_normal())
    cells = design(family.precisions)
    n, d = (np.asarray(cells[name], float) for name in ("params", "tokens"))
    noise = rng.uniform(*NOISE) * np.sqrt(n.min() / n)
    loss = truth.loss(as_inputs(n, d, list(cells["precision"])))
    runs = cells.with_columns(loss=loss * np.exp(noise * rng.standard_normal(len(n))))
    return Rivals(seed, family, truth, runs, float(np.sum(6.0 * n * d)))


@dataclass(frozen=True)
class Made:
    """One plan of one planner, scored."""

    who: str
    horizon: int
    regret: float
    right: bool
    outside: float


def made(seed: int) -> list[Made]:
    """Every planner's plans for the team of a seed."""
    one = team(seed)
    truth: Any = one.truth  # all that the oracle asks of a law is its loss
    oracle = Oracle.of(truth, one.family.precisions, one.family.hardware)
    out = []
    for who, planned, outside in _planners(one):
        for times in HORIZONS:
            params, tokens, precision = planned(times * one.compute)
            out.append(_scored(one, oracle, who, times, (params, tokens, precision), outside))
    return out


def _scored(one, oracle, who, times, chosen, outside) -> Made:
    compute = times * one.compute
    reached = oracle.loss(*chosen)
    losses = [oracle.params(compute, p)[1] for p in oracle.precisions]
    regret = 100.0 * (compute / oracle.needed(reached, compute) - 1.0)
    right = chosen[2] == oracle.precisions[int(np.argmin(losses))]
    return Made(who, times, regret, right, outside)


def _planners(one: Rivals) -> Iterator[tuple[str, object, float]]:
    names, hardware = one.family.precisions, one.family.hardware
    options = {"draws": DRAWS, "starts": STARTS, "seed": one.seed}
    laws = [form(name) for name in one.family.laws]
    together = compare(laws, one.runs, **options)
    x = as_inputs(one.runs["params"], one.runs["tokens"], list(one.runs["precision"]))
    truth = one.truth.loss(x)
    best = min(together.entries, key=lambda e: e.held_out_rmse)
    outside = min(
        100 * float(np.sqrt(np.mean(np.log(e.fit.law.loss(x) / truth) ** 2)))
        for e in together.entries
    )
    yield OURS, lambda c: _by_plan(together, c, hardware, names), outside
    yield ONE, lambda c: _by_plan(best.fit, c, hardware, names), outside
    own = {p: fit("chinchilla", one.runs.where(precision=p), **options).law for p in names}
    yield EACH, lambda c: _by_search(own, dict.fromkeys(names, 0.0), c, hardware), outside
    wide = dict.fromkeys(names, own["bf16"])
    gaps = {p: _gap(one.runs, p) for p in names}
    yield GAPS, lambda c: _by_search(wide, gaps, c, hardware), outside
    eight = {names[1]: own[names[1]]}
    yield EIGHT, lambda c: _by_search(eight, {names[1]: 0.0}, c, hardware), outside


def _by_plan(listened, compute: float, hardware: str, names) -> tuple[float, float, str]:
    """The first choice of isoloss, also where it would rather not recommend one."""
    asked = {"extrapolate": True, "draws": DRAWS}
    try:
        found = plan(listened, Budget(compute), at_peaks(hardware), precision=list(names), **asked)
    except PlanError:
        found = plan(listened, Budget(compute), at_peaks(hardware), precision="bf16", **asked)
    c = found.choices[0]
    return c.params, c.tokens, c.precision


def _by_search(laws, gaps, compute: float, hardware: str) -> tuple[float, float, str]:
    """The least loss of a law and a gap for each precision, by plain search."""
    found = []
    for name, law in laws.items():
        wide: Any = _Wide(law)
        oracle = Oracle.of(wide, [name], hardware)
        params, loss = oracle.params(compute, name)
        cost = 6.0 * oracle.costs[0]
        found.append((loss + gaps[name], params, compute / (cost * params), name))
    return min(found)[1:]


@dataclass(frozen=True)
class _Wide:
    """A law asked at full precision, whatever the precision of its runs."""

    law: Law

    def loss(self, x: Inputs) -> Array:
        """The loss, shape (n,)."""
        return self.law.loss(x.at_reference())


def _gap(runs: Runs, precision: str) -> float:
    """The mean gap of a precision to bf16 over the cells."""
    own, wide = (np.asarray(runs.where(precision=p)["loss"]) for p in (precision, "bf16"))
    return float(np.mean(own - wide))


def main(arguments: Sequence[str] = ()) -> None:
    counts = [int(word) for word in arguments if word.isdigit()]
    count = counts[0] if counts else min(repeats(30), 30)
    found: list[Made] = []
    with ProcessPoolExecutor(2) as pool:
        for done, new in enumerate(pool.map(made, range(FIRST, FIRST + count)), 1):
            found += new
            print(f"\rteam {done} of {count}", end="", file=sys.stderr, flush=True)
    outside = np.array([m.outside for m in found if m.who == OURS and m.horizon == HORIZONS[0]])
    print(f"### Decisions beside competent rivals: {count} teams, regret in % of compute\n")
    print(table(_head(), [_row(who, found) for who in (OURS, ONE, EACH, GAPS, EIGHT)]), "\n")
    for horizon in HORIZONS:
        print(_beside(found, horizon))
    print(
        f"The best of a team's laws misses the truth without noise by {np.median(outside):.2g}% of "
        f"the loss (median; {tail(outside):.2g}% in a tenth of the teams)."
    )


def _head() -> list[str]:
    each = ("median", "90th percentile", "right precision")
    return ["plan", *(f"{what}, {times}x" for times in HORIZONS for what in each)]


def _row(who: str, found: Sequence[Made]) -> list[str]:
    row = [who]
    for times in HORIZONS:
        own = [m for m in found if (m.who, m.horizon) == (who, times)]
        values = np.array([m.regret for m in own])
        right = f"{100 * np.mean([m.right for m in own]):.0f}%"
        row += [with_error(values, median), with_error(values, tail), right]
    return row


def _beside(found: Sequence[Made], horizon: int) -> str:
    """How often isoloss regrets less than one law alone, team by team."""
    ours, one = (
        np.array([m.regret for m in found if (m.who, m.horizon) == (who, horizon)])
        for who in (OURS, ONE)
    )
    # A percent of compute is less than the runs of a team tell.
    less, more = np.mean(ours < one - 1.0), np.mean(ours > one + 1.0)
    return (
        f"{horizon}x, each team beside {ONE!r}: less regret in {less:.0%}, within a percent of "
        f"compute in {1 - less - more:.0%}, more in {more:.0%}; mean difference of the logs of 1 + "
        f"regret {with_error(np.log1p(ours / 100) - np.log1p(one / 100), np.mean)}.\n"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
