"""What training reaches on a machine as a range, from published runs and published speed-ups.

**Two parts.** The level is what bf16 reaches, as a share of its peak; the speed-up is what a step
in another class of formats takes less. A user's cluster and library move the level of all formats
together, and only the speed-up decides which format pays, so the two are kept apart and drawn
apart.

**The level** of a machine is the median of its published runs (those in other formats divided by
the middle speed-up of theirs). Runs fail and are restarted, so a few lie far below the others: the
spread is 1.4826 times the median distance of the logs from the medians of their machines, over all
machines and scaled by sqrt(n / (n - machines)). The range is that of the next run: the median times
exp(+- t s sqrt(1 + pi / (2 m))), t of Student at n - machines, m the machine's own runs. A machine
without a run takes the lowest and the highest end of the others: assumed, and wide.

**The speed-up** is the power g of the ratio of peaks that steps realise, so that figures of one
class can be used on machines of other ratios: the mean of g and the range of the next figure, mean
+- t s sqrt(1 + 1 / sources), t at figures - 1. Figures of one source share what they do not know,
hence sources under the root. With fewer than three figures the range is assumed: from no gain to
the whole ratio of peaks, its middle the figures', or else that of all classes.

All ranges are of 90%; draws are log-normal, each side with its own spread.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy.special import ndtri, stdtrit

from isoloss.files import equal_by_fields
from isoloss.laws import Array
from isoloss.plans.costs.published_runs import RUNS, PublishedRun
from isoloss.plans.costs.published_speedups import SPEEDUPS, PublishedSpeedup

Basis = Literal["published", "assumed", "given", "measured"]
LEAST_SURE: tuple[Basis, ...] = ("assumed", "published", "given", "measured")
#: Coverage of every range of a rate, and its quantile of a normal.
COVERAGE = 0.9
QUANTILE = float(ndtri(0.5 + COVERAGE / 2))
#: Fewer figures than this tell no spread.
LEAST_FIGURES = 3
#: What the median distance from the median of a normal is multiplied by to give its spread.
NORMAL = 1.0 / float(ndtri(0.75))


@equal_by_fields
@dataclass(frozen=True)
class Range:
    """A positive number that is not known exactly: its middle, and the ends of 90%.

    Attributes
    ----------
    low, middle, high
        Ends and middle.
    basis
        "published" figures, "assumed" without enough of them, "given" or "measured" (no doubt).
    figures, sources
        How many figures, and of how many sources.
    least, most
        The lowest and the highest published figure; NaN without any.
    """

    low: float
    middle: float
    high: float
    basis: Basis
    figures: int = 0
    sources: int = 0
    least: float = float("nan")
    most: float = float("nan")

    @classmethod
    def point(cls, value: float, basis: Basis) -> Range:
        """A number that is taken as exact."""
        return cls(value, value, value, basis)

    @property
    def is_point(self) -> bool:
        """Whether it is taken as exact."""
        return self.low == self.high

    def at(self, z: Array) -> Array:
        """Values at standard normal z, log-normal with a spread of its own on each side."""
        below, above = np.log(self.middle / self.low), np.log(self.high / self.middle)
        return np.asarray(self.middle * np.exp(z / QUANTILE * np.where(z < 0, below, above)))

    def times(self, factor: float) -> Range:
        """The range of a multiple."""
        ends = {name: getattr(self, name) * factor for name in ("low", "middle", "high")}
        return replace(self, **ends)

    def under(self, value: float) -> Range:
        """The range of a known value over this one."""
        basis: Basis = "given" if self.is_point else self.basis
        return Range(value / self.high, value / self.middle, value / self.low, basis)

    def along(self, other: Range) -> Range:
        """The range of the product with an independent range, on the weaker basis of the two."""
        below, above = (
            float(np.hypot(*(np.log(getattr(r, end) / r.middle) for r in (self, other))))
            for end in ("low", "high")
        )
        middle = self.middle * other.middle
        basis = min((self.basis, other.basis), key=LEAST_SURE.index)
        ends = middle * np.exp(-below), middle * np.exp(above)
        return replace(other, low=float(ends[0]), middle=middle, high=float(ends[1]), basis=basis)


@lru_cache
def speed_up_of(name: str, peaks: float, left_out: tuple[str, ...] = ()) -> Range:
    """The range of the speed-up of steps in a class of formats over steps in bf16.

    Parameters
    ----------
    name
        The class, as "fp8".
    peaks
        Its peak over that of bf16 on the machine.
    left_out
        Published figures that are not to count, by name.
    """
    if peaks == 1.0 or name == "bf16":
        return Range.point(1.0, "published")
    used = [s for s in SPEEDUPS.values() if s.name not in left_out]
    own = [s for s in used if s.format == name and s.peaks != 1.0]
    powers, times = np.array([_power(s) for s in own]), [s.times for s in own] or [float("nan")]
    sources = len({s.source for s in own})
    told = Range(1.0, 1.0, 1.0, "assumed", len(own), sources, min(times), max(times))
    if len(own) < LEAST_FIGURES:
        of_all = [_power(s) for s in used] or [0.5]
        middle = float(peaks ** np.mean(powers if len(own) else of_all))
        low, *_, high = sorted((1.0, middle, peaks))
        return replace(told, low=low, middle=middle, high=high)
    step = float(stdtrit(len(own) - 1, 0.5 + COVERAGE / 2)) * np.sqrt(1 + 1 / sources)
    reach = step * float(powers.std(ddof=1))
    low, middle, high = sorted(float(peaks ** (powers.mean() + at * reach)) for at in (-1, 0, 1))
    return replace(told, low=low, middle=middle, high=high, basis="published")


def _power(figure: PublishedSpeedup) -> float:
    """The power of the ratio of peaks that a speed-up is."""
    return float(np.log(figure.times) / np.log(figure.peaks))


@lru_cache
def level_of(machine: str, left_out: tuple[str, ...] = ()) -> Range:
    """The range of the share of its bf16 peak that training in bf16 reaches on a machine.

    Parameters
    ----------
    machine
        Its name, or that of the machine whose products it has.
    left_out
        Published runs and speed-ups that are not to count, by name.
    """
    shares: dict[str, list[float]] = {}
    for run in RUNS.values():
        if run.name not in left_out:
            shares.setdefault(run.machine, []).append(_share(run, left_out))
    logs = {name: np.log(values) for name, values in shares.items()}
    ranges = {name: _next_run(name, logs) for name in logs}
    if machine in ranges:
        return ranges[machine]
    if not ranges:
        return Range(0.1, 0.3, 0.9, "assumed")
    low, high = min(r.low for r in ranges.values()), max(r.high for r in ranges.values())
    return Range(low, float(np.sqrt(low * high)), high, "assumed")


def _share(run: PublishedRun, left_out: tuple[str, ...]) -> float:
    """The share of its bf16 peak that a run would have reached in bf16."""
    gain = speed_up_of(run.format, run.peaks, left_out).middle
    return run.flop_per_s / run.peak / gain


def _next_run(machine: str, logs: dict[str, Array]) -> Range:
    """The range of the next run on a machine, from the logs of the shares of all."""
    own, middle = logs[machine], float(np.median(logs[machine]))
    away = np.concatenate([np.abs(v - np.median(v)) for v in logs.values()])
    free = len(away) - len(logs)
    least, most = float(np.exp(own.min())), float(np.exp(own.max()))
    told = Range(1.0, 1.0, 1.0, "published", len(own), len(own), least, most)
    if free < LEAST_FIGURES:
        low, high = min(least, 0.1), 1.0
        return replace(told, low=low, middle=float(np.exp(middle)), high=high, basis="assumed")
    spread = NORMAL * float(np.median(away)) * np.sqrt(len(away) / free)
    step = float(stdtrit(free, 0.5 + COVERAGE / 2)) * np.sqrt(1 + np.pi / (2 * len(own)))
    low, mid, high = (float(np.exp(middle + at * step * spread)) for at in (-1, 0, 1))
    return replace(told, low=low, middle=mid, high=high)


# Ranges are kept until a figure is added or taken away.
RUNS.when_changed(level_of.cache_clear)
SPEEDUPS.when_changed(level_of.cache_clear)
SPEEDUPS.when_changed(speed_up_of.cache_clear)
