"""Paired gaps: loss at a precision less loss at the reference in runs that share everything else, without a base law."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from isoloss.fits.sample import Sample
from isoloss.laws import Array, Inputs, Law, Mask

#: Columns in which two runs of a pair must agree, beside params and tokens.
PAIRED = (
    "source",
    "corpus",
    "eval_set",
    "seed",
    "lr_peak",
    "lr_final",
    "schedule",
    "optimizer",
    "batch_tokens",
    "unique_tokens",
)


def reach(freedom: float, level: float) -> float:
    """How many standard errors an interval of this level reaches to each side; NaN without degrees of freedom."""
    return float(stats.t.ppf((1 + level) / 2, freedom)) if freedom > 0 else float("nan")


#: A logarithm that spreads less does not vary.
LEAST = 1e-6


@dataclass(frozen=True)
class Slope:
    """An exponent of the gap, its standard error by cells, and the degrees of freedom of that error.

    The error is the larger of the clustered one and that of cell means, NaN where there are too few cells for any.
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
    """The gaps of one precision: pairs, how many are not positive, and the geometric mean in nats."""

    precision: str
    pairs: int
    negative: int
    mean: float


@dataclass(frozen=True)
class Gaps:
    """log gap = level + d log tokens - n log params over all pairs with a positive gap.

    ``tokens`` is d, ``params`` is -n; a slope is None where the paired runs do not vary in it. Where the pairs have
    nearly constant tokens per param the two cannot be told apart: then both are None and ``together`` is the one
    exponent along that line.
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
    """How well a law predicts paired gaps: the root mean square error of all in nats, and the factor by which it
    misses those ``scored`` that are positive in the runs and in the law."""

    scored: int
    pairs: int
    factor: float
    nats: float


def gaps(sample: Sample) -> Gaps | None:
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


def is_reference(sample: Sample) -> Mask:
    """Which runs of a sample are at the reference."""
    return reference_mask(sample.x)


def reference_mask(x: Inputs) -> Mask:
    """Which points are at the reference: no part rounded below 16 bits, in training or in serving, and dense."""
    wide = []
    for level in x.levels.items:
        formats = [*level.precision.train.values(), *level.precision.serve.values()]
        wide.append(not level.sparsity and all(f.is_wide for f in formats))
    return np.array(wide, dtype=bool)[x.level]


def pairs(sample: Sample) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows that have a partner at the reference which shares all but precision, and those partners."""
    known = [c for c in PAIRED if c in sample.runs.columns]
    columns = [[str(v) for v in sample.runs[c]] for c in known]
    keys = list(zip(sample.x.params.tolist(), sample.x.tokens.tolist(), *columns, strict=True))
    base = is_reference(sample)
    where: dict[tuple[object, ...], int] = {}
    for i in np.flatnonzero(base):
        where.setdefault(keys[i], int(i))
    pairs = [(i, where[keys[i]]) for i in np.flatnonzero(~base) if keys[i] in where]
    found = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _level(sample: Sample, gap: Array, k: int) -> LevelGap:
    positive = gap[gap > 0]
    mean = float(np.exp(np.log(positive).mean())) if len(positive) else float("nan")
    return LevelGap(str(sample.x.levels.items[k]), len(gap), len(gap) - len(positive), mean)


def _regress(
    sample: Sample, row: NDArray[np.intp], log_gap: Array
) -> tuple[dict[str, Slope | None], float]:
    """Least squares on the means of cells (params, tokens), the mean of each level taken out.

    Runs of a cell share its noise, so the cell is the unit: errors have cells - slopes - 1 degrees of freedom.
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
    """1 where centred log params and log tokens rise as one, -1 where one falls as the other rises, else 0."""
    spread = _spread(n), _spread(d)
    moved = float(np.mean(n * d))
    return (
        int(np.sign(moved))
        if min(spread) > LEAST and abs(moved) > 0.98 * spread[0] * spread[1]
        else 0
    )


def _spread(v: Array) -> float:
    return float(np.sqrt(np.mean(v**2)))
