"""Paired gaps: loss at a precision less loss at the reference, without a base law."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from isoloss.fits.paired_gaps.pairing import pairs
from isoloss.fits.sample import Sample, as_sample
from isoloss.laws import Array, Law
from isoloss.runs import Runs

#: A logarithm that spreads less does not vary.
LEAST = 1e-6


def reach(freedom: float, level: float) -> float:
    """Standard errors that an interval of this level reaches to each side; NaN without freedom."""
    return float(stats.t.ppf((1 + level) / 2, freedom)) if freedom > 0 else float("nan")


@dataclass(frozen=True)
class Slope:
    """An exponent of the gap.

    Attributes
    ----------
    value
        The exponent.
    error
        Its standard error by cells, the larger of the clustered one and that of cell means; NaN
        where there are too few cells for any.
    freedom
        Degrees of freedom of that error.
    """

    value: float
    error: float
    freedom: int

    def interval(self, level: float = 0.9) -> tuple[float, float]:
        """The Student-t interval; NaN without degrees of freedom."""
        far = reach(self.freedom, level) * self.error
        return self.value - far, self.value + far


@dataclass(frozen=True)
class LevelGap:
    """The gaps of one precision.

    Attributes
    ----------
    precision
        Its spelling.
    pairs
        Pairs of runs.
    negative
        How many gaps are not positive.
    mean
        Geometric mean of the positive gaps, in the unit of the loss.
    """

    precision: str
    pairs: int
    negative: int
    mean: float


@dataclass(frozen=True)
class Gaps:
    """Paired gaps and a law of them: log gap = level + d log tokens - n log params.

    Attributes
    ----------
    pairs
        Pairs of runs.
    negative
        Gaps that are not positive: they have no logarithm, and the exponents rest on the others.
    levels
        The gaps of each precision.
    tokens, params
        The exponents d and -n; None where the paired runs do not vary in it.
    together
        The one exponent where tokens per param are nearly constant in the pairs, so that d and n
        cannot be told apart: both are None then.
    spread
        Root mean square of what the exponents leave of log gaps.
    row, reference
        Rows of the sample that are paired, shape (pairs,).
    """

    pairs: int
    negative: int
    levels: tuple[LevelGap, ...]
    tokens: Slope | None
    params: Slope | None
    together: Slope | None
    spread: float
    row: NDArray[np.intp]
    reference: NDArray[np.intp]

    def score(self, law: Law, sample: Sample) -> GapScore:
        """How well a law predicts these gaps."""
        gap = sample.loss[self.row] - sample.loss[self.reference]
        loss = law.loss(sample.x)
        said = loss[self.row] - loss[self.reference]
        both = (gap > 0) & (said > 0)
        factor = (
            float(np.exp(np.sqrt(np.mean(np.log(said[both] / gap[both]) ** 2))))
            if both.any()
            else float("nan")
        )
        return GapScore(
            int(both.sum()), len(gap), factor, float(np.sqrt(np.mean((said - gap) ** 2)))
        )


@dataclass(frozen=True)
class GapScore:
    """How well a law predicts paired gaps.

    Attributes
    ----------
    scored
        Pairs whose gap is positive in the runs and in the law.
    pairs
        All pairs.
    factor
        The factor by which the law misses the scored gaps, by the root mean square of logarithms.
    nats
        Root mean square error of all gaps, in nats per token where that is the metric of the runs.
    """

    scored: int
    pairs: int
    factor: float
    nats: float


def gaps(runs: Sample | Runs | Any) -> Gaps | None:
    """The gaps of every pair of runs, and the exponents with which they grow.

    Parameters
    ----------
    runs
        Runs, what `isoloss.runs.read` takes, or a sample.

    Returns
    -------
    Gaps or None
        None where fewer than three pairs are positive.

    Raises
    ------
    FitError
        No run is usable, or runs that must not be pooled are mixed.
    """
    return gaps_of(as_sample(runs, takes_per=False))


def gaps_of(sample: Sample) -> Gaps | None:
    """The gaps of every pair in a sample; None where fewer than three pairs are positive."""
    row, reference = pairs(sample)
    if len(row) < 3:
        return None
    gap = sample.loss[row] - sample.loss[reference]
    good = np.flatnonzero(gap > 0)
    if len(good) < 3:
        return None
    level = sample.x.level[row]
    found = tuple(_level(sample, gap[level == k], int(k)) for k in np.unique(level))
    slopes, spread = _regress(sample, row[good], np.log(gap[good]))
    return Gaps(
        len(row),
        len(row) - len(good),
        found,
        slopes["tokens"],
        slopes["params"],
        slopes["together"],
        spread,
        row,
        reference,
    )


def _level(sample: Sample, gap: Array, k: int) -> LevelGap:
    positive = gap[gap > 0]
    mean = float(np.exp(np.log(positive).mean())) if len(positive) else float("nan")
    return LevelGap(str(sample.x.levels.items[k]), len(gap), len(gap) - len(positive), mean)


def _regress(
    sample: Sample, row: NDArray[np.intp], log_gap: Array
) -> tuple[dict[str, Slope | None], float]:
    """Least squares on the means of cells (params, tokens), the mean of each level taken out.

    Runs of a cell share its noise, so the cell is the unit: errors have cells - slopes - 1 degrees
    of freedom.
    """
    level = np.unique(sample.x.level[row], return_inverse=True)[1]
    log_n, log_d = sample.x.log_params[row], sample.x.log_tokens[row]
    cell = np.unique(np.column_stack([log_n, log_d]), axis=0, return_inverse=True)[1].ravel()
    gap, n, d = (
        v - (np.bincount(level, v) / np.bincount(level))[level] for v in (log_gap, log_n, log_d)
    )
    names, columns = _regressors(n, d)
    slopes: dict[str, Slope | None] = {"params": None, "tokens": None, "together": None}
    if not names:
        return slopes, float(np.sqrt(np.mean(gap**2)))
    design = np.column_stack(columns)
    value, *_ = np.linalg.lstsq(design, gap, rcond=None)
    left = gap - design @ value
    freedom = int(cell.max()) - len(names)
    scores = np.array([np.bincount(cell, column * left) for column in columns])
    inverse = np.linalg.inv(design.T @ design)
    sums = np.array([np.bincount(cell, column) for column in columns])
    spread = float(np.sum((np.bincount(cell, left) / np.bincount(cell)) ** 2)) / max(1, freedom)
    # Sums of squares, which may come out a rounding error below zero.
    classical, clustered = (
        np.sqrt(np.maximum(0.0, np.diag(inverse @ each @ each.T @ inverse)))
        for each in (sums, scores)
    )
    classical = classical * np.sqrt(spread)
    for k, name in enumerate(names):
        error = float(max(classical[k], clustered[k])) if freedom > 0 else float("nan")
        slopes[name] = Slope(float(value[k]), error, max(0, freedom))
    return slopes, float(np.sqrt(np.mean(left**2)))


def _regressors(n: Array, d: Array) -> tuple[list[str], list[Array]]:
    """Which of params and tokens vary within levels, or "together" where they vary as one."""
    if as_one(n, d):
        return ["together"], [d]
    varying = [k for k, v in enumerate((n, d)) if _spread(v) > LEAST]
    return [("params", "tokens")[k] for k in varying], [(n, d)[k] for k in varying]


def as_one(n: Array, d: Array) -> int:
    """1 where centred log params and log tokens rise as one, -1 where one falls, else 0."""
    spread = _spread(n), _spread(d)
    moved = float(np.mean(n * d))
    return (
        int(np.sign(moved))
        if min(spread) > LEAST and abs(moved) > 0.98 * spread[0] * spread[1]
        else 0
    )


def _spread(v: Array) -> float:
    return float(np.sqrt(np.mean(v**2)))
