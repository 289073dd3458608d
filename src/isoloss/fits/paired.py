"""Paired gaps: loss at a precision less loss at the reference in runs that share everything else, without a base law."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoloss.fits.sample import Sample
from isoloss.laws import Array, Law, Mask

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


@dataclass(frozen=True)
class Slope:
    """An exponent of the gap with its standard error (clustered by cell); None where it does not vary."""

    value: float
    error: float


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

    def error_of(self, law: Law, sample: Sample) -> float:
        """Root mean square of log predicted less log observed gap over positive pairs that the law also sees rising."""
        gap = sample.loss[self.row] - sample.loss[self.reference]
        loss = law.loss(sample.x)
        said = loss[self.row] - loss[self.reference]
        both = (gap > 0) & (said > 0)
        if not both.any():
            return float("nan")
        return float(np.sqrt(np.mean(np.log(said[both] / gap[both]) ** 2)))


def gaps(sample: Sample) -> Gaps | None:
    """The gaps of every pair in a sample; None where fewer than three pairs are positive."""
    row, reference = _pairs(sample)
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
    """Which runs are at the reference: no part rounded below 16 bits, in training or in serving, and dense."""
    wide = []
    for level in sample.x.levels.items:
        formats = [*level.precision.train.values(), *level.precision.serve.values()]
        wide.append(
            not level.sparsity and all(f.is_exact or (f.kind == "float" and f.bits >= 16) for f in formats)
        )
    return np.array(wide, dtype=bool)[sample.x.level]


def _pairs(sample: Sample) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
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


def _regress(sample: Sample, row: NDArray[np.intp], log_gap: Array) -> tuple[dict[str, Slope | None], float]:
    """Least squares with an intercept a level; standard errors clustered by (params, tokens)."""
    levels = np.unique(sample.x.level[row])
    columns = [(sample.x.level[row] == k).astype(float) for k in levels]
    log_n, log_d = sample.x.log_params[row], sample.x.log_tokens[row]
    names, regressors = _regressors(columns, log_n, log_d)
    columns += regressors
    design = np.column_stack(columns)
    solution, *_ = np.linalg.lstsq(design, log_gap, rcond=None)
    left = log_gap - design @ solution
    cells = np.unique(np.column_stack([log_n, log_d]), axis=0, return_inverse=True)[1].ravel()
    scores = np.array([np.bincount(cells, column * left) for column in design.T])
    inverse = np.linalg.pinv(design.T @ design)
    n, p, g = len(log_gap), design.shape[1], int(cells.max()) + 1
    grow = g / max(1, g - 1) * (n - 1) / max(1, n - p)
    variance = np.diag(inverse @ (scores @ scores.T) @ inverse) * grow
    slopes: dict[str, Slope | None] = {"params": None, "tokens": None, "together": None}
    for k, name in enumerate(names, start=len(levels)):
        slopes[name] = Slope(float(solution[k]), float(np.sqrt(variance[k])))
    return slopes, float(np.sqrt(np.mean(left**2)))


def _regressors(levels: list[Array], log_n: Array, log_d: Array) -> tuple[list[str], list[Array]]:
    """Which of params and tokens vary within levels, or "together" where they vary as one."""
    intercepts = np.column_stack(levels)
    left = [v - intercepts @ np.linalg.lstsq(intercepts, v, rcond=None)[0] for v in (log_n, log_d)]
    spread = [float(np.sqrt(np.mean(v**2))) for v in left]
    if min(spread) > 1e-6 and abs(np.mean(left[0] * left[1])) > 0.98 * spread[0] * spread[1]:
        return ["together"], [log_d]
    varying = [k for k in (0, 1) if spread[k] > 1e-6]
    return [("params", "tokens")[k] for k in varying], [(log_n, log_d)[k] for k in varying]
