"""Candidates planned by the laws that see them: own averages, and differences by common laws.

Laws that see the same candidates make one panel, planned as a whole. Where all laws see all, which
is usual for fits of one table, there is one panel. Two candidates of different panels are compared
by the laws that see both, at the sizes that are best to these.

Where rates are ranges, each replicate has a draw of them: it is planned again at these, which tells
how often a precision is the best, and the plan that it has at the middle rates is costed at them,
which tells what signing it may cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from isoloss.laws import Array, Levels
from isoloss.plans.budget import Budget
from isoloss.plans.costs import Hardware, RateDraws, in_doubt
from isoloss.plans.search import (
    Best,
    Loss,
    Member,
    Panel,
    Space,
    drawn_space,
    levels_of,
    mean_loss,
    over_rates,
    replanned,
    search,
    shares,
)

#: Most draws of the rates beside a law without replicates; most replicates of a law whose plan at
#: the middle rates is made for its hours, and the draws that these are costed at.
RATES, SIGNED, COSTED = 400, 200, 4000


@dataclass(frozen=True)
class Planned:
    """What some laws would do in some candidates.

    Attributes
    ----------
    members
        The laws, with weights that add up to one.
    counts
        The rows of each law's replicates that are planned again.
    which
        The candidates, by index.
    space
        The feasible params and tokens of these.
    mean
        The plan for the loss averaged over laws and replicates, one row.
    drawn, weights
        The plan of every replicate, at its own draw of the rates, and the weight of each.
    hours, hours_weights
        Device hours of the plans that some replicates have at the middle rates, at draws of the
        rates, (R, n), and their weights; None on a cost model.
    in_doubt
        Whether rates were drawn.
    """

    members: tuple[Member, ...]
    counts: Sequence[Sequence[int]]
    which: tuple[int, ...]
    space: Space
    mean: Best
    drawn: Best
    weights: Array
    hours: Array | None = None
    hours_weights: Array | None = None
    in_doubt: bool = False

    @property
    def is_point(self) -> bool:
        """Whether no law has replicates, so that nothing has an interval."""
        return all(m.drawn is None for m in self.members)

    def at(self, k: int) -> int:
        """The place of a candidate among its own."""
        return self.which.index(k)


@dataclass(frozen=True)
class Plans:
    """The plans of all candidates of a panel in a space, each by the laws that see it.

    Attributes
    ----------
    panel
        Laws and candidates.
    space
        The feasible params and tokens of all candidates.
    budget
        The budget.
    draws
        How many replicates are planned again.
    device
        The machine.
    """

    panel: Panel
    space: Space
    budget: Budget
    draws: int
    device: Hardware
    _kept: dict[tuple[frozenset[int], tuple[int, ...], bool], Planned] = field(
        default_factory=dict, compare=False, repr=False
    )

    def of(self, k: int) -> Planned:
        """The plan that holds a candidate: by the laws that see it, else by those that read it."""
        own = self.panel.seers[k]
        if own:
            return self._planned(own, tuple(self.panel.seen_by_all(own)), True)
        return self._planned(self.panel.readers(k)[0], (k,), True)

    def loss_of(self, found: Planned) -> Loss:
        """The loss that a plan of some laws minimises."""
        levels, counts = levels_of(found.space.precisions), shares(found.members, self.draws)
        return mean_loss(found.members, counts, levels, self.budget)

    def compared(self, one: frozenset[int], other: frozenset[int]) -> Planned | None:
        """The plan by the laws that see candidates of two kinds; None where there is none."""
        both = one & other
        if not both:
            return None
        return self._planned(both, tuple(self.panel.seen_by_all(both)), False)

    def more_at_least(self, k: int, leader: int) -> float:
        """The least that a candidate loses over a leader, by laws that bound it and see the leader;
        each at the size that is best to these. NaN where there is none.
        """
        laws, standing = self.panel.readers(k)
        both = laws & self.panel.seers[leader]
        if standing != "at least" or not both:
            return float("nan")
        own, first = (self._planned(both, (j,), False) for j in (k, leader))
        return float(own.mean.loss[0, 0] - first.mean.loss[0, 0])

    def share_won(self, k: int) -> float:
        """The weight of the replicates, or of laws without any, to which a candidate is the best.

        Of what each law sees, if that is more than this one; NaN where no law compares it, and for
        one law without replicates at rates taken as exact, which has no doubt to tell of.
        """
        own, panel = self.panel.seers[k], self.panel
        if len(panel.precisions) > 1:
            own = frozenset(i for i in own if len(panel.seen_by_all(frozenset({i}))) > 1)
        alone = len(own) == 1 and panel.members[min(own)].drawn is None
        if not own or (alone and not self.in_doubt):
            return float("nan")
        if panel.seers[k] == own and self.of(k).which == tuple(range(len(self.space))):
            return _won(self.of(k), k)
        laws = zip(panel.taken(own), sorted(own), strict=True)
        return sum(m.weight * _won(self.alone(i), k) for m, i in laws)

    def alone(self, i: int) -> Planned:
        """The plan of one law, of the candidates that it sees."""
        own = frozenset({i})
        return self._planned(own, tuple(self.panel.seen_by_all(own)), True)

    def _planned(self, laws: frozenset[int], which: tuple[int, ...], drawn: bool) -> Planned:
        key = laws, which, drawn
        if key not in self._kept:
            full = self._kept.get((laws, which, True))
            self._kept[key] = full or self._search(laws, which, drawn)
        return self._kept[key]

    def _search(self, laws: frozenset[int], which: tuple[int, ...], drawn: bool) -> Planned:
        members = self.panel.taken(laws)
        whole = which == tuple(range(len(self.space)))
        space = self.space if whole else self.space.pick(which)
        levels, counts = levels_of(space.precisions), shares(members, self.draws)
        mean = search(mean_loss(members, counts, levels, self.budget), space)
        found = Planned(members, counts, which, space, mean, mean, np.ones(1), _hours(space, mean))
        if drawn and self.in_doubt:
            return self._over_rates(found, levels)
        if not drawn or (len(members) == 1 and members[0].drawn is None):
            return found
        again, weights = replanned(members, counts, levels, self.budget, space)
        hours = _hours(space, again)
        return replace(found, drawn=again, weights=weights, hours=hours, hours_weights=weights)

    @cached_property
    def in_doubt(self) -> bool:
        """Whether the rate of some candidate is a range."""
        return in_doubt(self.device, self.space.rates)

    def _over_rates(self, found: Planned, levels: Levels) -> Planned:
        """The plans of replicates with a draw of the rates each."""
        rows = over_rates(found.members, found.counts, min(self.draws, RATES))
        draws = [RateDraws.of(self.device, len(own), seed) for seed, own in enumerate(rows)]
        spaces = [drawn_space(found.space, self.budget, self.device, each) for each in draws]
        again, weights = replanned(found.members, rows, levels, self.budget, spaces)
        hours, shares_of = self._signed(found, rows, levels)
        return replace(
            found, drawn=again, weights=weights, hours=hours, hours_weights=shares_of, in_doubt=True
        )

    def _signed(
        self, found: Planned, rows: Sequence[Sequence[int]], levels: Levels
    ) -> tuple[Array, Array]:
        """Device hours at draws of the rates of plans made at the middle ones, and weights: of some
        replicates of each law, or of the plan of a bare law.
        """
        out, weights = [], []
        for seed, (m, own) in enumerate(zip(found.members, rows, strict=True)):
            draws = RateDraws.of(self.device, COSTED, seed)
            space = drawn_space(found.space, self.budget, self.device, draws)
            plans = found.mean
            if m.drawn is not None:
                few = np.unique(np.linspace(0, len(own) - 1, min(len(own), SIGNED)).astype(int))
                chosen = [[own[k] for k in few]]
                plans, _ = replanned([m], chosen, levels, self.budget, found.space)
            each = np.arange(COSTED) % len(plans.params)
            if space.hours is None:
                raise ValueError(f"{self.device.name} has no device hours")
            out.append(space.hours.spent(plans.params[each], plans.tokens[each]))
            weights += [m.weight / COSTED] * COSTED
        return np.vstack(out), np.array(weights)


def _hours(space: Space, best: Best) -> Array | None:
    """The device hours of plans at the rates of a space; None on a cost model."""
    return None if space.hours is None else space.hours.spent(best.params, best.tokens)


def _won(found: Planned, k: int) -> float:
    """The weight of the replicates of a plan in which a candidate is the best."""
    loss, j = found.drawn.loss, found.at(k)
    won = (np.argmin(loss, axis=1) == j) & np.isfinite(loss[:, j])
    return float(found.weights[won].sum())


def differences(plans: Plans, which: Sequence[int]) -> Array:
    """The loss of each of some candidates over that of each other, NaN where no law sees both."""
    out = np.full((len(which), len(which)), np.nan)
    kinds: dict[frozenset[int], list[int]] = {}
    for i, k in enumerate(which):
        kinds.setdefault(plans.panel.seers[k], []).append(i)
    for one, rows in kinds.items():
        for other, columns in kinds.items():
            found = plans.compared(one, other)
            if found is not None:
                loss = {k: found.mean.loss[0, j] for j, k in enumerate(found.which)}
                left, right = (np.array([loss[which[i]] for i in own]) for own in (rows, columns))
                out[np.ix_(rows, columns)] = left[:, None] - right[None, :]
    return out
