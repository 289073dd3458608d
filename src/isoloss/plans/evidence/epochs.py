"""Repeated tokens of a plan: whose map and constants say what they are worth, in words."""

from __future__ import annotations

from collections.abc import Sequence

from isoloss.fits import ResultWarning, WarningKind
from isoloss.laws import Law
from isoloss.plans.budget import Budget
from isoloss.plans.evidence.choices import Choice
from isoloss.plans.search import Member
from isoloss.runs import compact

#: Laws named at most.
MOST = 3


def repetition_of(members: Sequence[Member], budget: Budget, first: Choice) -> str | None:
    """How often the first choice reads its unique tokens, and by whose constants a repeat counts;
    None where no unique tokens are given.
    """
    if budget.unique_tokens is None:
        return None
    read = f"{compact(budget.unique_tokens)} unique, read {first.epochs:.3g} times"
    if first.epochs <= 1:
        return f"{read}: none repeats"
    own = [m.law.name for m in members if m.borrowed is None]
    source, takers = _borrowed(members)
    said = [f"by the constants of {_named(own)}"] if own else []
    if source is not None:
        known = source.values
        said.append(
            f"by the map of {source.name} (R_D {known['R_D']:.4g} epochs, R_N {known['R_N']:.4g}; "
            f"{source.source}) for {_named(takers)}"
        )
    return f"{read}; repeats count {' and '.join(said)}"


def repetition_warning(members: Sequence[Member], first: Choice) -> tuple[ResultWarning, ...]:
    """A warning where repeats count by a map that was not fitted with the law."""
    source, takers = _borrowed(members)
    if source is None or not first.epochs > 1:
        return ()
    text = (
        f"what a repeated token is worth is taken from {source.name} for {_named(takers)}, with "
        "its constants as exact; that they hold beside another base, or in low precision, was not "
        "tested"
    )
    return (ResultWarning(WarningKind.UNTESTED, text),)


def _borrowed(members: Sequence[Member]) -> tuple[Law | None, list[str]]:
    """The law whose map others take, and their names."""
    takers = [m for m in members if m.borrowed is not None]
    return (takers[0].borrowed if takers else None), [m.law.name for m in takers]


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return f"{'law' if len(names) == 1 else 'laws'} {', '.join(names[:MOST])}{more}"
