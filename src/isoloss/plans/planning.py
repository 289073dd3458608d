"""The verb `plan`: a budget in; the best params, tokens and precision out, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from isoloss.fits import Comparison, ResultWarning, WarningKind
from isoloss.plans.budget import Budget, BudgetLike, as_budget, machine_of
from isoloss.plans.checks import Spellings, as_count, check_level, check_switch
from isoloss.plans.costs import Hardware
from isoloss.plans.evidence import (
    Choice,
    LawPlan,
    Question,
    ahead_by_unnamed,
    lies_between,
    published_hours,
    saturated,
)
from isoloss.plans.inherited import withheld_by_fits
from isoloss.plans.planned import (
    Planned,
    Plans,
    Use,
    beside_first,
    choice_of,
    ranked,
    unseen_choice,
    withheld_by_ridges,
)
from isoloss.plans.problems import PlanError
from isoloss.plans.result import Plan
from isoloss.plans.search import (
    LawsLike,
    Panel,
    far,
    levels_of,
    loss_of,
    members_of,
    metric_of_all,
    repeating,
    search,
    space_of,
)
from isoloss.plans.warnings_of_plan import (
    disagreeing,
    emulated_of,
    may_miss,
    memory_of,
    mixture_warning,
    no_one_size,
    outside_of,
    served_of,
    unsure,
    unused_rates,
    warnings_of,
)
from isoloss.plans.what_laws_see import (
    Spelled,
    candidates_of,
    check_told,
    defined_nowhere,
    known_of,
    not_repeating,
    not_told_apart,
    silent,
    unseen_of,
)
from isoloss.runs import compact


def plan(
    laws: LawsLike,
    budget: BudgetLike,
    hardware: str | Hardware | None = None,
    *,
    precision: Spellings | None = None,
    extrapolate: bool = False,
    draws: int = 1000,
    level: float = 0.9,
    group: str | None = None,
) -> Plan:
    """The params, tokens and precision of least expected loss that a budget allows on a machine.

    Parameters
    ----------
    laws
        A fit, a comparison (all its laws by weight), a law or its name, a list of these, a mapping
        of names to weights, or "published": every published law that has its constants.
    budget
        A Budget, a mapping of its words, a sentence, as "64 h100 for 30 days", or compute alone, as
        "1e21 flop".
    hardware
        A machine by name, or a Hardware; it may be left out where the budget names it.
    precision
        The candidates: a spelling, a Precision, or a list; by default those of the fitted runs,
        bf16 where there are none.
    extrapolate
        Recommend one choice also outside the region of the runs, where it is withheld otherwise.
    draws
        How many bootstrap replicates of the laws are planned again, for the intervals.
    level
        Coverage of the intervals, 0.9 = 90%.
    group
        Whose constants, where a law has some for each of several groups.

    Returns
    -------
    Plan
        The choices, least expected loss first.

    Raises
    ------
    PlanError
        An argument is of the wrong kind, no law knows a candidate, laws cannot tell the candidates
        apart, or the budget allows no model or limits too little.
    """
    budget = as_budget(budget)
    device = machine_of(budget, hardware)
    draws = as_count("draws", draws)
    check_level(level, draws)
    check_switch("extrapolate", extrapolate)
    use, asked = Use(budget, device, level), candidates_of(laws, precision)
    if (fresh := _without_repetition(laws, asked, use, draws, extrapolate, group)) is not None:
        return fresh
    return _plan(laws, asked, use, draws, extrapolate, group)


def _without_repetition(
    laws: LawsLike, asked: Spelled, use: Use, draws: int, extrapolate: bool, group: str | None
) -> Plan | None:
    """The plan where all tokens are unique, if no choice needs more of them than there are."""
    unique = use.budget.unique_tokens
    if unique is None:
        return None
    try:
        fresh = replace(use, budget=use.budget.with_unique(None))
        found = _plan(laws, asked, fresh, draws, extrapolate, group)
    except PlanError:  # without repetition nothing may bound the tokens
        return None
    if any(c.tokens > unique * (1 + 1e-9) for c in found.choices):
        return None
    words = f"none, {compact(unique)} unique tokens are as many as are trained on, or more"
    return replace(found, budget=str(use.budget), repetition=words)


def _plan(
    laws: LawsLike, asked: Spelled, use: Use, draws: int, extrapolate: bool, group: str | None
) -> Plan:
    """The plan, once its arguments are checked."""
    budget, device, level = use.budget, use.device, use.level
    repeated = repeating(members_of(laws, group), budget.unique_tokens)
    members = repeated.members
    candidates, nowhere = known_of(members, asked[0])
    panel = Panel.of(members, candidates)
    check_told(panel)
    space = space_of(budget, device, (*candidates, *nowhere))
    plans = Plans(panel, space.pick(range(len(candidates))), budget, draws, device)
    order, difference, lost = ranked(plans)
    found, first = plans.of(order[0]), choice_of(order[0], plans, use, 0.0)
    choices = tuple(beside_first(k, order[0], first, plans, use, difference) for k in order)
    bare = tuple(unseen_choice(k, space, first, use) for k in range(len(candidates), len(space)))
    own = [i for i, row in enumerate(panel.views) if any(view.sees for view in row)]
    by_law = tuple(_of_law(i, plans, repeated.borrows(i)) for i in own or range(len(members)))
    outside = outside_of(found.members, first)
    reasons = (
        *unsure(choices, difference, order, panel), outside,
        repeated.outside(first.tokens, budget.unique_tokens), withheld_by_fits(found.members),
        withheld_by_ridges(use.ridges(found), found.at(order[0]), level),
    )  # fmt: skip
    extra = (ResultWarning(WarningKind.EXTRAPOLATION, outside),) if outside and extrapolate else ()
    warnings = (
        *extra, *may_miss(space, (*choices, *bare), budget, device),
        *memory_of(first, budget, device), *emulated_of((*choices, *bare), device),
        *unused_rates(asked[0], device), *served_of(budget, device),
        *mixture_warning(found.members, found.counts, first, budget),
        *ahead_by_unnamed(found.members, found.counts, choices, budget),
        *repeated.warnings(first.tokens, budget.unique_tokens), *not_repeating(repeated.left_out),
        *saturated(plans.loss_of(found), found.space, first, budget),
        *_of_laws(laws, panel, own), *disagreeing(by_law), *defined_nowhere(nowhere),
        *lies_between(members, draws, choices, budget),
        *warnings_of(found.members, first, device, found.space, found.at(order[0])),
    )  # fmt: skip
    return Plan(
        (*choices, *bare), by_law, str(budget), str(device), level,
        None if extrapolate else "; ".join(filter(None, reasons)) or None, {**asked[1], **lost},
        tuple(dict.fromkeys(warnings)), question=_question(found, plans, use),
        apart=no_one_size(by_law), repetition=repeated.words(first.tokens, budget.unique_tokens),
        **_costs(choices, use, metric_of_all(members)),
    )  # fmt: skip


def _costs(choices: Sequence[Choice], use: Use, metric: str) -> dict[str, Any]:
    """What a plan keeps of the budget and the machine, for its costs."""
    budget, device = use.budget, use.device
    return {
        "metric": metric, "currency": budget.currency, "devices": budget.devices,
        "training_memory": _kept_in_training(choices[0], budget, device),
        "published": published_hours(choices, device) if metric == "nats" else (),
        "power": device.power, "shape": None if budget.decoder is None else budget.shape,
    }  # fmt: skip


def _question(found: Planned, plans: Plans, use: Use) -> Question:
    """What the first choice was made from."""
    return Question(
        found.members, found.counts, use.budget, use.device, found.space, found.drawn,
        found.weights, plans.panel, plans.space,
    )  # fmt: skip


def _of_laws(laws: LawsLike, panel: Panel, own: Sequence[int]) -> tuple[ResultWarning, ...]:
    """What to know of the laws: which are silent, what a comparison says, what they cannot see."""
    told = laws.warnings if isinstance(laws, Comparison) else ()
    return (*silent(panel, own), *told, *not_told_apart(panel), *unseen_of(panel))


def _kept_in_training(first: Choice, budget: Budget, device: Hardware) -> str | None:
    """What training the first choice keeps on each device, and by which rule; None where devices
    are not known or no limit is asked for.
    """
    if first.training_bytes != first.training_bytes or budget.training_memory is None:
        return None
    return (
        f"{first.training_bytes / 1e9:.4g} of {device.memory / 1e9:.4g} GB on each of "
        f"{budget.devices} {device.name} ({budget.training_memory.in_words})"
    )


def _of_law(i: int, plans: Plans, borrows: bool) -> LawPlan:
    """What one law alone would do with the budget, among the candidates that it sees; whether it
    borrows its term for repeated tokens.
    """
    member, row = plans.panel.members[i], plans.panel.views[i]
    seen = [k for k, view in enumerate(row) if view.sees]
    if seen and member.drawn is None:  # without replicates its mean loss is its loss
        found = plans.alone(i)
        space, best = found.space, found.mean
    else:
        defined = [k for k, view in enumerate(row) if view.undefined is None]
        space = plans.space.pick(seen or defined)
        loss = loss_of(member, member.values, levels_of(space.precisions), plans.budget)
        best = search(loss, space)
    k = int(np.argmin(best.loss[0]))
    n, d = float(best.params[0, k]), float(best.tokens[0, k])
    return LawPlan(
        member.law.name,
        member.weight,
        str(space.precisions[k]),
        n,
        d,
        float(best.loss[0, k]) if seen else float("nan"),
        far(member, n, d, plans.budget.unique_tokens),
        d / (plans.budget.unique_tokens or float("nan")),
        borrows,
    )
