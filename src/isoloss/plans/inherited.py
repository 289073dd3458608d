"""What a plan inherits from the fits behind it: reasons not to give one recommendation."""

from __future__ import annotations

from collections.abc import Sequence

from isoloss.fits import WITHHOLDING, ResultWarning, WarningKind
from isoloss.plans.search import Member

#: A plan is withheld where laws of at least this share of the weight have a reason.
SHARE = 0.5
#: Constants that a plan rests on: at a bound they are not held, and the best size is not either.
OF_SIZE = {"A", "alpha", "B", "beta", "kappa"}


def withheld_by_fits(members: Sequence[Member]) -> str | None:
    """Reason not to recommend one size, from the fits of the laws; None where there is none.

    That of the heaviest law, where laws of half the weight or more have any.
    """
    found = [(m.weight, m.law.name, why) for m in members if (why := reason_of(m)) is not None]
    if sum(weight for weight, _, _ in found) < SHARE:
        return None
    _, name, why = max(found, key=lambda each: each[0])
    return f"{name}: {why}"


def reason_of(member: Member) -> str | None:
    """Why the fit of a law cannot tell the best size, or None; bare laws have no fit to ask.

    Kinds that withhold the exponent of a fit withhold the sizes that are made of it, and so does an
    exponent or a size of a term of the base that ends at its bound.
    """
    if member.fit is None:
        return None
    return next((each.text for each in member.fit.warnings if _withholds(each)), None)


def _withholds(each: ResultWarning) -> bool:
    if each.kind is WarningKind.AT_BOUND:
        return any(name.split("[")[0] in OF_SIZE for name in each.about)
    return each.kind in WITHHOLDING
