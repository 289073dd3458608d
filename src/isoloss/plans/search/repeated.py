"""Laws of a plan whose tokens repeat: each sees it by its own term, or by the published map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from isoloss.fits import ResultWarning, most_epochs, repetition_warnings, too_many_epochs
from isoloss.laws import DomainError, lent_constants, with_repetition
from isoloss.plans.problems import PlanError
from isoloss.plans.search.weighted_laws import Member, reweighted
from isoloss.runs import compact


@dataclass(frozen=True)
class Repeating:
    """Laws as they are asked where tokens repeat.

    Attributes
    ----------
    members
        The laws, with what is lent to those without a term of their own.
    given
        The same laws as they came.
    left_out
        Why other laws are left out, by name.
    """

    members: tuple[Member, ...]
    given: tuple[Member, ...]
    left_out: dict[str, str]

    def warnings(self, tokens: float, unique: float | None) -> tuple[ResultWarning, ...]:
        """What to know of a training on so many tokens."""
        if unique is None:
            return ()
        return repetition_warnings([m.law for m in self.given], tokens, unique, self.most)

    def words(self, tokens: float, unique: float | None) -> str | None:
        """How often tokens repeat; None where all are taken as unique."""
        if unique is None:
            return None
        return f"{tokens / unique:.3g} epochs of {compact(unique)} unique tokens"

    def outside(self, tokens: float, unique: float | None) -> str | None:
        """Reason where tokens repeat more often than any evidence holds, or None."""
        return None if unique is None else too_many_epochs(tokens, unique, self.most)

    def borrows(self, i: int) -> bool:
        """Whether the term for repeated tokens of a law is lent to it."""
        return self.members[i].law is not self.given[i].law

    @property
    def most(self) -> float:
        """The most epochs that the evidence behind every law holds."""
        runs = [
            None if m.fit is None or m.fit.sample is None else m.fit.sample.x for m in self.given
        ]
        return min(most_epochs(m.law, x) for m, x in zip(self.given, runs, strict=True))


def repeating(members: Sequence[Member], unique: float | None) -> Repeating:
    """The laws with a term for repeated tokens; those of several that can have none are left out.

    Raises PlanError where none of them can.
    """
    if unique is None:
        return Repeating(tuple(members), tuple(members), {})
    kept, given, left_out = [], [], {}
    for m in members:
        try:
            kept.append(_repeating(m, unique))
            given.append(m)
        except DomainError as error:
            left_out[m.law.name] = str(error)
    if not kept:
        raise PlanError(next(iter(left_out.values())))
    return Repeating(reweighted(kept), tuple(given), left_out)


def _repeating(member: Member, unique: float) -> Member:
    """The member with a term for repeated tokens."""
    law = with_repetition(member.law, unique)
    if law is member.law:
        return member
    drawn = None if member.drawn is None else {**member.drawn, **lent_constants()}
    return replace(member, law=law, drawn=drawn)
