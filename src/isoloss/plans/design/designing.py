"""The verb ``next_runs``: a fit and a budget in; the runs that make a plan surer out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isoloss.fits import INHERITED, Fit, ResultWarning, WarningKind
from isoloss.formats import Precision
from isoloss.laws import as_inputs
from isoloss.plans.budget import Budget
from isoloss.plans.costs import Hardware, machine
from isoloss.plans.design.asking import Spellings, check_question, precisions_of
from isoloss.plans.design.candidates import (
    POINTS,
    Candidates,
    Range,
    Region,
    affordable,
    grid,
    purse,
    region_of,
    regular,
)
from isoloss.plans.design.design_result import NextRun, NextRuns, Width
from isoloss.plans.design.exchange import Counts, Limits, best_design
from isoloss.plans.design.refit_gradients import Sight, Target, noise_of, sight_of
from isoloss.plans.search import members_of


def next_runs(
    fit: Fit,
    budget: Budget,
    hardware: str | Hardware,
    *,
    target: Budget,
    target_precision: Spellings | None = None,
    precision: Spellings | None = None,
    params: Range | None = None,
    tokens: Range | None = None,
    runs: int = 32,
    seeds: int = 8,
    noise: float | None = None,
    views: int = 12,
    level: float = 0.9,
    group: str | None = None,
) -> NextRuns:
    """The runs within a budget that are expected to shrink the interval of a plan's params most.

    ``budget``: what all new runs may cost together (train, hours or money). ``target``: the budget of the plan whose
    params are to be learned, in the best of ``target_precision``. Runs are chosen from ``precision`` (both by default
    those that were fitted) and from ranges of ``params`` and ``tokens`` (by default from the least of the fitted
    runs to four times the most), at most ``runs`` of them and ``seeds`` of one kind. ``noise``: standard deviation of
    log loss, from the residuals unless given. ``views``: over how many refits the expectation is taken. ``group``:
    whose base, where there are several. Raises PlanError, in one sentence, for what cannot be asked.
    """
    check_question(
        fit, budget, target, {"runs": runs, "seeds": seeds, "views": views}, level, noise
    )
    device = machine(hardware)
    most = purse(budget, device)
    group = members_of(fit, group)[0].group
    wanted = Target(fit, target, device, precisions_of(fit, target_precision, group)[0], group)
    tried, left_out = precisions_of(fit, precision, group)
    assert fit.law.box is not None  # every fit has one
    region = region_of(fit.law.box, params, tokens)
    sight = sight_of(wanted, noise_of(fit) if noise is None else noise, views)
    candidates, seen = sight.of(affordable(grid(region, POINTS, POINTS, device, tried), most))
    limits = Limits(candidates.cost, most, runs, seeds)
    counts = best_design(seen, limits)
    found = np.flatnonzero(counts)
    bought = candidates.take(found)
    best_grid = reference_grid(sight, region, device, tried, most)
    low, middle, high = np.exp(
        np.quantile(sight.log_params, [(1 - level) / 2, 0.5, (1 + level) / 2])
    )
    now = float(high / low)
    return NextRuns(
        runs=_runs(bought, counts[found]),
        budget=str(budget),
        target=_asked(wanted),
        hardware=str(device),
        flop=float(bought.cost @ counts[found]),
        most_flop=most,
        params=(float(middle), float(low), float(high)),
        width=Width(
            now, now ** seen.shrunk(counts), None if best_grid is None else now ** best_grid[1]
        ),
        grid_runs=0 if best_grid is None else best_grid[0],
        noise=sight.noise,
        level=level,
        cautions=_cautions(fit, bought, counts[found], limits, left_out),
    )


def reference_grid(
    sight: Sight, region: Region, device: Hardware, precisions: Sequence[Precision], most: float
) -> tuple[int, float] | None:
    """The best regular grid of the same cost, 2 x 2 to 5 x 5 in every precision: its runs, and how it shrinks the
    interval; None where none can be paid.
    """
    grids = [regular(region, side, device, precisions, most) for side in (2, 3, 4, 5)]
    found = []
    for cells in (g for g in grids if g is not None):
        kept, seen = sight.of(cells)
        found.append((len(kept), seen.shrunk(np.ones(len(kept)))))
    return min(found, key=lambda each: each[1], default=None)


def _asked(wanted: Target) -> str:
    """The target in words."""
    named = [f"'{p}'" for p in wanted.precisions]
    best = named[0] if len(named) == 1 else f"the best of {', '.join(named)}"
    return f"{wanted.budget} in {best}"


def _runs(bought: Candidates, counts: Counts) -> tuple[NextRun, ...]:
    spelled = [str(bought.precisions[k]) for k in bought.which]
    rows = zip(bought.params, bought.tokens, spelled, counts, bought.cost, strict=True)
    return tuple(
        NextRun(float(n), float(d), p, int(seeds), float(flop)) for n, d, p, seeds, flop in rows
    )


def _cautions(
    fit: Fit, bought: Candidates, counts: Counts, limits: Limits, left_out: Sequence[str]
) -> tuple[ResultWarning, ...]:
    found = [ResultWarning(WarningKind.UNTESTED, why) for why in left_out]
    found += [c for c in fit.warnings if c.kind in INHERITED]
    assert fit.law.box is not None
    far = fit.law.box.outside(as_inputs(bought.params, bought.tokens))
    if (far > 1).any():
        text = (
            f"{int(counts[far > 1].sum())} of {int(counts.sum())} runs lie outside the fitted ones, by a factor of up "
            f"to {far.max():.3g}: what the law misses there is not in the expectation, and they will show it"
        )
        found.append(ResultWarning(WarningKind.EXTRAPOLATION, text))
    left = 1 - float(bought.cost @ counts) / limits.most
    if left > 0.05:
        full = (
            "more runs than these are not asked for"
            if counts.sum() >= limits.runs
            else "no other run helps"
        )
        found.append(
            ResultWarning(
                WarningKind.UNTESTED, f"{100 * left:.3g}% of the budget stays unspent: {full}"
            )
        )
    return tuple(found)
