"""Disputes on what precision takes away and how it combines: C3 (params, tokens or loss), C4 (best
bits), C5 (groups), C7 (parts together), C10 (floats or integers).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from isoloss.fits import compare
from isoloss.formats import Precision, relative_error
from isoloss.papers.checking import check
from isoloss.papers.checks.runs.paired_runs import (
    DECAYED,
    Array,
    gaps_by_cell,
    jackknifed,
    ratio,
    rests,
    shown,
    total,
    trained,
    usual,
)
from isoloss.papers.checks.runs.parts_together import PARTS, observed_over_product, together
from isoloss.papers.checks.runs.precision_forms import (
    STARTS,
    added,
    capacity,
    data_factor,
    fitted,
)
from isoloss.papers.claim import Finding, Ours
from isoloss.papers.laboratory import Laboratory
from isoloss.plans import LawPlan, plans_by_law
from isoloss.runs import Runs


@check
def capacity_data_or_added(
    laboratory: Laboratory, table: str, precisions: Sequence[str]
) -> Finding:
    """AICc of a factor on params, a factor on tokens and an added loss, over the least of them."""
    runs = trained(laboratory, table, precisions)
    found = laboratory.once(
        ("capacity, data or added", runs.hash),
        lambda: compare(
            [capacity(), data_factor(), added()],
            runs,
            holdouts="random",
            starts=STARTS,
            draws=20,
            seed=laboratory.seed,
        ),
    )
    aicc = {entry.fit.law.name: entry.aicc for entry in found.entries}
    least = min(aicc.values())
    held = {entry.fit.law.name: entry.held_out_rmse for entry in found.entries}
    kappa = {entry.fit.law.name: entry.fit.values["kappa"] for entry in found.entries}
    said = ", ".join(
        f"{name} {value - least:.1f} (kappa {kappa[name]:.2f}, held-out error {held[name]:.4f})"
        for name, value in aicc.items()
    )
    return Finding(
        ours={f"{name}, AICc over the least": Ours(value - least) for name, value in aicc.items()},
        says=f"AICc over the least: {said}. It takes residuals as independent.",
        rests_on=(rests(runs, table), "three fits, kappa free"),
    )


@check
def best_level_by_setting(
    laboratory: Laboratory,
    table: str,
    methods: Mapping[str, tuple[str, Sequence[int]]],
    own: tuple[str, str, Sequence[int]],
) -> Finding:
    """Bits of the greatest free factor per bit, by parts and method; 16 bits leave all params."""
    quest = fitted(
        laboratory,
        capacity(("w", "a")).fix(kappa=1.0),
        usual(laboratory, table),
        "all levels",
    )
    ours = {
        name: _best(quest.values, quest.constant_draws, spelling, bits)
        for name, (spelling, bits) in methods.items()
    }
    name, spelling, bits = own
    runs = trained(laboratory, name, ["fp", *(spelling.format(b=b) for b in bits)])
    nearest = fitted(laboratory, capacity().fix(kappa=1.0), runs, "all parts")
    ours["all parts, to the nearest"] = _best(
        nearest.values, nearest.constant_draws, spelling, bits, short="int{b}"
    )
    said = "; ".join(f"{name} {shown(each)}" for name, each in ours.items())
    return Finding(
        ours=ours,
        says=f"Best bits where cost is params x bits: {said}.",
        rests_on=(
            rests(laboratory.runs(table), table),
            rests(runs, name),
            "fits of one factor a level",
        ),
    )


def _best(
    values: Mapping[str, float],
    draws: Mapping[str, Array],
    spelling: str,
    bits: Sequence[int],
    short: str = "",
) -> Ours:
    names = [f"eff[{(short or spelling).format(b=b)}]" for b in bits]
    every = np.array([*bits, 16.0])
    share = np.array([*(values[name] for name in names), 1.0]) / every
    drawn = np.column_stack([*(draws[name] for name in names), np.ones(len(draws[names[0]]))])
    best = every[np.argmax(drawn / every, axis=1)]
    return Ours(float(every[np.argmax(share)]), float(best.std()))


@check
def best_bits_of_laws(
    laboratory: Laboratory,
    budgets: Mapping[str, Sequence[str]],
    machine: str,
    laws: Mapping[str, Sequence[str]],
) -> Finding:
    """Bits of the best plan of published laws, each asked in its own formats, at some budgets."""
    ours: dict[str, Ours] = {}
    said = []
    for name, (law, groups) in laws.items():
        for budget in budgets[name]:
            plans = laboratory.once(
                ("plans by law", budget, machine), partial(_optima, budget, machine)
            )
            plan = next(each for each in plans if _asked(each, law, groups))
            bits = Precision.parse(plan.precision).bits("w") or float("nan")
            ours[f"{name} at {budget}"] = Ours(bits)
            said.append(
                f"{name} at {budget} {bits:g} bits, {plan.tokens / plan.params:.2g} tokens per "
                f"param, {plan.outside:.0f} times outside its runs"
            )
    first, last = (ours[f"Sun at {budget}"].value for budget in budgets["Sun"])
    ours["Sun, rise"] = Ours(last - first)
    return Finding(
        ours=ours,
        says=f"{'; '.join(said)}.",
        rests_on=(*(law for law, _ in laws.values()), f"cost {machine}"),
    )


def _optima(budget: str, machine: str) -> tuple[LawPlan, ...]:
    return tuple(each.alone for each in plans_by_law(budget, [machine]).optima)


def _asked(plan: LawPlan, law: str, groups: str) -> bool:
    """Whether a plan is of a law and, where it is asked in several, of these groups."""
    return plan.law == law and groups in plan.precision


@check
def cost_of_groups(
    laboratory: Laboratory, table: str, finer: str, coarser: str, figures: Sequence[str]
) -> Finding:
    """What finer groups cost in training over what coarser ones cost, beside rounding errors."""
    runs = usual(laboratory, table, DECAYED).where(parent=None)
    cells = gaps_by_cell(runs, [finer, coarser])
    found = jackknifed(
        cells, ("params", "seed"), lambda some: total(some, finer) / total(some, coarser)
    )
    errors = [
        relative_error("int" + each.partition("/")[0][1:], block=int(each.partition("/")[2]))
        for each in (finer, coarser)
    ]
    said = errors[0] / errors[1]
    return Finding(
        ours={
            **dict.fromkeys(figures, found),
            "gap over that by rounding error": Ours(found.value / said, found.error / said),
        },
        says=f"{finer} costs {shown(found)} of what {coarser} costs, in {len(cells)} pairs "
        f"of runs ({_runs_of(runs, finer)} runs have {finer}, {_runs_of(runs, coarser)} have "
        f"{coarser}); rounding errors of a normal variable say {said:.3f}.",
        rests_on=(rests(runs, table),),
    )


def _runs_of(runs: Runs, precision: str) -> int:
    return len(runs.where(precision=precision))


@check
def product_or_sum(laboratory: Laboratory, table: str, bits: Sequence[int]) -> Finding:
    """What all parts cost together over the product of free factors, and over the sum of costs."""
    runs = usual(laboratory, table, DECAYED).where(parent=None)
    ours = {
        f"over the product, {b} bits": observed_over_product(laboratory, table, b) for b in bits
    }
    for b in bits:
        ours[f"over the sum, {b} bits"] = _over_the_sum(runs, b)
    said = "; ".join(f"{name} {shown(each)}" for name, each in ours.items())
    return Finding(ours=ours, says=f"{said}.", rests_on=(rests(runs, table), "fit of free factors"))


def _over_the_sum(runs: Runs, bits: int) -> Ours:
    alone = [f"{part}{bits}" for part in PARTS]
    cells = gaps_by_cell(runs, [together(bits), *alone])
    return jackknifed(
        cells,
        ("params", "seed"),
        lambda some: total(some, together(bits)) / total(some, *alone),
    )


@check
def float_or_integer(laboratory: Laboratory, table: str, floating: str, integer: str) -> Finding:
    """What a float costs over what an integer of as many bits costs, once for each position."""
    runs = usual(laboratory, table, DECAYED)
    base = "bf16" if table == "quest2025" else "fp"
    found = ratio(runs, floating, integer, base)
    return Finding(
        ours=dict.fromkeys(("equal", "integers", "floats"), found),
        says=f"{floating} costs {shown(found)} of what {integer} costs.",
        rests_on=(rests(runs, table),),
    )
