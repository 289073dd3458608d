"""The search for first runs: of designs with several aims, the one that answers most.

The least mean log variance over the laws is one aim. It may leave an answer just too wide under
some laws, or just too far beyond the runs, so that three others are tried: a design for the laws
that are nearly answered, designs with a run large or long enough that another law's answer lies
within reach, and the design that is best for each law alone. The last also tell what no design can
do: a law that its own best design does not answer is answered by none of these. What answers as
much inside the runs of the laws, or as much hardly wider for half the money, is taken instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isoloss.plans.costs import Hardware
from isoloss.plans.design.candidates import BF16, Candidates, Region
from isoloss.plans.design.exchange import Limits, best_design
from isoloss.plans.design.expected import Design, First
from isoloss.plans.design.rivals import candidates_at
from isoloss.plans.doubt import FAR

#: Laws whose interval is within this factor of the one that is needed are nearly answered; the
#: weight of the others in a design for these.
NEARLY, OTHERS = 2.0, 0.1
#: How much wider an interval may be with runs inside those of some law, if it answers as much.
WIDER = 2.0
#: How much wider an interval may be for half the money or less (seeds alone: 1.4), and such shares.
HARDLY, SHARES = 1.1, (0.5, 0.25, 0.125)
#: Shares of weight that differ by less are one.
EQUAL = 1e-9


@dataclass(frozen=True)
class Room:
    """What runs may be bought: candidates, the region, where a single run may reach, and limits.

    Attributes
    ----------
    runs
        The candidates that the money pays for.
    region
        Where the candidates lie.
    reach
        The most params and tokens that a run may have which is bought to come near an answer.
    machine
        Where the runs are trained.
    most, most_runs, most_seeds
        FLOPs of bf16, runs, and seeds of one run.
    """

    runs: Candidates
    region: Region
    reach: tuple[float, float]
    machine: Hardware
    most: float
    most_runs: int
    most_seeds: int

    def at_any_cost(self) -> Room:
        """With no limit of money or runs."""
        return replace(self, most=float("inf"), most_runs=10**9)

    def cut(self, rows: NDArray[np.bool_]) -> Room:
        """With some of the candidates."""
        return replace(self, runs=self.runs.take(rows))

    def design(self, first: First, forced: Candidates | None = None) -> Design:
        """The design of the least mean log variance, with runs that are trained in any case."""
        bought = 0.0 if forced is None else float(forced.cost.sum())
        there = 0 if forced is None else len(forced)
        free = self.runs if forced is None else self.runs.take(~_among(self.runs, forced))
        limits = Limits(free.cost, self.most - bought, self.most_runs - there, self.most_seeds)
        counts = best_design(first.problem(free, forced), limits)
        found = np.flatnonzero(counts)
        runs, seeds = free.take(found), counts[found]
        if forced is not None:
            runs, seeds = joined(forced, runs), np.concatenate([np.ones(there, np.intp), seeds])
        return Design("searched", runs, seeds, first)

    def nearer(self, first: First, law: int) -> Candidates | None:
        """The cheapest runs that bring a law's answer within reach; None where none may."""
        point = first.points()[law]
        if point is None:
            return None
        (low, high), sides = self.region.ratio, (self.region.params, self.region.tokens)
        n, d = point[0] / FAR, point[1] / FAR
        large = (n, max(low * n, sides[1][0]))
        long = (max(d / high, sides[0][0]), d)
        # One run where it is large and long enough, else one of each.
        shapes = [large] if large[1] >= d else [long] if long[0] >= n else [large, long]
        params, tokens = (np.array([_up(s[i]) for s in shapes]) for i in (0, 1))
        if (params > self.reach[0]).any() or (tokens > self.reach[1]).any():
            return None
        runs = candidates_at(params, tokens, self.machine, (BF16,))
        return None if runs.cost.sum() > self.most or len(runs) > self.most_runs else runs


def searched(first: First, room: Room, rivals: Sequence[Design] = ()) -> Design:
    """The design that answers under most of the weight, and of these the narrowest, or one inside
    the runs of the laws that answers as much; `rivals` are other designs that may be taken.
    """
    base = room.design(first)
    best = best_of([base, *_others(first, room, base), *rivals])
    return _cheaper(_inside(best, room), room)


def best_of(designs: Sequence[Design]) -> Design:
    """The design that answers under most of the weight, and of these the narrowest."""
    return min(designs, key=lambda each: (-round(each.resolved, 9), each.half))


