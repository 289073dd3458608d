"""What a sweep takes on a cluster, by the times that its finished tasks took: hours, places, money.

Times a FLOP of measured tasks are resampled: first which of them we would have seen (the doubt of a
small sample), then one for every task to come. Each draw is a schedule, longest task first.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from isoloss.runs.numbers import duration
from isoloss.runs.problems import StoreError

#: Schedules that are drawn, and the tasks of all of them together at most.
DRAWS, MOST = 200, 4_000_000
#: Measured tasks below which no interval is given.
ENOUGH = 3


@dataclass(frozen=True)
class Sizing:
    """Hours on so many places, with the doubt of what was measured.

    Attributes
    ----------
    places
        How many tasks run at once.
    measured
        Finished tasks that the times are taken from.
    hours
        From the first task's begin to the last one's end, the median.
    low, high
        What nine of ten draws lie within; None with fewer than three measured tasks.
    busy
        Place-hours of work, the median.
    longest
        Hours of the longest task.
    price
        Money for a place and hour, None where it was not told.
    """

    places: int
    measured: int
    hours: float
    low: float | None
    high: float | None
    busy: float
    longest: float
    price: float | None = None

    @property
    def money(self) -> float | None:
        """What all places cost until the last task has ended."""
        return None if self.price is None else self.price * self.places * self.hours

    def lines(self) -> list[str]:
        """Places, what they are used for, and money."""
        share = self.busy / (self.places * self.hours)
        enough = max(1, round(self.busy / self.longest))
        said = [
            f"places  {self.places}, {share:.0%} busy; more than about {enough} shorten nothing: "
            f"the longest task takes {duration(3600 * self.longest)}"
        ]
        if self.money is not None:
            said.append(
                f"money   {self.money:.4g} for {self.places} places of {self.price:g} an hour"
                + self._interval()
            )
        return said

    def _interval(self) -> str:
        if self.low is None or self.high is None or self.price is None:
            return ""
        low, high = (self.price * self.places * each for each in (self.low, self.high))
        return f", {low:.4g} to {high:.4g} in nine of ten draws"


def sizing(
    measured: Sequence[tuple[float, float]],
    left: Mapping[str, float | None],
    places: int,
    price: float | None = None,
    seed: int = 0,
) -> Sizing | None:
    """What tasks take on some places.

    Parameters
    ----------
    measured
        (FLOPs, seconds) of each finished task; FLOPs are 0 where they are not known.
    left
        FLOPs to do of each task, 0 where none are left, None where they are not known. Where FLOPs
        of any task are not, one task is as good as another.
    places
        How many run at once.
    price
        Money for a place and hour.
    seed
        Of the draws.

    Returns
    -------
    Sizing or None
        None where nothing was measured or nothing is left.

    Raises
    ------
    StoreError
        The price is no number of 0 or more.
    """
    if price is not None and not 0 <= price < math.inf:
        raise StoreError(f"price is {price:g}; accepted is a number of 0 or more")
    to_do = [size for size in left.values() if size != 0]
    known = all(flops > 0 for flops, _ in measured) and None not in to_do
    rates = np.array([took / (flops if known else 1.0) for flops, took in measured if took > 0])
    if not (rates.size and to_do):
        return None
    sizes = np.array([size if known else 1.0 for size in to_do], dtype=float)
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(max(20, min(DRAWS, MOST // len(sizes)))):
        seen = rng.choice(rates, rates.size)
        took = sizes * rng.choice(seen, sizes.size)
        found.append((_ends(took, places), took.sum(), took.max()))
    ends, busy, longest = np.array(found).T / 3600
    low, high = np.quantile(ends, [0.05, 0.95]) if rates.size >= ENOUGH else (None, None)
    hours, work, most = (float(np.median(each)) for each in (ends, busy, longest))
    return Sizing(
        places,
        int(rates.size),
        hours,
        None if low is None else float(low),
        None if high is None else float(high),
        work,
        most,
        price,
    )


def _ends(seconds: np.ndarray, places: int) -> float:
    """When the last task ends, each begun where a place is free first, longest first."""
    free = [0.0] * min(places, len(seconds))
    for took in np.sort(seconds)[::-1]:
        heapq.heapreplace(free, free[0] + float(took))
    return max(free)
