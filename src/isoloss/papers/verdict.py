"""The verdict on a claim: computed from what was found and from what was to be expected, which was
written before.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from math import isfinite, isinf, log10

from isoloss.papers.claim import Expected, Ours

#: A sampled figure is told apart from a bound that it misses by so many standard errors.
TOLD = 2.0


class Verdict(Enum):
    """What becomes of a claim; docs/papers.md says when each is given."""

    HOLDS = "holds"
    ONLY_IF = "holds only if"
    FAILS = "fails"
    DIFFERS = "differs from our reading"
    NOT_TESTABLE = "not testable here"
    NOT_DOWNLOADED = "could not be downloaded"


class Judged(Enum):
    """What becomes of one figure of a claim."""

    MET = "met"
    MISSED = "missed"
    NOT_TOLD = "not told"


def judge(expected: Expected, ours: Ours) -> Judged:
    """One figure against its range: met or missed by two standard errors, or not told.

    An exact figure (error 0) is met on the bound itself; one that is not a number is missed.
    """
    low, high = expected.range
    if isinf(ours.error):
        return Judged.NOT_TOLD
    if not isfinite(ours.value):
        return Judged.MISSED
    reach = TOLD * ours.error
    if low + reach <= ours.value <= high - reach:
        return Judged.MET
    if ours.value + reach < low or ours.value - reach > high:
        return Judged.MISSED
    return Judged.NOT_TOLD if ours.error > 0 else Judged.MISSED


def verdict_of(
    judged: Iterable[tuple[Expected, Judged]], is_theirs: bool, alternatives: bool = False
) -> Verdict:
    """The verdict on a claim of which every figure was judged.

    Figures that stand under no condition (`Expected.when` empty) belong to every condition. A claim
    holds where every condition holds, *only if* where some hold and some are missed, and fails
    where some are missed and none holds. Where some are not told by the runs and none is missed,
    nothing is concluded; nor, whatever becomes of the others, where conditions are positions of
    which one may hold, and one is not told.

    Parameters
    ----------
    judged
        Each figure of the claim and what became of it.
    is_theirs
        Whether what is put to the test is the claim itself (`Claim.is_theirs`); where not, what
        fails *differs from our reading*.
    alternatives
        Whether the conditions are positions of which one may hold.
    """
    outcomes = set(conditions(judged).values())
    if outcomes == {Judged.MET}:
        return Verdict.HOLDS
    if alternatives and Judged.NOT_TOLD in outcomes:
        return Verdict.NOT_TESTABLE
    if {Judged.MET, Judged.MISSED} <= outcomes:
        return Verdict.ONLY_IF
    if Judged.MISSED in outcomes:
        return Verdict.FAILS if is_theirs else Verdict.DIFFERS
    return Verdict.NOT_TESTABLE


def conditions(judged: Iterable[tuple[Expected, Judged]]) -> dict[str, Judged]:
    """Each condition of a claim and what became of it: its worst figure decides."""
    pairs = list(judged)
    always = [each for expected, each in pairs if not expected.when]
    names = dict.fromkeys(expected.when for expected, _ in pairs if expected.when)
    groups = {
        name: always + [each for expected, each in pairs if expected.when == name] for name in names
    } or {"": always}
    return {name: _worst(group) for name, group in groups.items()}


def _worst(group: list[Judged]) -> Judged:
    for each in (Judged.MISSED, Judged.NOT_TOLD):
        if each in group:
            return each
    return Judged.MET


def digits(expected: Expected, ours: Ours) -> float | None:
    """Digits that agree, -log10 |ours / theirs - 1|; decimals, -log10 |ours|, where theirs is 0.

    From 0, where ours is as far from theirs as theirs from zero, or farther, to 16, where both are
    the same number. None where no number was published, ours is none, or the runs do not tell
    whether it lies in its range: then they do not tell its digits either.
    """
    untold = judge(expected, ours) is Judged.NOT_TOLD
    if expected.theirs is None or untold or not isfinite(ours.value):
        return None
    apart = abs(ours.value - expected.theirs) / (abs(expected.theirs) or 1.0)
    return 16.0 if apart == 0 else min(16.0, max(0.0, -log10(apart)))
