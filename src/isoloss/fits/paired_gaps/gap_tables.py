"""The verb ``gap_table``: gaps of pairs by cell and precision, errors over seeds, growth."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isoloss.fits.arguments import FitError, check_level
from isoloss.fits.paired_gaps.gap_growth import Growth, growth
from isoloss.fits.paired_gaps.gap_runs import is_gaps
from isoloss.fits.paired_gaps.gap_values import TEST, CellGap, GapTable, PrecisionGap
from isoloss.fits.paired_gaps.paired import Slope, reach
from isoloss.fits.paired_gaps.pairing import PAIRED, differences, is_reference
from isoloss.fits.sample import Sample, as_runs, as_sample, excluded_by_reason
from isoloss.laws import Array
from isoloss.runs import Runs

#: What tells runs of one size, length and precision apart in most tables.
TOLD = ("seed", "schedule", "lr_peak")
#: What runs of one cell share beside precision, params and tokens.
CELL = tuple(name for name in PAIRED if name not in ("seed", "source", "corpus", "eval_set"))


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
    read = None if isinstance(runs, Sample) else as_runs(runs)
    if read is not None and is_gaps(read):
        raise FitError("these runs are gaps already; give the runs that they are of")
    sample = as_sample(runs if read is None else read, unread=True, takes_per=False)
    left_out = {} if read is None else excluded_by_reason(read)
    single = differences(sample)
    row = single.row
    if not len(row):
        others = "".join(f"; {count} are excluded: {why}" for why, count in left_out.items())
        raise FitError(
            "no run has a partner at full precision or bf16 that shares its params, tokens and all "
            f"else but precision, and none carries its gap{others}"
        )
    if alone := len(sample) - int(is_reference(sample).sum()) - len(row):
        left_out["no partner at the reference that shares all but precision"] = alone
    noise, freedom = _noise(sample)
    gaps = _Gaps(sample, row, single.gap)
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
        left_out,
        sample.metric,
        int(single.pooled.sum()),
        tuple(name for name in TOLD if name not in sample.runs.columns),
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
