"""Regret: what simpler choices would cost in loss, compute and money, by the laws of the plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from isoloss.fits import Along, join_ridges
from isoloss.formats import Precision
from isoloss.laws import presets
from isoloss.plans.budget import Budget
from isoloss.plans.costs import Hardware, rate_of_model
from isoloss.plans.doubt import FAR, NO_INTERVAL, interval
from isoloss.plans.evidence.choices import Choice, Regret
from isoloss.plans.evidence.question import Question
from isoloss.plans.evidence.wasted import wasted_of
from isoloss.plans.problems import PlanError
from isoloss.plans.search import (
    MISREAD,
    Member,
    Panel,
    Space,
    blind,
    complete,
    device_hours,
    levels_of,
    loss_of,
    losses_at,
    mean_loss,
    paper_of,
    search,
    space_of,
    spendings_of,
    thinned,
    views_of,
)

#: Replicates that regrets are averaged over.
REFITS = 60
#: Tokens a param of the rule of thumb.
RULE = 20.0
BF16 = Precision("bf16")
AT_BEST = "bf16 at its best size"


@dataclass(frozen=True)
class Simple:
    """A simpler choice before it is judged."""

    name: str
    precision: Precision
    params: float
    tokens: float


def regrets_of(question: Question, first: Choice, level: float) -> tuple[Regret, ...]:
    """What bf16, the rule of thumb and the latest paper would cost against the first choice.

    Those that the budget or a law rules out, or that are the first choice itself, are absent.
    """
    if first.standing != "seen":
        return ()
    members, space = question.members, question.space
    counts = thinned(members, question.counts, REFITS)
    simpler = _simpler(members, counts, question.budget, space, question.device)
    # Where the first choice is bf16, bf16 at its best size is the first choice again.
    simpler = (each for each in simpler if (each.name, first.precision) != (AT_BEST, str(BF16)))
    found = (_judged(question, counts, first, each, level) for each in simpler)
    return tuple(each for each in found if each is not None)


def _judged(
    question: Question, counts: Sequence[list[int]], first: Choice, each: Simple, level: float
) -> Regret | None:
    """What one simpler choice would cost, by the laws that see both; None where none does."""
    budget, space, best = question.budget, question.space, Precision(first.precision)
    # Every law of the question sees the first choice and all of the space.
    panel = Panel.of(question.members, [each.precision])
    if not panel.seers[0]:
        return None
    members, rows = panel.taken(panel.seers[0]), [counts[i] for i in sorted(panel.seers[0])]
    plan, weights = losses_at(members, rows, [best], first.params, first.tokens, budget)
    own, _ = losses_at(members, rows, [each.precision], each.params, each.tokens, budget)
    more = (own - plan)[:, 0]
    loss = float(np.average(own[:, 0], weights=weights))
    objective = mean_loss(members, rows, levels_of(space.precisions), budget)
    spent, bill = _spent(question, each)
    wasted = wasted_of(objective, space, loss, spent)
    is_point = all(m.drawn is None for m in members)
    ends = NO_INTERVAL
    if not is_point and first.outside <= FAR:
        along = list(_along(members, each, first, budget, level))
        ends = _widened(interval(more, weights, level), along, level)
    return Regret(
        each.name, str(each.precision), each.params, each.tokens, loss,
        float(np.average(more, weights=weights)),
        ends, wasted, wasted * bill, is_point, bill, tuple(m.law.name for m in members),
        _by_law(members, each, budget, space, spent),
    )  # fmt: skip


def _by_law(
    members: Sequence[Member], each: Simple, budget: Budget, space: Space, spent: float
) -> tuple[float, float]:
    """The least and the most that a simpler choice wastes by one law alone; NaN of one law."""
    if len(members) < 2:
        return NO_INTERVAL
    found, levels = [], levels_of(space.precisions)
    asked = [each.precision], each.params, each.tokens, budget
    for m in members:
        alone = replace(m, drawn=None)
        loss = float(losses_at([alone], [[0]], *asked)[0][0, 0])
        found.append(wasted_of(loss_of(m, m.values, levels, budget), space, loss, spent))
    return min(found), max(found)


def _along(
    members: Sequence[Member], each: Simple, first: Choice, budget: Budget, level: float
) -> Iterator[tuple[float, Along]]:
    """Where the ridge of each law that has one takes what a simpler choice costs, by weight."""
    for m in members:
        if m.fit is None or not m.fit.identified.followed:
            continue
        known = m.fit.identified
        one = replace(m, drawn={**m.values, **m.fit.coordinates.constants(known.theta)})
        rows = [list(range(len(known.theta)))]
        own, _ = losses_at([one], rows, [each.precision], each.params, each.tokens, budget)
        best = [Precision(first.precision)]
        plan, _ = losses_at([one], rows, best, first.params, first.tokens, budget)
        yield m.weight, known.of_gaps(own - plan, float(np.nanmean(plan)), level)


def _widened(
    ends: tuple[float, float], along: Sequence[tuple[float, Along]], level: float
) -> tuple[float, float]:
    """An interval that holds what ridges reach; NaN where they move the answer."""
    if not along:
        return ends
    reach = join_ridges(along, level)
    if reach.moved[0]:
        return NO_INTERVAL
    return min(ends[0], float(reach.low[0])), max(ends[1], float(reach.high[0]))


def _simpler(
    members: Sequence[Member],
    counts: Sequence[list[int]],
    budget: Budget,
    space: Space,
    device: Hardware,
) -> Iterator[Simple]:
    """The simpler choices that the budget allows."""
    able = Panel.of(members, [BF16])
    told, rows = able.taken(able.seers[0]), [counts[i] for i in sorted(able.seers[0])]
    try:
        plainly = space_of(budget, device, [BF16])
        loss = mean_loss(told, rows, levels_of([BF16]), budget)
        one = search(loss, plainly) if told else None
    except PlanError:  # bf16 does not fit in memory or budget, or nothing limits its tokens
        one = None
    if one is not None and np.isfinite(one.loss[0, 0]):
        yield Simple(AT_BEST, BF16, float(one.params[0, 0]), float(one.tokens[0, 0]))
        if space.params is None and space.tokens is None:
            params = _by_rule(plainly)
            yield Simple(f"bf16, {RULE:g} tokens a param", BF16, params, RULE * params)
    latest = _latest(members, space.precisions)
    if latest is not None:
        own = search(loss_of(latest, latest.values, levels_of(space.precisions), budget), space)
        k = int(np.argmin(own.loss[0]))
        if np.isfinite(own.loss[0, k]):
            name = f"as {latest.law.name} says"
            yield Simple(
                name, space.precisions[k], float(own.params[0, k]), float(own.tokens[0, k])
            )


def _by_rule(space: Space) -> float:
    """The most params that the budget trains on 20 tokens each: N (each 20 N + once) = most."""
    most = [float(np.exp(space.cap[0]))]
    for s in space.spendings:
        a, b = s.each[0] * RULE, s.once[0]
        most.append(
            float(s.most / b if a == 0 else (np.sqrt(b * b + 4 * a * s.most) - b) / (2 * a))
        )
    return min(most)


def _latest(members: Sequence[Member], asked: Sequence[Precision]) -> Member | None:
    """The law of the newest paper not in the plan that tells the candidates apart."""
    own = {paper_of(m.law) for m in members}
    newer = [
        (paper, law)
        for law in presets()
        if (paper := paper_of(law)) and paper not in own and law.name not in MISREAD
    ]
    if len(asked) < 2:
        return None
    for _, law in sorted(newer, key=lambda each: each[0], reverse=True):
        member = Member(law)
        able = complete(law) and not any(member.unknown(asked)) and not blind(member, asked)
        if able and all(view.sees for view in views_of(member, asked)):
            return member
    return None


def _spent(question: Question, each: Simple) -> tuple[float, float]:
    """What a choice spends in the unit of the first limit, and its bill; NaN without a price."""
    asked = question.budget, question.device, [each.precision]
    model = question.budget.decoder, question.budget.params
    rates = [rate_of_model(question.device, each.precision, *model)]
    limits = spendings_of(*asked, rates)
    spent = float(limits[0].spent(each.params, each.tokens)[0]) if limits else float("nan")
    if question.budget.price is None or question.device.is_abstract:
        return spent, float("nan")
    hours = float(device_hours(*asked, rates).spent(each.params, each.tokens)[0])
    return spent, hours * question.budget.price
