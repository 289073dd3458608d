"""The loss of a precision whose parts differ, between those of each part's precision for all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isoloss.fits import ResultWarning, WarningKind, loss_in_words
from isoloss.formats import Precision
from isoloss.laws import Array
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


def gap_lies_between(
    members: Sequence[Member], precision: Precision, params: float, tokens: float, budget: Budget
) -> ResultWarning | None:
    """The warning about a way to serve whose parts differ, with the gaps that its own lies between;
    None where its parts are alike, or no law sees them all.
    """
    parts = _parts(precision, budget)
    laws = _seeing(members, parts)
    if len(parts) < 2 or not laws:
        return None
    gaps = [
        sum(m.weight * float(m.law.gap(params, tokens, p, p.trained, group=m.group)) for m in laws)
        for p in parts
    ]
    return _warning(precision, parts, np.array(gaps), "the gap of ", laws)


def _parts(precision: Precision, budget: Budget) -> list[Precision]:
    """The precisions of a model's parts, each once, without names."""
    portions = portions_of(precision, budget.decoder, budget.params)
    return list(dict.fromkeys([*(p.precision for p in portions), *ends_of(precision)]))


def _seeing(members: Sequence[Member], parts: Sequence[Precision]) -> tuple[Member, ...]:
    """The laws that see all of some precisions, with weights that add up to one."""
    panel = Panel.of(members, parts)
    which = frozenset.intersection(*panel.seers)
    return panel.taken(which) if which else ()


def _between(
    members: Sequence[Member], draws: int, choice: Choice, budget: Budget
) -> ResultWarning | None:
    """The warning about one choice; None where its parts are alike, or no law sees them all."""
    precision = Precision(choice.precision)
    parts = _parts(precision, budget)
    laws = _seeing(members, parts)
    if len(parts) < 2 or not laws:
        return None
    loss, weights = losses_at(
        laws, shares(laws, draws), parts, choice.params, choice.tokens, budget
    )
    mean = np.average(loss, axis=0, weights=weights)
    return _warning(precision, parts, mean, "", laws)


def _warning(
    precision: Precision, parts: Sequence[Precision], mean: Array, what: str, laws: Sequence[Member]
) -> ResultWarning:
    """Between which of the numbers of its parts that of a precision lies."""
    low, high = int(np.argmin(mean)), int(np.argmax(mean))
    names = ", ".join(m.law.name for m in laws)
    text = (
        f"{what}'{precision}' lies between {loss_in_words(float(mean[low]))} "
        f"(all as '{parts[low]}') and "
        f"{loss_in_words(float(mean[high]))} (all as '{parts[high]}') at its params and tokens by "
        f"{names}, if rounding more of a model never lowers its loss"
    )
    return ResultWarning(WarningKind.UNSEEN_PARTS, text)
