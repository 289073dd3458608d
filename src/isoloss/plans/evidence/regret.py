"""Regret: what simpler choices would cost in loss, compute and money, under the laws of the plan.

**In compute.** A choice that reaches loss L with the whole budget wastes the share 1 - s, where the
best plan with s of every limit reaches L too: the frontier of loss against cost turns nats into
what people pay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq

from isoloss.formats import Precision
from isoloss.laws import Law, presets
from isoloss.plans.budget import Budget
from isoloss.plans.costs import Hardware
from isoloss.plans.doubt import interval
from isoloss.plans.evidence.choices import Choice, Regret
from isoloss.plans.evidence.question import Question
from isoloss.plans.problems import PlanError
from isoloss.plans.search import (
    MISREAD,
    Loss,
    Member,
    Space,
    blind,
    complete,
    levels_of,
    loss_of,
    losses_at,
    mean_loss,
    search,
    space_of,
    thinned,
)

#: Replicates that regrets are averaged over, and the least share of the budget that is looked at.
REFITS, LEAST_SHARE = 60, 1e-3
#: Tokens a param of the rule of thumb.
RULE = 20.0
BF16 = Precision("bf16")


@dataclass(frozen=True)
class Simple:
    """A simpler choice before it is judged."""

    name: str
    precision: Precision
    params: float
    tokens: float


def regrets_of(question: Question, first: Choice, level: float) -> tuple[Regret, ...]:
    """What bf16, the rule of thumb and the latest paper would cost against the first choice.

    Those that the budget or a law rules out are absent.
    """
    members, budget, space = question.members, question.budget, question.space
    counts = thinned(members, question.counts, REFITS)
    objective = mean_loss(members, counts, levels_of(space.precisions), budget)
    best = [Precision(first.precision)]
    plan, weights = losses_at(members, counts, best, first.params, first.tokens, budget)
    paid, found = _paid(budget), []
    for each in _simpler(members, counts, budget, space, question.device):
        if any(m.knows(each.precision) is not None for m in members):
            continue
        own, _ = losses_at(members, counts, [each.precision], each.params, each.tokens, budget)
        more = (own - plan)[:, 0]
        loss = float(np.average(own[:, 0], weights=weights))
        excess = float(np.average(more, weights=weights))
        wasted = _wasted(objective, space, loss)
        ends = interval(more, weights, level)
        spelled = str(each.precision)
        found.append(
            Regret(
                each.name,
                spelled,
                each.params,
                each.tokens,
                loss,
                excess,
                ends,
                wasted,
                wasted * paid,
            )
        )
    return tuple(found)


def _simpler(
    members: Sequence[Member],
    counts: Sequence[list[int]],
    budget: Budget,
    space: Space,
    device: Hardware,
) -> Iterator[Simple]:
    """The simpler choices that the budget allows."""
    try:
        plainly = space_of(budget, device, [BF16])
        one = search(mean_loss(members, counts, levels_of([BF16]), budget), plainly)
    except PlanError:  # bf16 does not fit in memory or budget, or nothing limits its tokens
        one = None
    if one is not None and np.isfinite(one.loss[0, 0]):
        yield Simple(
            "bf16 at its best size", BF16, float(one.params[0, 0]), float(one.tokens[0, 0])
        )
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
    own, dated = {_paper(m.law) for m in members}, []
    for law in presets():
        paper = _paper(law)
        if (
            paper
            and paper not in own
            and len(asked) > 1
            and law.name not in MISREAD
            and complete(law)
        ):
            member = Member(law)
            if member.knows_all(asked) and not blind(member, asked):
                dated.append((paper, member))
    return max(dated, key=lambda each: each[0])[1] if dated else None


def _paper(law: Law) -> str:
    """The arXiv number that a law's source begins with, empty without one."""
    found = re.match(r"\d{4}\.\d{5}", law.source)
    return found[0] if found else ""


def _wasted(objective: Loss, space: Space, loss: float) -> float:
    """The share of the budget that the best plan does not need for a loss."""

    def short(log_share: float) -> float:
        cut = tuple(replace(s, most=s.most * np.exp(log_share)) for s in space.spendings)
        return float(np.min(search(objective, replace(space, spendings=cut)).loss)) - loss

    if not space.spendings or short(0.0) >= 0:
        return 0.0
    least = float(np.log(LEAST_SHARE))
    if short(least) <= 0:
        return 1.0 - LEAST_SHARE
    return 1.0 - float(np.exp(brentq(short, least, 0.0, xtol=1e-4)))


def _paid(budget: Budget) -> float:
    """What the budget may cost in money; NaN without a price."""
    if budget.money is not None:
        return budget.money
    if budget.price is None or budget.hours is None or budget.devices is None:
        return float("nan")
    return budget.price * budget.hours * budget.devices
