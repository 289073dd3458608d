"""Wasted: the share of what a choice spends that the cheapest plan of the same loss does not need.

A choice that reaches loss L and costs C wastes 1 - c / C, where c is the cost of the cheapest plan
that reaches L too: the frontier of loss against cost turns nats into what people pay. C is what the
choice really spends, not what the budget would allow. Where tokens repeat, the cheapest plan
repeats them too: after some hundred epochs loss no longer falls, and plans of a hundredth of the
cost reach it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.optimize import brentq

from isoloss.fits import ResultWarning, WarningKind, loss_in_words
from isoloss.plans.budget import Budget
from isoloss.plans.evidence.choices import Choice
from isoloss.plans.search import Best, Loss, Space, search

#: The least share of the budget that is looked at, and the share of a loss by which two are one: a
#: search at the budget itself may end as far above a loss that has stopped to fall.
LEAST_SHARE, SAME = 1e-3, 1e-9
#: A loss this much higher is as good where tokens repeat, if a plan for this share of the money
#: reaches it.
AS_GOOD, CHEAP = 1e-3, 0.5


def wasted_of(objective: Loss, space: Space, loss: float, spent: float) -> float:
    """The share of what is spent, in the unit of the first limit, that the cheapest plan of a loss
    does not need, 0 to 1.

    Parameters
    ----------
    objective
        The loss that is minimised, repeated tokens included.
    space
        The feasible params and tokens of the candidates.
    loss, spent
        What a choice reaches, and what it spends.
    """
    enough = loss + SAME * abs(loss)

    def within(log_share: float) -> Best:
        cut = tuple(replace(s, most=s.most * np.exp(log_share)) for s in space.spendings)
        return search(objective, replace(space, spendings=cut))

    def short(log_share: float) -> float:
        # Where the cut budget holds no plan, its loss is infinite, which a root finder cannot take.
        return min(float(np.min(within(log_share).loss)) - enough, 1.0)

    if not space.spendings or short(0.0) >= 0:
        return 0.0
    least = float(np.log(LEAST_SHARE))
    root = least if short(least) <= 0 else float(brentq(short, least, 0.0, xtol=1e-7))
    cheapest = within(root)
    k = int(np.argmin(cheapest.loss[0]))
    need = float(space.spendings[0].spent(cheapest.params[0], cheapest.tokens[0])[k])
    return max(0.0, 1.0 - need / spent)


def saturated(
    objective: Loss, space: Space, first: Choice, budget: Budget
) -> tuple[ResultWarning, ...]:
    """A warning where tokens repeat so often that a much cheaper plan is as good as the first."""
    unique = budget.unique_tokens
    if unique is None or first.tokens <= unique or not space.spendings or first.loss != first.loss:
        return ()
    limit = space.spendings[0]
    wasted = wasted_of(objective, space, first.loss + AS_GOOD, first.spent[limit.name] * limit.most)
    if wasted < CHEAP:
        return ()
    text = (
        f"{100 * (1 - wasted):.2g}% of what '{first.precision}' spends reaches its loss within "
        f"{loss_in_words(AS_GOOD)}, as {first.tokens / unique:.3g} epochs teach little more: "
        "more unique tokens would"
    )
    return (ResultWarning(WarningKind.UNTESTED, text),)
