"""The loss of a precision whose parts differ, between those of each part's precision for all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isoloss.fits import ResultWarning, WarningKind, loss_in_words
from isoloss.formats import Precision
from isoloss.plans.budget import Budget
from isoloss.plans.costs import ends_of, portions_of
from isoloss.plans.evidence.choices import Choice
from isoloss.plans.search import Member, Panel, losses_at, shares


def lies_between(
    members: Sequence[Member], draws: int, choices: Sequence[Choice], budget: Budget
) -> tuple[ResultWarning, ...]:
    """Warnings about choices that no law sees whole, with the losses that they lie between.

    A law without a term for single matrices still knows the precisions of all of them. If rounding
    more of a model never lowers its loss, that of the choice lies between theirs.

    Parameters
    ----------
    members
        All laws of the plan.
    draws
        Bootstrap replicates that are averaged over.
    choices
        Of the plan.
    budget
        Of the plan.
    """
    found = (_between(members, draws, c, budget) for c in choices if c.standing != "seen")
    return tuple(each for each in found if each is not None)


def _between(
    members: Sequence[Member], draws: int, choice: Choice, budget: Budget
) -> ResultWarning | None:
    """The warning about one choice; None where its parts are alike, or no law sees them all."""
    precision = Precision(choice.precision)
    portions = portions_of(precision, budget.decoder, budget.params)
    parts = list(dict.fromkeys([*(p.precision for p in portions), *ends_of(precision)]))
    if len(parts) < 2:
        return None
    panel = Panel.of(members, parts)
    seeing = frozenset.intersection(*panel.seers)
    if not seeing:
        return None
    laws = panel.taken(seeing)
    loss, weights = losses_at(
        laws, shares(laws, draws), parts, choice.params, choice.tokens, budget
    )
    mean = np.average(loss, axis=0, weights=weights)
    low, high = int(np.argmin(mean)), int(np.argmax(mean))
    names = ", ".join(m.law.name for m in laws)
    text = (
        f"'{precision}' lies between {loss_in_words(float(mean[low]))} (all as '{parts[low]}') and "
        f"{loss_in_words(float(mean[high]))} (all as '{parts[high]}') at its params and tokens by "
        f"{names}, if rounding more of a model never lowers its loss"
    )
    return ResultWarning(WarningKind.UNSEEN_PARTS, text)
