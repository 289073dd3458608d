"""The verb `plan`: a budget in; the best params, tokens and precision out, with intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isoloss.fits import Comparison, Fit, ResultWarning, WarningKind
from isoloss.formats import Precision
from isoloss.laws import Array, Levels, plain
from isoloss.plans.budget import Budget, BudgetLike, as_budget
from isoloss.plans.checks import Spellings, as_count, as_precisions, check_level, check_switch
from isoloss.plans.costs import Hardware, as_machine, counted_over_rule
from isoloss.plans.doubt import interval
from isoloss.plans.evidence import Choice, LawPlan, Question
from isoloss.plans.problems import PlanError
from isoloss.plans.result import Plan
from isoloss.plans.search import (
    Best,
    LawsLike,
    Member,
    Space,
    blind,
    far,
    levels_of,
    loss_of,
    mean_loss,
    members_of,
    metric_of_all,
    replanned,
    search,
    serving_bytes,
    shares,
    space_of,
)
from isoloss.plans.warnings_of_plan import disagreeing, outside_of, warnings_of
from isoloss.plans.what_laws_see import cannot_tell_apart, left_out, not_told_apart

INSTEAD = "use a precision-aware law or one precision"


def plan(
    laws: LawsLike,
    budget: BudgetLike,
    hardware: str | Hardware,
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
        A Budget, a mapping of its words, or compute alone, as "1e21 flop".
    hardware
        A machine by name, or a Hardware.
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
    budget, device = as_budget(budget), as_machine(hardware)
    check_level(level)
    check_switch("extrapolate", extrapolate)
    draws = as_count("draws", draws)
    asked, sparse = candidates_of(laws, precision)
    members = members_of(laws, group, budget.unique_tokens is not None)
    metric = metric_of_all(members)
    candidates, unknown = _known(members, asked)
    members, silent = _seeing(members, candidates)
    space = space_of(budget, device, candidates)
    levels = levels_of(candidates)
    counts = shares(members, draws)
    mean = search(mean_loss(members, counts, levels, budget), space)
    order, lost = _ranked(mean, candidates, budget)
    dropped = {**sparse, **unknown, **lost}
    bare = len(members) == 1 and members[0].drawn is None
    drawn = (mean, np.ones(1)) if bare else replanned(members, counts, levels, budget, space)
    choices = tuple(_choice(k, mean, drawn, space, budget, device, level) for k in order)
    by_law = tuple(_of_law(m, levels, budget, space) for m in members)
    outside = outside_of(members, choices[0])
    told = laws.warnings if isinstance(laws, Comparison) else ()
    own = warnings_of(members, choices[0], device, space, order[0])
    ties = not_told_apart(members, candidates)
    warnings = (*silent, *told, *disagreeing(by_law), *ties, *own)
    withheld = None if extrapolate else outside
    extra = (ResultWarning(WarningKind.EXTRAPOLATION, outside),) if outside and extrapolate else ()
    question = Question(members, counts, budget, device, space, *drawn)
    return Plan(
        choices,
        by_law,
        str(budget),
        str(device),
        level,
        withheld,
        dropped,
        (*extra, *warnings),
        question=question,
        metric=metric,
    )


def _ranked(
    mean: Best, candidates: Sequence[Precision], budget: Budget
) -> tuple[list[int], dict[str, str]]:
    """The candidates that can be planned, least loss first, and the others with the reason."""
    order = [int(k) for k in np.argsort(mean.loss[0]) if np.isfinite(mean.loss[0, k])]
    if not order:
        names = ", ".join(f"'{p}'" for p in candidates)
        raise PlanError(f"none of the candidates {names} can be planned within {budget}")
    why = "no loss at any size that the budget allows, or not for all replicates of all laws"
    lost = {str(p): f"'{p}': {why}" for k, p in enumerate(candidates) if k not in order}
    return order, lost


def candidates_of(
    laws: object, given: Spellings | None
) -> tuple[tuple[Precision, ...], dict[str, str]]:
    """The candidates, each once, and the fitted levels left out for sparsity, with reasons."""
    if given is not None:
        return as_precisions(given), {}
    fits = [laws] if isinstance(laws, Fit) else []
    fits = [e.fit for e in laws.entries] if isinstance(laws, Comparison) else fits
    found, sparse = [], {}
    for name in dict.fromkeys(p for fit in fits for p in fit.points.precision):
        try:
            found.append(Precision.parse(name))
        except ValueError:  # a level is printed as its precision and then its sparsity
            sparse[name] = f"'{name}': pruned weights are not planned"
    return tuple(dict.fromkeys(found or [Precision("bf16")])), sparse


def _known(
    members: Sequence[Member], candidates: Sequence[Precision]
) -> tuple[tuple[Precision, ...], dict[str, str]]:
    """The candidates at which every law is defined, and why the others are left out."""
    unsure = [m for m in members if not m.knows_all(candidates)]
    reasons = {}
    for p in candidates:
        told = [(m.law.name, why) for m in unsure if (why := m.knows(p)) is not None]
        if told:
            reasons[str(p)] = f"{told[0][0]}: {told[0][1]}"
    kept = tuple(p for p in candidates if str(p) not in reasons)
    if not kept:
        name, why = next(iter(reasons.items()))
        raise PlanError(f"no candidate is defined for all {len(members)} laws; for '{name}': {why}")
    return kept, reasons


def _seeing(
    members: Sequence[Member], candidates: Sequence[Precision]
) -> tuple[tuple[Member, ...], tuple[ResultWarning, ...]]:
    """The laws that tell the candidates apart, with weights; warnings about the others."""
    deaf = [m for m in members if blind(m, candidates)]
    if len(deaf) == len(members):
        if len(candidates) > 1:
            raise PlanError(cannot_tell_apart([m.law for m in deaf], "the candidates", INSTEAD))
        return tuple(members), ()
    left = [m for m in members if m not in deaf]
    total = sum(m.weight for m in left)
    words = tuple(map(left_out, deaf))
    return tuple(Member(m.law, m.weight / total, m.drawn, m.fit, m.group) for m in left), words


def _choice(
    k: int,
    mean: Best,
    drawn: tuple[Best, Array],
    space: Space,
    budget: Budget,
    device: Hardware,
    level: float,
) -> Choice:
    best, weights = drawn
    n, d = float(mean.params[0, k]), float(mean.tokens[0, k])
    winner = np.argmin(best.loss, axis=1)
    held = np.isfinite(best.loss[:, k])
    spent = {s.name: float(s.spent(n, d)[k] / s.most) for s in space.spendings}
    binding = [name for name, share in spent.items() if share > 1 - 1e-6]
    if space.params is None and np.log(n) > space.cap[k] - 1e-6:
        binding.append(space.capped_by[k])
    rate = space.rates[k]
    single = not device.is_abstract
    return Choice(
        precision=str(space.precisions[k]),
        params=n,
        tokens=d,
        loss=float(mean.loss[0, k]),
        params_interval=interval(best.params[held, k], weights[held], level),
        tokens_interval=interval(best.tokens[held, k], weights[held], level),
        loss_interval=interval(best.loss[held, k], weights[held], level),
        probability=float(weights[(winner == k) & held].sum()),
        binding=tuple(binding),
        spent=spent,
        flop=6.0 * n * d * rate.cost,
        device_hours=6.0 * n * d / rate.flops / 3600.0 if single else float("nan"),
        serving_bytes=float(plain(serving_bytes(n, space.precisions[k], budget))),
        rate=rate.how,
        emulated=rate.emulated,
        counted=counted_over_rule(n, budget.decoder),
    )


def _of_law(member: Member, levels: Levels, budget: Budget, space: Space) -> LawPlan:
    """What one law alone would do with the budget."""
    best = search(loss_of(member, member.values, levels, budget), space)
    k = int(np.argmin(best.loss[0]))
    n, d = float(best.params[0, k]), float(best.tokens[0, k])
    return LawPlan(
        member.law.name,
        member.weight,
        str(space.precisions[k]),
        n,
        d,
        float(best.loss[0, k]),
        far(member, n, d),
    )
