"""The verb ``plan``: a budget in; the best params, tokens and precision out, with what could be otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from isoloss.fits import Comparison, Fit, ResultWarning, WarningKind
from isoloss.formats import Precision
from isoloss.laws import Array, Levels, plain
from isoloss.plans.budget import Budget
from isoloss.plans.cautions import cautions_of, disagreeing, outside_of
from isoloss.plans.charts import Question
from isoloss.plans.costs import Hardware, counted_over_rule, machine
from isoloss.plans.doubt import check_level, interval
from isoloss.plans.problems import PlanError
from isoloss.plans.result import Choice, LawPlan, Plan
from isoloss.plans.search import (
    Best,
    Listened,
    Member,
    Space,
    blind,
    far,
    levels_of,
    loss_of,
    mean_loss,
    members_of,
    replanned,
    search,
    serving_bytes,
    shares,
    space_of,
)


def plan(
    thing: Listened | Sequence[Listened] | Mapping[str, float],
    budget: Budget,
    hardware: str | Hardware,
    *,
    precision: str | Precision | Sequence[str | Precision] | None = None,
    extrapolate: bool = False,
    draws: int = 1000,
    level: float = 0.9,
    group: str | None = None,
) -> Plan:
    """The params, tokens and precision of least expected loss that a budget allows on a machine.

    ``thing``: a fit, a comparison (all its laws by weight), a law or its name, a list of these, or "published".
    ``precision``: the candidates; by default those that the fitted runs have, or bf16 where there are none. Every
    refit is planned again for the intervals. Outside the region of the runs a single recommendation is withheld
    unless ``extrapolate``. Raises PlanError, in one sentence, for what cannot be planned.
    """
    if not isinstance(budget, Budget):
        raise PlanError(f"budget is {budget!r}; give a Budget, as Budget('1e21 flop')")
    check_level(level)
    device = machine(hardware)
    members = members_of(thing, group, budget.unique_tokens is not None)
    asked, sparse = candidates_of(thing, precision)
    candidates, unknown = _known(members, asked)
    dropped = {**sparse, **unknown}
    members, silent = _seeing(members, candidates)
    space = space_of(budget, device, candidates)
    levels = levels_of(candidates)
    counts = shares(members, draws)
    mean = search(mean_loss(members, counts, levels, budget), space)
    order = [int(k) for k in np.argsort(mean.loss[0]) if np.isfinite(mean.loss[0, k])]
    if not order:
        raise PlanError(
            f"no precision of {', '.join(map(repr, map(str, candidates)))} can be planned within {budget}"
        )
    lost = "no loss at any size that the budget allows, or not for all refits of all laws"
    dropped |= {str(p): f"'{p}': {lost}" for k, p in enumerate(candidates) if k not in order}
    bare = len(members) == 1 and members[0].drawn is None
    drawn = (mean, np.ones(1)) if bare else replanned(members, counts, levels, budget, space)
    choices = tuple(_choice(k, mean, drawn, space, budget, device, level) for k in order)
    by_law = tuple(_of_law(m, levels, budget, space) for m in members)
    outside = outside_of(members, choices[0])
    told = thing.warnings if isinstance(thing, Comparison) else ()
    own = cautions_of(members, choices[0], device, space, order[0])
    cautions = (*silent, *told, *disagreeing(by_law), *own)
    withheld = None if extrapolate else outside
    extra = (ResultWarning(WarningKind.EXTRAPOLATION, outside),) if outside and extrapolate else ()
    question = Question(members, counts, budget, device, space, *drawn)
    return Plan(
        choices, by_law, str(budget), str(device), level, withheld, dropped, (*extra, *cautions), question=question
    )  # fmt: skip


def candidates_of(
    thing: object, given: str | Precision | Sequence[str | Precision] | None
) -> tuple[tuple[Precision, ...], dict[str, str]]:
    """The precisions to choose from, each once, and why fitted levels with a sparsity are not among them."""
    sparse: dict[str, str] = {}
    if given is not None:
        found = [
            Precision.parse(p) for p in ([given] if isinstance(given, str | Precision) else given)
        ]
    else:
        fits = [thing] if isinstance(thing, Fit) else []
        fits = [e.fit for e in thing.entries] if isinstance(thing, Comparison) else fits
        found = []
        for name in dict.fromkeys(p for fit in fits for p in fit.points.precision):
            try:
                found.append(Precision.parse(name))
            except ValueError:  # a level is printed as its precision and then its sparsity
                sparse[name] = f"'{name}': pruned weights are not planned"
        found = found or [Precision("bf16")]
    if not found:
        raise PlanError("no precision to choose from; give at least one, as 'bf16'")
    return tuple(dict.fromkeys(found)), sparse


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
        raise PlanError(
            f"no precision is known to all {len(members)} laws; '{name}' is not to {why}"
        )
    return kept, reasons


def _seeing(
    members: Sequence[Member], candidates: Sequence[Precision]
) -> tuple[tuple[Member, ...], tuple[ResultWarning, ...]]:
    """The laws that tell the candidates apart, weights adding up to one, and a word about the others."""
    deaf = [m for m in members if blind(m, candidates)]
    if len(deaf) == len(members):
        if len(candidates) > 1:
            raise PlanError(
                f"{', '.join(m.law.name for m in deaf)} cannot tell the precisions apart, so the cheapest would win; "
                "give a law with a precision in it, or one precision"
            )
        return tuple(members), ()
    left = [m for m in members if m not in deaf]
    total = sum(m.weight for m in left)
    words = tuple(
        ResultWarning(
            WarningKind.UNTESTED,
            f"{m.law.name} (weight {m.weight:.2g}) says nothing of precision and is not asked",
        )
        for m in deaf
    )
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
