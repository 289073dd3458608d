"""The gaps of several ways to serve a model, by law and replicate, and their differences.

The gap of a way is averaged over the laws that see it, so it does not depend on what else is asked.
The difference of two ways is averaged over the laws that see both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from isoloss.fits import Along, Fit, ResultWarning, Standing, WarningKind, join_ridges
from isoloss.formats import Precision
from isoloss.laws import Array, is_gap_law, seen_parts
from isoloss.plans.budget import Budget
from isoloss.plans.doubt import FAR, NO_INTERVAL, interval
from isoloss.plans.search import EQUAL, Member, Panel, far, losses_at, shares
from isoloss.plans.serve.serving_result import ServingChoice

#: Quantiles that stand for the gaps of one way.
OF_EACH = 20


@dataclass(frozen=True)
class Told:
    """What laws say of one way to serve.

    Attributes
    ----------
    members
        The laws that see it; where none does, those that bound it.
    gaps
        The gap by every replicate of each, one array a law.
    ridges
        Where the ridge of each takes the gap, of one answer; None where its runs hold all
        constants.
    is_seen
        Whether they see it.
    is_floor
        Whether they only bound it from below.
    """

    members: tuple[Member, ...]
    gaps: tuple[Array, ...]
    ridges: tuple[Along | None, ...]
    is_seen: bool
    is_floor: bool

    @property
    def mean(self) -> float:
        """The gap averaged over laws by weight and replicates of each; NaN without laws."""
        if not self.members:
            return float("nan")
        pairs = zip(self.members, self.gaps, strict=True)
        return float(sum(m.weight * np.nanmean(own) for m, own in pairs))

    @property
    def is_point(self) -> bool:
        """Whether no law has replicates."""
        return all(m.drawn is None for m in self.members)

    def reach(self, level: float) -> Along | None:
        """Where the ridges of all laws take the gap; None where there is none."""
        pairs = zip(self.members, self.ridges, strict=True)
        own = [(m.weight, each) for m, each in pairs if each is not None]
        return join_ridges(own, level) if own else None

    def moved(self, level: float) -> str | None:
        """Why the runs do not tell the gap, or None where they do."""
        reach = self.reach(level)
        if reach is None or not reach.moved[0]:
            return None
        loose = [m for m, each in zip(self.members, self.ridges, strict=True) if each is not None]
        first = max(loose, key=lambda m: m.weight)
        names = ", ".join(first.fit.identified.not_held(level)) if first.fit else ""
        return f"{first.law.name}: it moves with {names}, which its runs do not hold"

    def interval(self, level: float, params: float, tokens: float) -> tuple[float, float]:
        """The interval over laws and replicates; NaN where no law has any, or far beyond them, and
        where the runs do not tell the gap."""
        places = [far(m, params, tokens) for m in self.members]
        if self.is_point or max(places) > FAR or self.moved(level):
            return NO_INTERVAL
        weights = np.concatenate(
            [
                np.full(len(own), m.weight / len(own))
                for m, own in zip(self.members, self.gaps, strict=True)
            ]
        )
        values = np.concatenate(self.gaps)
        held = np.isfinite(values)
        low, high = interval(values[held], weights[held], level)
        reach = self.reach(level)
        if reach is None:
            return low, high
        return min(low, float(reach.low[0])), max(high, float(reach.high[0]))


@dataclass(frozen=True)
class Gaps:
    """The gaps of all ways by all laws.

    Attributes
    ----------
    panel
        Laws and ways, with which law sees which.
    by_law
        Gaps by every replicate of each law, arrays (rows, ways); NaN where a law is undefined.
    ridges
        Where the ridge of each law takes the gap of every way; None where its runs hold all
        constants.
    """

    panel: Panel
    by_law: tuple[Array, ...]
    ridges: tuple[tuple[Along, ...] | None, ...]

    @classmethod
    def asked(cls, panel: Panel, budget: Budget, draws: int, level: float) -> Gaps:
        """The gaps of a model whose params and tokens the budget holds."""
        counts = shares(panel.members, draws)
        pairs = list(zip(panel.members, counts, strict=True))
        by_law = tuple(
            _gaps(m, rows, panel.precisions, budget)[0] * _scatter(m, len(rows), panel.precisions)
            for m, rows in pairs
        )
        ridges = tuple(_ridge(m, panel.precisions, budget, level) for m in panel.members)
        return cls(panel, by_law, ridges)

    def told(self, k: int) -> Told:
        """What laws say of one way."""
        own = self.panel.seers[k]
        floors = frozenset(i for i in range(len(self.by_law)) if self._bounds(i, k))
        which = own or floors
        members = self.panel.taken(which) if which else ()
        gaps = tuple(self.by_law[i][:, k] for i in sorted(which))
        along = (self.ridges[i] for i in sorted(which))
        ridges = tuple(None if each is None else each[k] for each in along)
        return Told(members, gaps, ridges, bool(own), bool(floors) and not own)

    def standing(self, k: int) -> Standing:
        """What laws say of one way: all of its gap, a bound of it, or nothing."""
        told = self.told(k)
        return "seen" if told.is_seen else "at least" if told.is_floor else "unknown"

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
        if view.standing != "at least":
            return False
        served = all(name.startswith("-> ") for name in view.missing)
        return served and float(np.nanmean(self.by_law[i][:, k])) > EQUAL


def _gaps(
    member: Member, rows: Sequence[int], ways: Sequence[Precision], budget: Budget
) -> tuple[Array, Array]:
    """Gaps by some replicates of a law, (rows, ways), and its losses before serving."""
    n, d = budget.params or 0.0, budget.tokens or 0.0
    after, _ = losses_at([member], [rows], ways, n, d, budget)
    before, _ = losses_at([member], [rows], [p.trained for p in ways], n, d, budget)
    return after - before, before


def _scatter(member: Member, count: int, ways: Sequence[Precision]) -> Array:
    """Factors (count, ways) of mean one by which single gaps lie off a fitted law of gaps; ones for
    other laws, whose misfit of losses says nothing of gaps.

    They are quantiles of what gaps lie off, drawn for each way by itself: runs that do not tell how
    far models and formats lie off alike make no two ways differ.
    """
    if member.fit is None or member.drawn is None or not is_gap_law(member.law):
        return np.ones((count, len(ways)))
    even = np.quantile(np.exp(_off(member.fit, ways)), (np.arange(count) + 0.5) / count)
    # By its spelling, so that a way has the same gap whatever else is asked.
    seed = member.fit.facts.seed
    rngs = [np.random.default_rng([seed, *str(way).encode()]) for way in ways]
    return np.stack([rng.permutation(even / even.mean()) for rng in rngs], axis=1)


def _off(fit: Fit, ways: Sequence[Precision]) -> Array:
    """Log of what gaps lie off a fit, observed over predicted: of ways that were left out where the
    fit has these, each way alike; else of fitted gaps of the same served parts.
    """
    if (left := fit.left_out) is not None:
        rows = [left.residual[left.way == k] for k in range(len(left.names))]
        even = (np.arange(OF_EACH) + 0.5) / OF_EACH
        return -np.concatenate([np.quantile(each, even) for each in rows])
    points = fit.points
    asked = {part for way in ways for part in way.serve}
    alike = np.array([set(Precision.parse(p).serve) <= asked for p in points.precision])
    fitted = ~points.held_out & (alike if (alike & ~points.held_out).any() else True)
    residual = np.log(points.observed / points.predicted)[fitted]
    spent = len(residual) - fit.draws.shape[1]
    return np.asarray(residual * np.sqrt(len(residual) / max(1, spent)))


def _ridge(
    member: Member, ways: Sequence[Precision], budget: Budget, level: float
) -> tuple[Along, ...] | None:
    """Where the ridge of a fit takes the gap of each way."""
    if member.fit is None or not member.fit.identified.followed:
        return None
    known = member.fit.identified
    drawn = {**member.values, **member.fit.coordinates.constants(known.theta)}
    gaps, before = _gaps(replace(member, drawn=drawn), range(len(known.theta)), ways, budget)
    loss = float(np.nanmean(before))
    return tuple(known.of_gaps(column[:, None], loss, level) for column in gaps.T)


def sees_serving(member: Member) -> bool:
    """Whether a law has a term for rounding after training."""
    return any(name.startswith("-> ") for name in seen_parts(member.law))


def never_run(members: Sequence[Member], ranked: Sequence[ServingChoice]) -> list[ResultWarning]:
    """Ways whose gap a fitted law of gaps tells from their error alone."""
    found = []
    for m in members:
        runs = m.fit.points.fitted_precisions if m.fit is not None else set()
        known = [Precision.parse(c.precision) for c in ranked if m.law.name in c.by_law]
        alone = [str(p) for p in known if not p.is_wide and str(p) not in runs]
        if is_gap_law(m.law) and alone:
            text = f"no run of {m.law.name} has {', '.join(alone)}: known by the law's form alone"
            found.append(ResultWarning(WarningKind.EXTRAPOLATION, text))
    return found
