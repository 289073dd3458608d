"""What the decay of the rate, and a switch to the reference before the end, do to a gap.

A run whose precision changes ("w4 a4 then fp from 80%") has the same partner as the run that keeps
its precision, so that both gaps are paired. A part j of a gap goes at once, as numbers are rounded
no more, and the rest fades with the tokens t that are trained after the switch,

    q(t) = (1 - j) e^(-t / T),

T a number of tokens. At equal hours a switch costs tokens: with a precision that is u times as fast
as the reference, D tokens in it alone are D' = D / (s + u (1 - s)) with a switch at the share s, so

    loss(s) - loss(1) = b log(s + u (1 - s)) - (1 - q((1 - s) D')) gap,

b the loss that a factor e of tokens is worth, read off the runs at the reference. Ratios are those
of sums over trajectories, errors by jackknife over them. That T counts tokens, not a share of the
training, was found on 20k params in w4 a4, trained for 40 and 160 tokens a param and changed at 50
to 90% (`python -m benchmarks.recipes`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from isoloss.fits.arguments import FitError, check_level
from isoloss.fits.paired_gaps.paired import Slope
from isoloss.fits.paired_gaps.pairing import PAIRED, differences, is_reference
from isoloss.fits.paired_gaps.switch_values import Decayed, Fading, Kept, ScheduleEffects
from isoloss.fits.sample import Sample, as_sample
from isoloss.formats import Precision
from isoloss.laws import Array, Mask
from isoloss.runs import Runs

#: T is looked for from a share of the fewest tokens after a switch to a multiple of the most.
LEAST, MOST = 0.1, 30.0
#: The rate at the end of a decay over that of the held rate, at most.
DECAYED = 0.5


def schedule_effects(runs: Runs | Sample | Any, level: float = 0.9) -> ScheduleEffects:
    """What decay, and a switch to the reference, do to the gaps of a table of runs.

    Parameters
    ----------
    runs
        Runs, a list of Run, a data frame, a path, or the name of a table: constant and decayed ones
        of one precision, or runs that change to the reference ("w4 a4 then fp from 80%") beside
        those that do not.
    level
        Coverage of intervals, 0.9 = 90%.

    Returns
    -------
    ScheduleEffects
        Held and decayed gaps, what each switch leaves, how fast damage fades, and the best switch
        at equal hours; printing it is the report.

    Raises
    ------
    FitError
        The table has neither, or an argument is not accepted.
    """
    level = check_level(level)
    table = _Table(as_sample(runs, unread=True))
    decays, kept = table.decays(), table.kept()
    if not decays and not kept:
        raise FitError(
            "no precision has runs at a held and at a decayed rate that are equal in all else, and "
            "none changes to the reference during training beside a run that does not, such as "
            "'w4 a4 then fp from 80%' beside 'w4 a4'"
        )
    fadings = {
        key: fading
        for key in dict.fromkeys((each.precision, each.schedule, each.params) for each in kept)
        if (fading := table.fading(*key)) is not None
    }
    return ScheduleEffects(level, decays, kept, fadings, table.slopes())


@dataclass(frozen=True)
class _One:
    """The gap of one run: precision, schedule, cell, trajectory, and the percent of its change."""

    precision: str
    percent: float | None
    schedule: str
    decayed: bool | None
    place: tuple[str, ...]
    params: float
    tokens: float
    trajectory: str
    gap: float


class _Table:
    """The gaps of a table, one by one."""

    def __init__(self, sample: Sample):
        found = differences(sample)
        self.sample = sample
        read = (self._one(int(i), float(gap)) for i, gap in zip(found.row, found.gap, strict=True))
        self.runs = [each for each in read if each is not None]

    def _text(self, name: str, row: int) -> str:
        return str(self.sample.runs[name][row]) if name in self.sample.runs.columns else ""

    def _one(self, row: int, gap: float) -> _One | None:
        """A run that keeps its precision, or changes once, to the reference; None for others."""
        x = self.sample.x
        precision = x.levels.items[x.level[row]].precision
        if precision.changes and not _changes_to_reference(precision):
            return None
        names = [name for name in PAIRED if name not in ("schedule", "lr_final", "seed")]
        params, tokens = float(x.params[row]), float(x.tokens[row])
        return _One(
            str(precision.stages[0] if precision.changes else precision),
            precision.phases[1][0] if precision.changes else None,
            self._text("schedule", row),
            self._decayed(row),
            tuple(self._text(name, row) for name in names),
            params,
            tokens,
            f"{params:.17g} {self._text('seed', row)} {self._text('lr_peak', row)}",
            gap,
        )

    def _decayed(self, row: int) -> bool | None:
        """Whether the rate fell to its half or less; None where the table does not say."""
        if not {"lr_peak", "lr_final"} <= set(self.sample.runs.columns):
            return None
        peak, final = (self.sample.runs[name][row] for name in ("lr_peak", "lr_final"))
        return None if peak is None or final is None else bool(final <= DECAYED * peak)

    def decays(self) -> tuple[Decayed, ...]:
        """Held and decayed gaps of each precision, over the cells that have both."""
        found = []
        for precision in dict.fromkeys(e.precision for e in self.runs if e.percent is None):
            own = [e for e in self.runs if e.percent is None and e.precision == precision]
            held = {(e.place, e.tokens, e.trajectory): e.gap for e in own if e.decayed is False}
            fallen = {(e.place, e.tokens, e.trajectory): e.gap for e in own if e.decayed}
            both = [key for key in held if key in fallen]
            if not both:
                continue
            one, two = np.array([(held[key], fallen[key]) for key in both]).T
            names = list(dict.fromkeys(key[-1] for key in both))
            of = np.array([names.index(key[-1]) for key in both])
            ratio = _jackknife(partial(_ratio, two, one), of)
            less = _jackknife(partial(_mean, two - one), of)
            cells = len({(trajectory.split()[0], tokens) for _, tokens, trajectory in both})
            found.append(Decayed(
                precision, cells, len(both), float(one.mean()), float(two.mean()), less, ratio
            ))  # fmt: skip
        return tuple(found)

    def _switched(self, precision: str, schedule: str) -> list[tuple[_One, float]]:
        """Runs that change, each with the gap of the run that does not."""

        def place(one: _One) -> tuple[object, ...]:
            return one.params, one.tokens, one.place, one.trajectory

        of_kind = [e for e in self.runs if (e.precision, e.schedule) == (precision, schedule)]
        whole = {place(e): e.gap for e in of_kind if e.percent is None}
        changed = [e for e in of_kind if e.percent is not None]
        return [(e, whole[place(e)]) for e in changed if place(e) in whole]

    def kept(self) -> tuple[Kept, ...]:
        """What each switch leaves, cell by cell."""
        found = []
        for kind in dict.fromkeys((e.precision, e.schedule) for e in self.runs):
            pairs = self._switched(*kind)
            cells = dict.fromkeys((e.params, e.tokens, e.percent) for e, _ in pairs)
            for params, tokens, percent in sorted(cells, key=lambda cell: (cell[:2], cell[2] or 0)):
                own = [
                    (e.gap, whole) for e, whole in pairs
                    if (e.params, e.tokens, e.percent) == (params, tokens, percent)
                ]  # fmt: skip
                left, whole = np.array(own).T
                share = _jackknife(partial(_ratio, left, whole), np.arange(len(own)))
                assert percent is not None
                found.append(Kept(
                    *kind, params, tokens, percent, len(own), float(whole.mean()),
                    float(left.mean()), share,
                ))  # fmt: skip
        return tuple(found)

    def fading(self, precision: str, schedule: str, params: float) -> Fading | None:
        """How damage of a precision fades, by least squares on gaps; None where all switches leave
        as many tokens, or have one length of gaps of zero and below.
        """
        pairs = [(e, g) for e, g in self._switched(precision, schedule) if e.params == params]
        names = list(dict.fromkeys(e.trajectory for e, _ in pairs))
        of = np.array([names.index(e.trajectory) for e, _ in pairs])
        after = np.array([(1 - (e.percent or 0.0) / 100) * e.tokens for e, _ in pairs])
        left, whole = np.array([(e.gap, gap) for e, gap in pairs]).T
        if len(np.unique(after)) < 2 or not whole.sum() > 0:
            return None
        bounds = math.log(LEAST * after.min()), math.log(MOST * after.max())

        def kept_at(log_t: float, kept: Mask) -> tuple[float, float]:
            """1 - j at a T, and the misses there."""
            faded = (whole * np.exp(-after / math.exp(log_t)))[kept]
            share = float(faded @ left[kept] / (faded @ faded))
            return share, float(np.sum((left[kept] - share * faded) ** 2))

        def log_t(kept: Mask) -> float:
            tried = np.linspace(*bounds, 40)
            start = int(np.argmin([kept_at(each, kept)[1] for each in tried]))
            near = tried[max(0, start - 1)], tried[min(len(tried) - 1, start + 1)]
            found = optimize.minimize_scalar(
                lambda each: kept_at(each, kept)[1], bounds=near, method="bounded",
                options={"xatol": 1e-9},
            )  # fmt: skip
            return float(found.x)

        found = _jackknife(log_t, of)
        at_once = _jackknife(lambda kept: 1 - kept_at(log_t(kept), kept)[0], of)
        at_edge = not bounds[0] + 0.01 < found.value < bounds[1] - 0.01
        return Fading(found, at_once, at_edge)

    def slopes(self) -> dict[tuple[str, float], float]:
        """The loss that a factor e of tokens is worth at the reference, by schedule and params,
        between the two longest lengths.
        """
        sample, found = self.sample, {}
        rows = np.flatnonzero(is_reference(sample))
        keys = [(self._text("schedule", int(i)), float(sample.x.params[i])) for i in rows]
        for key in dict.fromkeys(keys):
            own = rows[[k == key for k in keys]]
            lengths = np.unique(sample.x.tokens[own])[-2:]
            if len(lengths) == 2:
                short, long = (sample.loss[own[sample.x.tokens[own] == d]].mean() for d in lengths)
                found[key] = float((short - long) / math.log(lengths[1] / lengths[0]))
        return found


def _changes_to_reference(precision: Precision) -> bool:
    return len(precision.phases) == 2 and precision.stages[1].is_wide and not precision.serve


def _ratio(over: Array, under: Array, kept: Mask) -> float:
    """The ratio of sums over the runs kept, which no single small gap carries off."""
    return float(over[kept].sum() / under[kept].sum())


def _mean(values: Array, kept: Mask) -> float:
    return float(values[kept].mean())


def _jackknife(value: Callable[[Mask], float], of: NDArray[np.intp]) -> Slope:
    """A value of the runs that are picked, with its error over trajectories, NaN with one; of: the
    trajectory of each run, counted from 0.
    """
    whole, count = float(value(of >= 0)), int(of.max()) + 1
    if count < 2:
        return Slope(whole, math.nan, 0)
    left = np.array([value(of != k) for k in range(count)])
    error = math.sqrt((count - 1) / count * float(np.sum((left - left.mean()) ** 2)))
    return Slope(whole, error, count - 1)
