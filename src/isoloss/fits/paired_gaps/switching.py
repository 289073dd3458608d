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
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from isoloss.fits.arguments import FitError, check_level
from isoloss.fits.paired_gaps.paired import Slope
from isoloss.fits.paired_gaps.pairing import PAIRED, differences, is_reference
from isoloss.fits.paired_gaps.switch_values import (
    Decayed,
    Fading,
    Kept,
    ScheduleEffects,
    is_told,
)
from isoloss.fits.sample import Sample, as_sample
from isoloss.laws import Array, Mask
from isoloss.runs import Runs

#: T is looked for from a share of the fewest tokens after a switch to a multiple of the most.
LEAST, MOST = 0.1, 30.0
#: In what runs must not differ: gaps of one kind.
ALIKE = tuple(
    name for name in PAIRED if name not in ("schedule", "lr_final", "seed", "unique_tokens")
)
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
        The table has neither, its runs differ in what gaps depend on (a learning rate, a corpus),
        or an argument is not accepted.
    """
    level = check_level(level)
    table = _Table(as_sample(runs, unread=True, takes_per=False))
    table.check_alike()
    decays, kept = table.decays(), table.kept()
    if not decays and not kept:
        raise FitError(
            "no precision has runs at a held and at a decayed rate that are equal in all else, and "
            "none changes to the reference during training beside a run that does not, such as "
            "'w4 a4 then fp from 80%' beside 'w4 a4'"
        )
    fadings = {
        key: fading
        for key in dict.fromkeys((e.precision, e.then, e.schedule, e.params) for e in kept)
        if (fading := table.fading(*key)) is not None
    }
    return ScheduleEffects(level, decays, kept, fadings, table.slopes(), table.left_out)


@dataclass(frozen=True)
class _One:
    """The gap of one run: precision, what it changes to and from which percent, schedule, whether
    its rate decayed, cell and trajectory.
    """

    precision: str
    then: str
    percent: float
    schedule: str
    decayed: bool | None
    params: float
    tokens: float
    trajectory: str
    gap: float

    @property
    def cell(self) -> tuple[float, float, str]:
        """What it shares with the run that it is compared with."""
        return self.params, self.tokens, self.trajectory


class _Table:
    """The gaps of a table, one by one; left_out: runs that are no part of it, by the reason."""

    def __init__(self, sample: Sample):
        found = differences(sample)
        self.sample, self.left_out = sample, dict[str, int]()
        read = (self._one(int(i), float(gap)) for i, gap in zip(found.row, found.gap, strict=True))
        self.runs = [each for each in read if each is not None]
        self.rows = np.concatenate([found.row, np.flatnonzero(is_reference(sample))])

    def check_alike(self) -> None:
        """Raise FitError where runs differ in a column that gaps depend on."""
        for name in ALIKE:
            if name in self.sample.runs.columns:
                values = sorted({str(self.sample.runs[name][int(row)]) for row in self.rows})
                if len(values) > 1:
                    raise FitError(
                        f"runs differ in {name} ({', '.join(values[:6])}), so their gaps are not "
                        f"of one kind; choose one with where({name}=...)"
                    )

    def _text(self, name: str, row: int) -> str:
        return str(self.sample.runs[name][row]) if name in self.sample.runs.columns else ""

    def _leave_out(self, why: str, count: int = 1) -> None:
        self.left_out[why] = self.left_out.get(why, 0) + count

    def _one(self, row: int, gap: float) -> _One | None:
        """A run that keeps its precision, or changes once, to the reference; None for others."""
        x = self.sample.x
        precision = x.levels.items[x.level[row]].precision
        if precision.changes and (len(precision.phases) > 2 or not precision.stages[1].is_wide):
            self._leave_out("changes otherwise than once, to the reference")
            return None
        if precision.changes and precision.serve:
            self._leave_out("changes and is rounded after training")
            return None
        params, tokens = float(x.params[row]), float(x.tokens[row])
        return _One(
            str(precision.stages[0] if precision.changes else precision),
            str(precision.stages[1]) if precision.changes else "",
            precision.phases[1][0] if precision.changes else 100.0,
            self._schedule(row),
            self._decayed(row),
            params,
            tokens,
            f"{params:.17g} {self._text('seed', row)}",
            gap,
        )

    def _schedule(self, row: int) -> str:
        """Its name; where the table has none, what the rate does."""
        if known := self._text("schedule", row):
            return known
        return {True: "decayed", False: "held", None: "unknown schedule"}[self._decayed(row)]

    def _decayed(self, row: int) -> bool | None:
        """Whether the rate fell to its half or less; None where the table does not say."""
        if not {"lr_peak", "lr_final"} <= set(self.sample.runs.columns):
            return None
        peak, final = (self.sample.runs[name][row] for name in ("lr_peak", "lr_final"))
        return None if peak is None or final is None else bool(final <= DECAYED * peak)

    def decays(self) -> tuple[Decayed, ...]:
        """Held and decayed gaps of each precision and schedule that decays, over the cells that
        have both.
        """
        whole, found = [e for e in self.runs if not e.then], []
        kinds = dict.fromkeys((e.precision, e.schedule) for e in whole if e.decayed)
        for precision, schedule in kinds:
            own = [e for e in whole if e.precision == precision]
            held = _by_cell(e for e in own if e.decayed is False)
            fallen = _by_cell(e for e in own if e.decayed and e.schedule == schedule)
            both = [cell for cell in held if cell in fallen]
            if not both:
                continue
            one, two = np.array([(held[cell], fallen[cell]) for cell in both]).T
            of = _index([cell[-1] for cell in both])
            mean = _jackknife(partial(_mean, one), of)
            found.append(Decayed(
                precision, schedule, len({cell[:2] for cell in both}), len(both), mean,
                float(two.mean()), _jackknife(partial(_mean, two - one), of),
                _jackknife(partial(_ratio, two, one), of),
            ))  # fmt: skip
        return tuple(found)

    def _switched(self, change: tuple[str, str], schedule: str) -> list[tuple[_One, float]]:
        """Runs that change from one precision to another, each with the gap of the run that does
        not.
        """
        of_kind = [e for e in self.runs if (e.precision, e.schedule) == (change[0], schedule)]
        whole = _by_cell(e for e in of_kind if not e.then)
        changed = [e for e in of_kind if e.then == change[1]]
        return [(e, whole[e.cell]) for e in changed if e.cell in whole]

    def kept(self) -> tuple[Kept, ...]:
        """What each switch leaves, cell by cell."""
        found = []
        changes = [((e.precision, e.then), e.schedule) for e in self.runs if e.then]
        for change, schedule in dict.fromkeys(changes):
            pairs = self._switched(change, schedule)
            if alone := changes.count((change, schedule)) - len(pairs):
                self._leave_out("no run keeps its precision beside it", alone)
            cells = sorted({(e.params, e.tokens, e.percent) for e, _ in pairs})
            for params, tokens, percent in cells:
                own = [
                    (e, whole) for e, whole in pairs
                    if (e.params, e.tokens, e.percent) == (params, tokens, percent)
                ]  # fmt: skip
                left, whole = np.array([(e.gap, gap) for e, gap in own]).T
                of = _index([e.trajectory for e, _ in own])
                share = _jackknife(partial(_ratio, left, whole), of)
                found.append(Kept(
                    *change, schedule, params, tokens, percent, len(own),
                    _jackknife(partial(_mean, whole), of), float(left.mean()), share,
                ))  # fmt: skip
        return tuple(found)

    def fading(self, before: str, then: str, schedule: str, params: float) -> Fading | None:
        """How damage of a precision fades, by least squares on gaps; None where all switches leave
        as many tokens, or the gaps without a switch are not clearly above zero.
        """
        pairs = [p for p in self._switched((before, then), schedule) if p[0].params == params]
        of = _index([e.trajectory for e, _ in pairs])
        after = np.array([(1 - e.percent / 100) * e.tokens for e, _ in pairs])
        left, whole = np.array([(e.gap, gap) for e, gap in pairs]).T
        if len(np.unique(after)) < 2 or not is_told(_jackknife(partial(_mean, whole), of)):
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
        """The loss that a factor e of tokens is worth at the reference, by schedule and params:
        between the two longest lengths, in trajectories that have both.
        """
        sample = self.sample
        losses: dict[tuple[str, float], dict[float, dict[str, list[float]]]] = {}
        for i in np.flatnonzero(is_reference(sample)).tolist():
            params, tokens = float(sample.x.params[i]), float(sample.x.tokens[i])
            by_length = losses.setdefault((self._schedule(i), params), {})
            name = f"{self._text('precision', i)} {self._text('seed', i)}"
            by_length.setdefault(tokens, {}).setdefault(name, []).append(float(sample.loss[i]))
        found = {}
        for key, by_length in losses.items():
            lengths = sorted(by_length)[-2:]
            short, long = by_length[lengths[0]], by_length[lengths[-1]]
            both = [name for name in short if name in long]
            if len(lengths) == 2 and both:
                less = [np.mean(short[name]) - np.mean(long[name]) for name in both]
                found[key] = float(np.mean(less) / math.log(lengths[1] / lengths[0]))
        return found


def _by_cell(runs: Iterable[_One]) -> dict[tuple[float, float, str], float]:
    """The gap of each cell and trajectory, the mean of repeats."""
    found: dict[tuple[float, float, str], list[float]] = {}
    for each in runs:
        found.setdefault(each.cell, []).append(each.gap)
    return {cell: float(np.mean(gaps)) for cell, gaps in found.items()}


def _index(names: Sequence[str]) -> NDArray[np.intp]:
    """Names as numbers, counted from 0."""
    return np.unique(names, return_inverse=True)[1].astype(np.intp)


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
