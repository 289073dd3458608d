"""What checks on runs share: pairs of runs that differ in precision alone, and figures with the
jackknife over what their runs have in common.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoloss.fits import GapTable, Growth, gap_table
from isoloss.formats import Precision
from isoloss.papers.claim import Ours
from isoloss.papers.laboratory import Laboratory
from isoloss.runs import Runs

Array = NDArray[np.float64]
#: What two runs of a pair share; columns that a table lacks are the same for all of its runs.
SHARED = ("params", "tokens", "seed", "schedule", "lr_peak")
#: The learning rate of most runs of isoloss2026, and its schedule with decay.
RATE, DECAYED = 0.01, "wsd"
#: A figure that the runs do not hold.
UNKNOWN = Ours(float("nan"), float("inf"))


def spelled(precision: str) -> str:
    """The spelling of a precision as tables of runs have it."""
    return str(Precision.parse(precision))


def usual(laboratory: Laboratory, table: str, schedule: str | None = None) -> Runs:
    """The dense runs of a table at its usual learning rate, of one schedule or of all."""
    runs = laboratory.runs(table).usable.where(sparsity=None)
    if table == "isoloss2026":
        runs = runs.where(lr_peak=RATE)
    return runs if schedule is None or table != "isoloss2026" else runs.where(schedule=schedule)


def trained(laboratory: Laboratory, table: str, precisions: Sequence[str]) -> Runs:
    """The runs of a table that were trained in these precisions, with decay, and not rounded."""
    return usual(laboratory, table, DECAYED).where(precision=list(precisions), parent=None)


def gaps_of_table(laboratory: Laboratory, table: str) -> GapTable:
    """The paired gaps of a table, both schedules, made once."""
    return laboratory.once(
        ("gap table", table), lambda: gap_table(usual(laboratory, table), level=0.9)
    )


def slope(found: GapTable, precision: str, schedule: str, name: str) -> Ours:
    """An exponent of a gap with its error; unknown where the runs hold none."""
    growth = found.of(spelled(precision), schedule).growth
    if not isinstance(growth, Growth) or name not in growth.slopes:
        return UNKNOWN
    return Ours(growth.slopes[name].value, growth.slopes[name].error)


def gaps_by_cell(runs: Runs, precisions: Sequence[str], base: str = "fp") -> pl.DataFrame:
    """Gaps of several precisions in the runs that have them all: a row a cell and seed, a column a
    precision, and the column ``base`` with the loss of the base.

    Parameters
    ----------
    runs
        A table of runs.
    precisions
        The precisions, any spelling.
    base
        The precision that is subtracted.
    """
    frame = runs.frame()
    keys = [name for name in SHARED if name in frame.columns]

    def losses(precision: str, name: str) -> pl.DataFrame:
        some = frame.filter(pl.col("precision") == spelled(precision))
        return some.group_by(keys).agg(pl.col("loss").mean().alias(name))

    joined = losses(base, "base")
    for precision in precisions:
        joined = joined.join(losses(precision, precision), on=keys, nulls_equal=True)
        joined = joined.with_columns(pl.col(precision) - pl.col("base"))
    return joined.sort(keys)


def jackknifed(
    frame: pl.DataFrame, by: Sequence[str], statistic: Callable[[pl.DataFrame], float]
) -> Ours:
    """A statistic of a table with its jackknife error, rows that share the columns ``by`` left out
    together; unknown with fewer than three such sets.
    """
    names = [name for name in by if name in frame.columns]
    units = frame.select(pl.struct(names).rank("dense").alias("unit"))["unit"].to_numpy()
    found = np.unique(units)
    if len(found) < 3:
        return Ours(statistic(frame), float("inf")) if len(frame) else UNKNOWN
    left = np.array([statistic(frame.filter(units != unit)) for unit in found])
    count = len(found)
    error = np.sqrt((count - 1) / count * np.sum((left - left.mean()) ** 2))
    return Ours(float(statistic(frame)), float(error))


def total(some: pl.DataFrame, *names: str) -> float:
    """The sum of some columns."""
    return float(sum(some[name].to_numpy().sum() for name in names))


def mean(some: pl.DataFrame, name: str) -> float:
    """The mean of a column."""
    return float(some[name].to_numpy().mean())


def ratio(runs: Runs, over: str, under: str, base: str = "fp") -> Ours:
    """The gap of a precision over that of another, summed over the runs that have both."""
    frame = gaps_by_cell(runs, [over, under], base)
    return jackknifed(
        frame, ("params", "seed"), lambda some: total(some, over) / total(some, under)
    )


def difference(runs: Runs, one: str, two: str) -> Ours:
    """The mean gap of a precision less that of another in the runs that have both."""
    frame = gaps_by_cell(runs, [one, two])
    return jackknifed(frame, ("params", "seed"), lambda some: mean(some, one) - mean(some, two))


def spread(draws: Array) -> float:
    """The standard error that replicates of a fit show: half of what the middle 68% of them span,
    which a few replicates far out do not move.
    """
    low, high = np.quantile(draws, [0.16, 0.84])
    return float(high - low) / 2


def explained(observed: Array, predicted: Array) -> float:
    """R2: the share of the variance of what was observed that predictions explain."""
    apart = np.sum((observed - predicted) ** 2)
    return float(1 - apart / np.sum((observed - observed.mean()) ** 2))


def in_bits(count: int) -> str:
    """A number of bits in words: "1 bit", "2 bits"."""
    return f"{count} bit{'s' * (count != 1)}"


def rests(runs: Runs, name: str) -> str:
    """A table with the hash of its rows, as a finding names it."""
    return f"{name}, {len(runs)} runs, sha256 {runs.hash[:12]}"


def shown(found: Ours, digits: int = 3) -> str:
    """A figure with its error, for a sentence; an error that is not bounded is said in words."""
    if not np.isfinite(found.value):
        return "not known"
    if found.error == 0:
        return f"{found.value:.{digits}g}"
    if not np.isfinite(found.error):
        return f"{found.value:.{digits}g} (error not told by the runs)"
    return f"{found.value:.{digits}g} ({found.error:.2g})"
