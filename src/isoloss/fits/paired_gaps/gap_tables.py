"""What each precision costs, cell by cell: errors over seeds, growth, the smallest resolved gap."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isoloss.fits.arguments import FitError, check_level
from isoloss.fits.paired_gaps.gap_growth import Growth, growth
from isoloss.fits.paired_gaps.paired import PAIRED, Slope, is_reference, pairs, reach
from isoloss.fits.sample import Sample, as_sample
from isoloss.fits.sections import Section, number, text
from isoloss.laws import Array
from isoloss.runs import Runs, compact

#: A gap is resolved where it would be found to differ from zero by a two-sided test of this level.
TEST = 0.95
#: What runs of one cell share beside precision, params and tokens.
CELL = tuple(name for name in PAIRED if name not in ("seed", "source", "corpus", "eval_set"))


#: What an exponent is of where params and tokens cannot be told apart.
WORDS = {"together": "tokens, params growing with them", "tokens per param": "tokens per param"}


@dataclass(frozen=True)
class CellGap:
    """The mean gap of a precision in one cell.

    Attributes
    ----------
    precision
        Its spelling.
    params, tokens, schedule
        The cell.
    pairs
        Pairs of runs, one a seed.
    mean
        Mean gap, nats per token.
    error
        Its standard error over seeds; NaN with one seed.
    """

    precision: str
    params: float
    tokens: float
    schedule: str
    pairs: int
    mean: float
    error: float


@dataclass(frozen=True)
class PrecisionGap:
    """The gaps of a precision under one schedule.

    Attributes
    ----------
    precision, schedule
        Their spelling and name.
    cells, pairs
        Counts.
    mean
        Mean of the cells, nats per token.
    error
        Its standard error over paired seeds; NaN where a cell has one seed.
    resolved
        The smallest gap, in nats, that one cell would tell from none.
    growth
        How the gap grows with tokens and params, or the sentence why that is not known.
    """

    precision: str
    schedule: str
    cells: int
    pairs: int
    mean: float
    error: float
    resolved: float
    growth: Growth | str

    @property
    def after(self) -> bool:
        """Whether it is of rounding after training."""
        return "->" in self.precision


@dataclass(frozen=True, repr=False)
class GapTable:
    """Paired gaps: loss at a precision less loss at the reference, all else equal.

    Attributes
    ----------
    level
        Coverage of intervals, 0.9 = 90%.
    noise
        Standard deviation over seeds of the loss of reference runs in one cell, nats per token.
    freedom
        Its degrees of freedom.
    cells
        The gaps cell by cell.
    precisions
        The gaps by precision and schedule.
    schedules
        Names of the learning-rate schedules.
    differences
        Exponents under the first schedule less those under the second, by precision and name.
    """

    level: float
    noise: float
    freedom: int
    cells: tuple[CellGap, ...]
    precisions: tuple[PrecisionGap, ...]
    schedules: tuple[str, ...]
    differences: dict[tuple[str, str], Slope]

    def of(self, precision: str, schedule: str | None = None) -> PrecisionGap:
        """The gaps of one precision. Raises KeyError for one that the table lacks."""
        for each in self.precisions:
            if each.precision == precision and schedule in (None, each.schedule):
                return each
        raise KeyError(
            f"there are no pairs of {precision!r}; precisions are "
            f"{', '.join(p.precision for p in self.precisions)}"
        )

    def sections(self) -> list[Section]:
        """The report: costs in training and after it, how they grow, and cell by cell."""
        return [*self._stages(), *self._differences(), self._by_cell()]

    def _stages(self) -> Iterator[Section]:
        if math.isfinite(self.noise):
            seeds = (
                f"losses of equal reference runs differ by {self.noise:.4f} nats between seeds "
                f"({self.freedom} degrees of freedom)"
            )
        else:
            seeds = "one seed: neither the noise between seeds nor any error over them is known"
        for after, title in (
            (False, "What a precision costs in training"),
            (True, "What it costs after training"),
        ):
            rows = [p for p in self.precisions if p.after == after]
            if rows:
                lines = (
                    seeds,
                    "mean of the cells with its standard error over paired seeds; resolved: the "
                    f"smallest gap that one cell would tell from none ({TEST:.0%}, two-sided)",
                    f"gap ~ tokens^d params^-n by Poisson pseudo-likelihood, {self.level:.0%} "
                    "intervals by jackknife over trajectories",
                )
                head = (
                    "precision",
                    "schedule",
                    "cells",
                    "pairs",
                    "gap",
                    "se",
                    "resolved",
                    "d",
                    "n",
                )
                yield Section(title, lines, head, tuple(_row(p, self.level) for p in rows))

    def _differences(self) -> Iterator[Section]:
        if self.differences:
            one, two = self.schedules[:2]
            rows = tuple(
                (precision, name, _interval(slope, self.level))
                for (precision, name), slope in self.differences.items()
            )
            lines = (
                f"exponent under {one} less exponent under {two}, the same trajectories left out "
                "of both",
            )
            yield Section(
                "Decay against none", lines, ("precision", "exponent of", "difference"), rows
            )

    def _by_cell(self) -> Section:
        rows = tuple(
            (
                c.precision,
                c.schedule,
                compact(c.params),
                compact(c.tokens),
                f"{c.tokens / c.params:.3g}",
                str(c.pairs),
                f"{c.mean:+.4f}",
                number(c.error, 2),
            )
            for c in self.cells
        )
        head = (
            "precision",
            "schedule",
            "params",
            "tokens",
            "tokens per param",
            "pairs",
            "gap",
            "se",
        )
        return Section("Cell by cell", (), head, rows)

    def __str__(self) -> str:
        return text(self.sections())

    __repr__ = __str__


def gap_table(runs: Runs | Sample | Any, level: float = 0.9) -> GapTable:
    """The paired gaps of a table of runs, with errors over seeds and exponents with intervals.

    Parameters
    ----------
    runs
        Runs, a list of Run, a data frame, a path, or the name of a public table.
    level
        Coverage of intervals, 0.9 = 90%.

    Returns
    -------
    GapTable
        Gaps by cell and by precision; printing it is the report.

    Raises
    ------
    FitError
        No run has a partner at the reference that shares all but precision, or an argument is not
        accepted.
    """
    level = check_level(level)
    sample = as_sample(runs)
    row, reference = pairs(sample)
    if not len(row):
        raise FitError(
            "no run has a partner at full precision or bf16 that shares its params, tokens and all "
            "else but precision"
        )
    noise, freedom = _noise(sample)
    gaps = _Gaps(sample, row, sample.loss[row] - sample.loss[reference])
    found = [gaps.of(precision, schedule, level) for precision, schedule in gaps.kinds()]
    schedules = tuple(sorted({p.schedule for p in found}, key=lambda s: (s == "constant", s)))
    return GapTable(
        level,
        noise,
        freedom,
        tuple(gaps.cells()),
        tuple(found),
        schedules,
        _differences(found, schedules),
    )


class _Gaps:
    """The gaps of pairs with what they are of: precision, schedule, cell and trajectory."""

    def __init__(self, sample: Sample, row: NDArray[np.intp], gap: Array):
        self.gap, self.params, self.tokens = gap, sample.x.params[row], sample.x.tokens[row]
        self.precision = np.array([str(sample.x.levels.items[k]) for k in sample.x.level[row]])
        known = {
            name: np.array([str(v) for v in sample.runs[name]])[row]
            for name in PAIRED
            if name in sample.runs.columns
        }
        self.schedule = known.get("schedule", np.full(len(row), "")).astype(str)
        share = [self.precision, self.params.astype(str), self.tokens.astype(str)]
        share += [known[name] for name in CELL if name in known]
        self.cell = np.unique(np.column_stack(share), axis=0, return_inverse=True)[1].ravel()
        along = [self.params.astype(str)]
        along += [
            known[name]
            for name in ("seed", "lr_peak", "batch_tokens", "optimizer")
            if name in known
        ]
        self.cluster = np.array([" ".join(each) for each in zip(*along, strict=True)])
        count = np.bincount(self.cell)
        self.seeds = count[self.cell]
        self.apart = gap - (np.bincount(self.cell, gap) / np.maximum(1, count))[self.cell]

    def kinds(self) -> list[tuple[str, str]]:
        """Precision and schedule of every group: in training first, largest mean gap first."""
        found = sorted(set(zip(self.precision.tolist(), self.schedule.tolist(), strict=True)))
        return sorted(found, key=lambda k: ("->" in k[0], -self._mean(*k)))

    def _of(self, precision: str, schedule: str) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = (self.precision == precision) & (self.schedule == schedule)
        return found

    def _mean(self, precision: str, schedule: str) -> float:
        mask = self._of(precision, schedule)
        return float(np.mean([self.gap[self.cell == c].mean() for c in np.unique(self.cell[mask])]))

    def of(self, precision: str, schedule: str, level: float) -> PrecisionGap:
        """The gaps of a precision under a schedule.

        The error of the mean of C cells: sqrt(sum over trajectories (sum e / (C n))^2 n / (n - 1)),
        e a gap less its cell's mean over n seeds; trajectories are runs of one size and seed, whose
        noise is shared.
        """
        mask = self._of(precision, schedule)
        cells = len(np.unique(self.cell[mask]))
        n, apart = self.seeds[mask], self.apart[mask]
        several = n > 1
        error = resolved = math.nan
        if several.any():
            weight = apart / (cells * n) * np.sqrt(n / np.maximum(1, n - 1))
            sums = np.bincount(np.unique(self.cluster[mask], return_inverse=True)[1], weight)
            error = float(np.sqrt(np.sum(sums**2))) if several.all() else math.nan
            free = float(np.sum(1 - 1 / n[several]))
            spread = math.sqrt(float(np.sum(apart[several] ** 2)) / free)
            resolved = reach(free, TEST) * spread / math.sqrt(float(np.median(n[several])))
        grown = growth(
            self.gap[mask], self.params[mask], self.tokens[mask], self.cluster[mask].tolist()
        )
        return PrecisionGap(
            precision,
            schedule,
            cells,
            int(mask.sum()),
            self._mean(precision, schedule),
            error,
            resolved,
            grown,
        )

    def cells(self) -> Iterator[CellGap]:
        """Every cell: precisions as in `kinds`, then by tokens per param."""
        for precision, schedule in self.kinds():
            found = np.unique(self.cell[self._of(precision, schedule)], return_index=False)
            first = [int(np.flatnonzero(self.cell == c)[0]) for c in found]
            for at in sorted(
                first, key=lambda i: (self.tokens[i] / self.params[i], self.params[i])
            ):
                gap = self.gap[self.cell == self.cell[at]]
                error = float(gap.std(ddof=1) / math.sqrt(len(gap))) if len(gap) > 1 else math.nan
                yield CellGap(
                    precision,
                    float(self.params[at]),
                    float(self.tokens[at]),
                    schedule,
                    len(gap),
                    float(gap.mean()),
                    error,
                )


def _noise(sample: Sample) -> tuple[float, int]:
    """Pooled standard deviation of reference losses over seeds, and its degrees of freedom."""
    mask = is_reference(sample)
    loss, cell = sample.loss[mask], np.unique(sample.cells[mask], return_inverse=True)[1]
    count = np.bincount(cell)
    freedom = int(len(loss) - len(count))
    apart = loss - (np.bincount(cell, loss) / count)[cell]
    return (math.sqrt(float(np.sum(apart**2)) / freedom) if freedom else math.nan), freedom


def _differences(
    found: list[PrecisionGap], schedules: tuple[str, ...]
) -> dict[tuple[str, str], Slope]:
    if len(schedules) != 2:
        return {}
    by = {(p.precision, p.schedule): p.growth for p in found}
    result = {}
    for precision in dict.fromkeys(p.precision for p in found):
        one, two = (by.get((precision, schedule)) for schedule in schedules)
        if isinstance(one, Growth) and isinstance(two, Growth):
            for name in one.slopes:
                less = one.less(two, name)
                if less is not None:
                    result[precision, name] = less
    return result


def _row(p: PrecisionGap, level: float) -> tuple[str, ...]:
    if isinstance(p.growth, str):
        grown = (p.growth, "")
    elif one := p.growth.slopes.keys() & {"together", "tokens per param"}:
        (name,) = one
        grown = (f"{_interval(p.growth.slopes[name], level)} in {WORDS[name]}", "")
    else:
        d, n = (p.growth.slopes.get(name) for name in ("tokens", "params"))
        minus = None if n is None else Slope(-n.value, n.error, n.freedom)
        grown = (_interval(d, level), _interval(minus, level))
    counts = p.precision, p.schedule, str(p.cells), str(p.pairs)
    return (*counts, f"{p.mean:+.4f}", number(p.error, 2), number(p.resolved, 2), *grown)


def _interval(slope: Slope | None, level: float) -> str:
    if slope is None:
        return "-"
    low, high = slope.interval(level)
    return f"{slope.value:+.2f} ({low:+.2f} to {high:+.2f})"
