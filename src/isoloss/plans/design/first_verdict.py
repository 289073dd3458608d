"""What is said where first runs answer a question under too few laws: STOP, or what lacks.

STOP means that no design that the budget pays for answers the question under laws of half the
weight: not these runs, no grid, L or two ratios, not the design that is best for one of those laws
alone, and not one of many more runs. Where some design would, but not these runs, it is said what
they leave open and what would do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from isoloss.laws import Array
from isoloss.plans.design.expected import Design
from isoloss.plans.design.first_search import EQUAL, Room, possible, searched
from isoloss.plans.doubt import FAR

#: Weight of the laws under which a question must be answered.
ENOUGH = 0.5
#: More than so many times the cost is no advice; how many times the runs are tried before STOP.
MOST, MORE = 1000.0, 4


@dataclass(frozen=True)
class Cost:
    """What would answer the question if a law is right: the same design with more seeds.

    Attributes
    ----------
    flop
        Of all runs, FLOPs of bf16; infinite where no number of seeds would do.
    times
        How many times the seeds.
    nearer
        FLOPs of the larger or longer runs that bring the answer within reach, 0 where it is.
    """

    flop: float
    times: float
    nearer: float


def costs(best: Design, room: Room) -> list[Cost]:
    """For each law what would answer the question if it is right, an upper bound of the cost.

    The variance of an answer falls with the number of seeds, and runs that are added make it no
    larger.
    """
    first, found = best.first, []
    anywhere = room.at_any_cost()
    needed = np.square(best.halves / np.maximum(first.needs(), 1e-12))
    for k, far in enumerate(first.beyond(best.runs)):
        times = max(1.0, float(needed[k]))
        runs = anywhere.nearer(first, k) if far > FAR else None
        nearer = 0.0 if far <= FAR else float("inf") if runs is None else float(runs.cost.sum())
        found.append(Cost(times * best.cost + nearer, times, nearer))
    return found


def cost_of_enough(best: Design, room: Room) -> Cost:
    """The least of these costs that answers under laws of half the weight."""
    found = costs(best, room)
    return found[_middle(np.array([c.flop for c in found]), best.first.readings.weights)]


@dataclass(frozen=True)
class Verdict:
    """What is said of a design.

    Attributes
    ----------
    able
        Weight of the laws under which some design of the budget, in so many runs, answers.
    stop, short
        Why no design answers under laws of half the weight, and what lacks where only these runs do
        not; None where they do, and one of them at least is None.
    """

    able: float
    stop: str | None
    short: str | None


def verdict(best: Design, others: Sequence[Design], room: Room) -> Verdict:
    """Whether a question is answered, could be, or can not be at the cost."""
    first = best.first
    able = float(first.readings.weights @ possible(first, room, [best, *others]))
    if best.resolved >= ENOUGH - EQUAL:
        return Verdict(able, None, None)
    if able >= ENOUGH - EQUAL:
        some = (
            f"under laws of {shown(able)} of the weight some design of this cost answers it, but "
            "no one design that was found does under half"
        )
        return Verdict(able, None, f"{open_still(best)}; {some}; {_would(best, room)}")
    wide = replace(
        room, most_runs=max(MORE * room.most_runs, 256), most_seeds=max(MORE * room.most_seeds, 64)
    )
    more = searched(first, wide)
    limits = f"max_runs {wide.most_runs} and max_seeds {wide.most_seeds}"
    if more.resolved >= ENOUGH - EQUAL:
        some = (
            f"{int(more.counts.sum())} runs for the same money ({limits}) would leave "
            f"{first.asked.width(more.half)}, enough under laws of {shown(more.resolved)} of it"
        )
        return Verdict(able, None, f"{open_still(best)}; {some}")
    most = float(first.readings.weights @ possible(first, wide, [more, best, *others]))
    if most >= ENOUGH - EQUAL:
        some = (
            f"under laws of {shown(most)} of the weight some design of this cost in more runs "
            f"({limits}) answers it, but no one design that was found does under half"
        )
        return Verdict(able, None, f"{open_still(best)}; {some}; {_would(best, room)}")
    under = "any law" if most < EQUAL else f"laws of more than {shown(most)} of the weight"
    no = (
        f"no design of this cost answers the question under {under}, not even one made for a law "
        f"alone in up to {wide.most_runs} runs; "
        f"{open_still(best)}; {_would(best, room)}, or ask for less, or leave it"
    )
    return Verdict(able, no, None)


def open_still(best: Design) -> str:
    """The interval that is expected and the one that is asked, with the weight that resolves."""
    asked = best.first.asked
    far = best.first.beyond(best.runs)
    weight = float(best.first.readings.weights @ (far > FAR))
    beyond = (
        f"; by laws of {shown(weight)} of the weight the answer lies more than {FAR:g} times "
        "beyond the largest or longest run, where nothing holds the error of a law"
        if weight > EQUAL
        else ""
    )
    return (
        f"expected is {asked.width(best.half)} where {asked.wanted} is asked, enough under laws of "
        f"{shown(best.resolved)} of the weight{beyond}"
    )


def _would(best: Design, room: Room) -> str:
    """What would answer the question under laws of half the weight, in words."""
    cost = cost_of_enough(best, room)
    if not cost.flop <= MOST * room.most:
        return (
            f"not {MOST:g} times the cost, spent on seeds, would do for half of it: ask nearer by"
        )
    ways = []
    if cost.nearer:
        ways.append(f"larger or longer runs for {cost.nearer:.3g} FLOPs")
    if cost.times > 1:
        runs, seeds = (int(np.ceil(cost.times * c)) for c in (best.counts.sum(), best.counts.max()))
        ways.append(
            f"{cost.times:.3g} times the seeds of each run (max_runs {runs}, max_seeds {seeds})"
        )
    return f"{' and '.join(ways)}, {cost.flop:.3g} FLOPs in all, would do for half of it"


def _middle(values: Array, weights: Array) -> int:
    """Where the least value lies that values of half the weight do not exceed."""
    order = np.argsort(values)
    at = int(np.searchsorted(np.cumsum(weights[order]), ENOUGH - EQUAL))
    return int(order[min(at, len(order) - 1)])


def shown(share: float) -> str:
    """A share of weight in whole percent."""
    return f"{100 * share:.0f}%"
