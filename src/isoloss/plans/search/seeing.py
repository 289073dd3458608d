"""Which laws see which precisions: averages and ranks ask nobody who cannot tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from isoloss.fits import Standing, View, asked_of, views
from isoloss.formats import Precision
from isoloss.laws import Level
from isoloss.plans.search.weighted_laws import Member, reweighted


@dataclass(frozen=True)
class Panel:
    """Laws and precisions, and which law sees which.

    Attributes
    ----------
    members
        The laws.
    precisions
        The candidates.
    views
        What each law can say of each candidate, one row a law.
    """

    members: tuple[Member, ...]
    precisions: tuple[Precision, ...]
    views: tuple[tuple[View, ...], ...]

    @classmethod
    def of(cls, members: Sequence[Member], precisions: Sequence[Precision]) -> Panel:
        """The panel of some laws and candidates."""
        views = tuple(views_of(m, precisions) for m in members)
        return cls(tuple(members), tuple(precisions), views)

    @cached_property
    def seers(self) -> tuple[frozenset[int], ...]:
        """The laws that see each candidate, by index."""
        rows = range(len(self.members))
        return tuple(
            frozenset(i for i in rows if self.views[i][k].sees) for k in range(len(self.precisions))
        )

    def readers(self, k: int) -> tuple[frozenset[int], Standing]:
        """The laws that are asked about a candidate, and what their loss of it is."""
        laws, standing = asked_of([row[k] for row in self.views])
        return frozenset(laws), standing

    def taken(self, which: frozenset[int]) -> tuple[Member, ...]:
        """Some of the laws, with weights that add up to one; laws of one base share theirs."""
        return reweighted([self.members[i] for i in sorted(which)])

    def seen_by_all(self, which: frozenset[int]) -> list[int]:
        """The candidates that every one of some laws sees."""
        return [k for k, own in enumerate(self.seers) if which <= own]


def views_of(member: Member, precisions: Sequence[Precision]) -> tuple[View, ...]:
    """What a law can say of each of several precisions."""
    fitted = () if member.fit is None else member.fit.points.fitted_precisions
    levels = [Level(p) for p in precisions]
    found = views(member.law, levels, fitted, member.unknown(precisions))
    if member.fit is None or not member.fit.absent:
        return found
    return tuple(
        replace(view, unheld=member.fit.unheld_at(level))
        for view, level in zip(found, levels, strict=True)
    )
