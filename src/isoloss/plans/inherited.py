"""What a plan inherits from the fits behind it: reasons not to give one recommendation."""

from __future__ import annotations

from collections.abc import Sequence

from isoloss.fits import withholds
from isoloss.plans.search import Member

#: A plan is withheld where laws of at least this share of the weight have a reason.
SHARE = 0.5


def withheld_by_fits(members: Sequence[Member], flop: float) -> str | None:
    """Reason not to recommend one size at a compute, from the fits of the laws, or None.

    That of the heaviest law, where laws of half the weight or more have any.
    """
    found = [(m.weight, m.law.name, why) for m in members if (why := reason_of(m, flop))]
    if sum(weight for weight, _, _ in found) < SHARE:
        return None
    _, name, why = max(found, key=lambda each: each[0])
    return f"{name}: {why}"


def reason_of(member: Member, flop: float) -> str | None:
    """Why the fit of a law cannot tell the best size at 6 N D FLOPs; bare laws have none to ask.

    What withholds the exponent of a fit withholds the sizes that are made of it, unless the runs
    tell the size at this compute though not the exponent, and so does a size that moves along a
    ridge of constants which the runs do not hold.
    """
    if member.fit is None:
        return None
    said = next((each.text for each in member.fit.warnings if withholds(each)), None)
    if said or not member.fit.identified.followed:
        return said
    if member.fit.compute_split(flop, member.group).told:
        return None
    names = ", ".join(member.fit.identified.not_held(member.fit.level))
    return f"the best size moves with {names}, which the runs do not hold"
