"""What a plan inherits from the fits behind it: reasons not to give one recommendation."""

from __future__ import annotations

from collections.abc import Sequence

from isoloss.fits import WarningKind, withholds
from isoloss.plans.search import Member

#: A plan is withheld where laws of at least this share of the weight have a reason.
SHARE = 0.5


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

    What withholds the exponent of a fit withholds the sizes that are made of it; a design that
    cannot tell params from tokens is named before what comes of it.
    """
    if member.fit is None:
        return None
    found = [each for each in member.fit.warnings if withholds(each)]
    found.sort(key=lambda each: each.kind != WarningKind.COLLINEAR_DESIGN)
    return found[0].text if found else None
