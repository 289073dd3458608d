"""The gaps of several ways to serve a model, by law and replicate, and their differences.

The gap of a way is averaged over the laws that see it, so it does not depend on what else is asked.
The difference of two ways is averaged over the laws that see both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isoloss.laws import Array, seen_parts
from isoloss.plans.budget import Budget
from isoloss.plans.doubt import FAR, NO_INTERVAL, interval
from isoloss.plans.search import EQUAL, Member, Panel, far, losses_at, shares


@dataclass(frozen=True)
class Told:
    """What laws say of one way to serve.

    Attributes
    ----------
    members
        The laws that see it; where none does, those that bound it.
    gaps
        The gap by every replicate of each, one array a law.
    is_seen
        Whether they see it.
    is_floor
        Whether they only bound it from below.
    """

    members: tuple[Member, ...]
    gaps: tuple[Array, ...]
    is_seen: bool
    is_floor: bool

    @property
    def mean(self) -> float:
        """The gap averaged over laws by weight and replicates of each; NaN without laws."""
        if not self.members:
            return float("nan")
        pairs = zip(self.members, self.gaps, strict=True)
        return float(sum(m.weight * np.nanmean(own) for m, own in pairs))

    def interval(self, level: float, params: float, tokens: float) -> tuple[float, float]:
        """The interval over laws and replicates; NaN where no law has any, or far beyond them."""
        places = [far(m, params, tokens) for m in self.members]
        if all(m.drawn is None for m in self.members) or max(places) > FAR:
            return NO_INTERVAL
        weights = np.concatenate(
            [
                np.full(len(own), m.weight / len(own))
                for m, own in zip(self.members, self.gaps, strict=True)
            ]
        )
        values = np.concatenate(self.gaps)
        held = np.isfinite(values)
        return interval(values[held], weights[held], level)


@dataclass(frozen=True)
class Gaps:
    """The gaps of all ways by all laws.

    Attributes
    ----------
    panel
        Laws and ways, with which law sees which.
    by_law
        Gaps by every replicate of each law, arrays (rows, ways); NaN where a law is undefined.
    """

    panel: Panel
    by_law: tuple[Array, ...]

    @classmethod
    def asked(cls, panel: Panel, budget: Budget, draws: int) -> Gaps:
        """The gaps of a model whose params and tokens the budget holds."""
        n, d, ways = budget.params or 0.0, budget.tokens or 0.0, panel.precisions
        counts, by_law = shares(panel.members, draws), []
        for m, rows in zip(panel.members, counts, strict=True):
            after, _ = losses_at([m], [rows], ways, n, d, budget)
            before, _ = losses_at([m], [rows], [p.trained for p in ways], n, d, budget)
            by_law.append(after - before)
        return cls(panel, tuple(by_law))

    def told(self, k: int) -> Told:
        """What laws say of one way."""
        own = self.panel.seers[k]
        floors = frozenset(i for i in range(len(self.by_law)) if self._bounds(i, k))
        which = own or floors
        members = self.panel.taken(which) if which else ()
        gaps = tuple(self.by_law[i][:, k] for i in sorted(which))
        return Told(members, gaps, bool(own), bool(floors) and not own)

    def differences(self, which: Sequence[int]) -> Array:
        """The gap of each of some ways less that of each other, NaN where no law sees both."""
        out = np.full((len(which), len(which)), np.nan)
        for i, one in enumerate(which):
            for j, other in enumerate(which):
                both = self.panel.seers[one] & self.panel.seers[other]
                if both:
                    pairs = zip(self.panel.taken(both), sorted(both), strict=True)
                    more = ((m, self.by_law[r][:, [one, other]]) for m, r in pairs)
                    out[i, j] = sum(m.weight * np.nanmean(g[:, 0] - g[:, 1]) for m, g in more)
        return out

    def _bounds(self, i: int, k: int) -> bool:
        """Whether a law sees some of what is served and misses only more rounding of it."""
        view = self.panel.views[i][k]
        if view.undefined is not None or not view.is_floor:
            return False
        served = all(name.startswith("-> ") for name in view.missing)
        return served and float(np.nanmean(self.by_law[i][:, k])) > EQUAL


def sees_serving(member: Member) -> bool:
    """Whether a law has a term for rounding after training."""
    return any(name.startswith("-> ") for name in seen_parts(member.law))