def possible(first: First, room: Room, found: Sequence[Design]) -> NDArray[np.bool_]:
    """Whether some design answers the question if each law is right, (K,).

    Tried are the designs that are found, and the best for each law alone, with a run near its
    answer where that is what lacks.
    """
    told = np.any([each.answers for each in found], axis=0)
    for k in np.flatnonzero(~told):
        own = first.only(int(k))
        tried = (room.design(own, forced) for forced in (None, room.nearer(own, 0)))
        told[k] = any(each.answers[0] for each in tried)
    return np.asarray(told)


def _others(first: First, room: Room, base: Design) -> Iterator[Design]:
    """Designs with other aims than the least mean log variance."""
    if base.resolved > 1 - EQUAL:
        return
    yield _for_nearly(first, room, base, None)
    seen: set[tuple[float, ...]] = set()
    for k in np.flatnonzero(first.beyond(base.runs) > FAR):
        forced = room.nearer(first, int(k))
        if forced is None or (mark := (*forced.params, *forced.tokens)) in seen:
            continue
        seen.add(mark)
        near = room.design(first, forced)
        yield near
        yield _for_nearly(first, room, near, forced)
    for k in np.flatnonzero(~base.answers):
        own = room.design(first.only(int(k)))
        yield replace(own, first=first)


def _for_nearly(first: First, room: Room, base: Design, forced: Candidates | None) -> Design:
    """The design for laws that one nearly answers."""
    miss = np.abs(np.log(base.halves / np.maximum(first.needs(), 1e-12)))
    weights = first.readings.weights * np.where(miss < np.log(NEARLY), 1.0, OTHERS)
    some = replace(first, readings=replace(first.readings, weights=weights / weights.sum()))
    return replace(room.design(some, forced), first=first)


def _inside(best: Design, room: Room) -> Design:
    """A design whose runs lie inside those of some law, where it answers as much."""
    if best.resolved < EQUAL or _is_inside(best.first, best.runs):
        return best
    inside = design_inside(best.first, room)
    if inside is None or inside.resolved < best.resolved - EQUAL:
        return best
    return inside if inside.half <= WIDER * best.half else best


def design_inside(first: First, room: Room) -> Design | None:
    """The design of candidates inside the runs of some law; None where there are too few."""
    own = room.cut(_inside_some(first, room.runs))
    constants = first.readings.theta.shape[1]
    if len(own.runs) < constants:
        return None
    near = [room.nearer(first, int(k)) for k in np.flatnonzero(first.beyond(own.runs) > FAR)]
    inside = [r for r in near if r is not None and _is_inside(first, r)]
    found = [own.design(first, forced) for forced in (None, *inside)]
    # No single run may teach enough to be bought, and a design of none is no design.
    bought = [each for each in found if len(each.runs)]
    return best_of(bought) if bought else None


def _cheaper(best: Design, room: Room) -> Design:
    """A design for half the money or less, where it answers as much and is hardly wider."""
    found, inside = best, _is_inside(best.first, best.runs)
    for share in SHARES:
        most = share * best.cost
        cheap = replace(room.cut(room.runs.cost <= most), most=most)
        if inside:
            cheap = cheap.cut(_inside_some(best.first, cheap.runs))
        if not len(cheap.runs):
            break
        tried = cheap.design(best.first)
        if tried.resolved < best.resolved - EQUAL or tried.half > HARDLY * best.half:
            break
        found = tried
    return found


def _is_inside(first: First, runs: Candidates) -> bool:
    """Whether each run lies inside the runs of some law."""
    return bool(_inside_some(first, runs).all())


def _inside_some(first: First, runs: Candidates) -> NDArray[np.bool_]:
    """Which runs lie inside those of some law, (m,)."""
    return np.asarray((first.readings.outside(runs) <= 1).any(axis=0))


def joined(one: Candidates, other: Candidates) -> Candidates:
    """Candidates one after the other, in the precisions of the second."""
    return Candidates(
        np.concatenate([one.params, other.params]),
        np.concatenate([one.tokens, other.tokens]),
        np.concatenate([one.which, other.which]),
        np.concatenate([one.cost, other.cost]),
        other.precisions,
    )


def _among(runs: Candidates, some: Candidates) -> NDArray[np.bool_]:
    """Which of the runs, in full precision, are of the size and length of some others."""
    sizes = (runs.params[:, None] == some.params) & (runs.tokens[:, None] == some.tokens)
    return np.asarray(sizes.any(axis=1) & (runs.which == 0))


def _up(value: float) -> float:
    """A count with three digits that is no smaller."""
    step = 10.0 ** (np.floor(np.log10(value)) - 2)
    return float(np.ceil(value / step - 1e-9) * step)
