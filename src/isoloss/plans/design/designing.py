"""The verb `next_runs`: a fit and a budget in; the runs that make a plan surer out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isoloss.fits import INHERITED, Fit, ResultWarning, WarningKind
from isoloss.formats import Precision
from isoloss.laws import as_inputs
from isoloss.plans.budget import BudgetLike, as_budget, machine_of
from isoloss.plans.checks import Spellings, as_count, check_level, check_noise
from isoloss.plans.costs import Hardware
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
from isoloss.plans.design.design_result import NextRuns, Width
from isoloss.plans.design.exchange import Counts, Limits, best_design
from isoloss.plans.design.refit_gradients import Replicates, Target, noise_of, replicates_of
from isoloss.plans.design.to_train import bought_runs
from isoloss.plans.design.what_runs_cost import cost_in_words
from isoloss.plans.problems import PlanError
from isoloss.plans.search import Member, blind, member_of
from isoloss.plans.what_laws_see import candidates_of, cannot_tell_apart


def next_runs(
    law: Fit,
    budget: BudgetLike,
    hardware: str | Hardware | None = None,
    *,
    target: BudgetLike,
    target_precision: Spellings | None = None,
    precision: Spellings | None = None,
    params: Range | None = None,
    tokens: Range | None = None,
    max_runs: int = 32,
    max_seeds: int = 8,
    noise: float | None = None,
    replicates: int = 12,
    level: float = 0.9,
    group: str | None = None,
) -> NextRuns:
    """The runs within a budget that are expected to shrink the interval of a plan's params most.

    Parameters
    ----------
    law
        A fit, whose bootstrap replicates say what is not known yet.
    budget
        What all new runs may cost together: train, hours or money.
    hardware
        The machine of the runs and of the plan, which says what each precision costs; None where
        the budget names it, as "64 h100 for 30 days".
    target
        The budget of the plan whose params are to be learned.
    target_precision
        The precisions of that plan, of which it takes the best; by default those of the fitted
        runs.
    precision
        The precisions to run in; by default those of the fitted runs.
    params, tokens
        Ranges (least, most) of the runs, counts; by default from the least of the fitted runs to
        four times the most.
    max_runs, max_seeds
        The most runs in all, and the most seeds of one kind of run.
    noise
        Standard deviation of log loss; by default that of the fit's residuals.
    replicates
        Over how many bootstrap replicates the expectation is taken.
    level
        Coverage of the interval of params, 0.9 = 90%.
    group
        Whose constants, where the law has some for each of several groups.

    Returns
    -------
    NextRuns
        The runs, their cost, and the interval of the params now, after them, and after a regular
        grid.

    Raises
    ------
    PlanError
        An argument is of the wrong kind, the budget pays for no run, or what is asked cannot be
        learned from runs.
    """
    fit, paid = _fitted(law), as_budget(budget)
    device, wanted = machine_of(paid, hardware), as_budget(target, "target")
    most = purse(paid, device)
    most_runs, most_seeds = as_count("max_runs", max_runs), as_count("max_seeds", max_seeds)
    count = as_count("replicates", replicates)
    if noise is not None:
        check_noise(noise)
    check_level(level, count)
    group = member_of(fit, group).group
    asked = Target(fit, wanted, device, _precisions_of(fit, target_precision, group)[0], group)
    tried, left_out = _precisions_of(fit, precision, group)
    assert fit.law.box is not None  # every fit has one
    region = region_of(fit.law.box, params, tokens)
    known = replicates_of(asked, noise_of(fit) if noise is None else noise, count)
    candidates, problem = known.of(affordable(grid(region, POINTS, POINTS, device, tried), most))
    limits = Limits(candidates.cost, most, most_runs, most_seeds)
    counts = best_design(problem, limits)
    found = np.flatnonzero(counts)
    bought = candidates.take(found)
    ends = np.quantile(known.log_params, [(1 - level) / 2, 0.5, (1 + level) / 2])
    low, middle, high = np.exp(ends)
    now, best_grid = float(high / low), reference_grid(known, region, device, tried, most)
    return NextRuns(
        runs=bought_runs(bought, counts[found]),
        budget=str(paid),
        target=_asked(asked),
        hardware=str(device),
        flop=float(bought.cost @ counts[found]),
        most_flop=most,
        params=(float(middle), float(low), float(high)),
        width=Width(
            now, now ** problem.shrunk(counts), None if best_grid is None else now ** best_grid[1]
        ),
        grid_runs=0 if best_grid is None else best_grid[0],
        noise=known.noise,
        level=level,
        warnings=_warnings(fit, bought, counts[found], limits, left_out),
        held=asked.is_held(level),
        costs=cost_in_words(float(bought.cost @ counts[found]), paid, device),
    )


def _fitted(law: object) -> Fit:
    if not isinstance(law, Fit):
        raise PlanError(
            "next runs are chosen for a fit, whose bootstrap replicates say what is not known yet; "
            f"a {type(law).__name__} has none: ask il.plans.first_runs a question (--question)"
        )
    return law


def _precisions_of(
    fit: Fit, given: Spellings | None, group: str | None
) -> tuple[tuple[Precision, ...], tuple[str, ...]]:
    """The precisions asked for, or those that were fitted, and why fitted ones are left out.

    Raises PlanError for a precision at which the law is undefined, which rests on constants that no
    fitted run holds, or which the law cannot tell from the others: its runs would be chosen for
    their price alone.
    """
    found, sparse = candidates_of(fit, given)
    fitted = candidates_of(fit, None)[0]
    member = member_of(fit, group)
    new = [p for p in found if p not in fitted]
    for each in found:
        if (why := member.knows(each)) is not None:
            raise PlanError(why)
    for each in new:
        _check_held(fit, member, each)
    compared = [*found, fitted[0]] if new else list(found)
    if blind(member, compared):
        names = ", ".join(repr(str(p)) for p in dict.fromkeys(compared))
        instead = "use a precision-aware law or one precision that was fitted"
        raise PlanError(cannot_tell_apart([fit.law], names, instead))
    return found, tuple(sparse.values())


def _check_held(fit: Fit, member: Member, new: Precision) -> None:
    for doubt in fit.doubts(member.point(new, 1e9, 1e11)):
        if doubt.kind == WarningKind.NOT_IN_DATA:
            raise PlanError(
                f"'{new}' rests on {', '.join(doubt.about)}, which no fitted run holds, so what "
                "such runs would teach is unknown; train a few and fit again"
            )


def reference_grid(
    known: Replicates,
    region: Region,
    device: Hardware,
    precisions: Sequence[Precision],
    most: float,
) -> tuple[int, float] | None:
    """The best regular grid of the same cost, 2 x 2 to 5 x 5 in every precision, or None.

    Its number of runs, and the power of the interval's width that is left.
    """
    grids = [regular(region, side, device, precisions, most) for side in (2, 3, 4, 5)]
    found = []
    for cells in (g for g in grids if g is not None):
        kept, problem = known.of(cells)
        found.append((len(kept), problem.shrunk(np.ones(len(kept)))))
    return min(found, key=lambda each: each[1], default=None)


def _asked(wanted: Target) -> str:
    """The target in words."""
    named = [f"'{p}'" for p in wanted.precisions]
    best = named[0] if len(named) == 1 else f"the best of {', '.join(named)}"
    return f"{wanted.budget} in {best}"


def _warnings(
    fit: Fit, bought: Candidates, counts: Counts, limits: Limits, left_out: Sequence[str]
) -> tuple[ResultWarning, ...]:
    found = [ResultWarning(WarningKind.UNTESTED, why) for why in left_out]
    found += [c for c in fit.warnings if c.kind in INHERITED]
    assert fit.law.box is not None
    far = fit.law.box.outside(as_inputs(bought.params, bought.tokens))
    if (far > 1).any():
        text = (
            f"{int(counts[far > 1].sum())} of {int(counts.sum())} runs lie outside the fitted "
            f"ones, by a factor of up to {far.max():.3g}: a misfit of the law there is not in the "
            "expectation, and these runs will show it"
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
