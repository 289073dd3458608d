"""What predicts held-out runs: a law that is fitted to the others, the average of such laws,
baselines that need no law.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from isoloss.files import Registry, equal_by_fields
from isoloss.fits import FitError, Sample, Split, fit, trial
from isoloss.laws import Array, DomainError, Law, Mask
from isoloss.scores.problems import ScoreError

#: Replicates and starts of every fit, and the share in its intervals.
DRAWS, STARTS, LEVEL = 40, 8, 0.9
#: A law of more free constants, as of several for each of 72 precisions, is not tried: a fit of it
#: takes minutes.
MOST_CONSTANTS = 100
#: A law is averaged whose fitted error is at most so many times the least.
NEAR = 1.5


@equal_by_fields
@dataclass(frozen=True)
class Told:
    """Predictions of held-out runs: normal in log loss, or in the log of gaps on trial by gaps.

    Attributes
    ----------
    log_loss
        Central predictions, shape (n,).
    error
        Standard deviations of a new run, shape (n,); NaN where a law has no interval.
    fitted
        Root mean square error of log loss of the runs that were fitted; NaN of a baseline.
    """

    log_loss: Array
    error: Array
    fitted: float = math.nan


#: From fitted runs and held-out ones (whose losses it may not look at) to predictions.
Baseline = Callable[[Sample, Sample], Told]
#: Baselines by name; one more is ``BASELINES.register("name", function)``.
BASELINES: Registry[Baseline] = Registry("baseline", ScoreError)
#: Those of gaps, whose samples hold mean gaps in place of losses.
GAP_BASELINES: Registry[Baseline] = Registry("baseline of gaps", ScoreError)


def of_law(law: Law, sample: Sample, rows: Sequence[Split]) -> Told | str:
    """What a law, fitted to the other runs of each split, says of the held-out ones, or why it
    cannot.
    """
    try:
        constants = len(law.bind(sample.x.levels).free)
        if constants > MOST_CONSTANTS:
            return f"law {law.name!r} has {constants} constants; up to {MOST_CONSTANTS} are tried"
        return joined([_tried(law, sample, each) for each in rows])
    except (FitError, DomainError) as error:
        return str(error)


def _tried(law: Law, sample: Sample, rows: Split) -> Told:
    held, fitted = trial(law, sample, rows, draws=DRAWS, starts=STARTS, level=LEVEL)
    said = held.prediction
    with np.errstate(invalid="ignore"):
        wide = np.log(said.high / said.low) / (2 * stats.norm.ppf((1 + LEVEL) / 2))
    return Told(np.log(said.loss), np.asarray(wide), fitted.log_rmse)


def joined(told: Sequence[Told]) -> Told:
    """Predictions of several splits as one."""
    return Told(
        np.concatenate([each.log_loss for each in told]),
        np.concatenate([each.error for each in told]),
        float(np.sqrt(np.mean([each.fitted**2 for each in told]))),
    )


def average(told: Sequence[Told]) -> Told:
    """The equal mixture of the laws that fit the other runs nearly as well as the best does, as the
    normal of its mean and variance; those without an interval are left out unless all are.
    """
    best = min(each.fitted for each in told)
    good = [each for each in told if each.fitted <= NEAR * best]
    good = [each for each in good if np.isfinite(each.error).all()] or good
    mean = np.mean([each.log_loss for each in good], axis=0)
    second = np.mean([each.error**2 + (each.log_loss - mean) ** 2 for each in good], axis=0)
    return Told(mean, np.sqrt(second))


def of_baseline(baseline: Baseline, sample: Sample, rows: Sequence[Split]) -> Told | str:
    """What a baseline says of the held-out runs, or why it cannot."""
    try:
        return joined([baseline(sample.take(e.train), sample.take(e.test)) for e in rows])
    except (FitError, ValueError) as error:
        return str(error)


def _nearest(seen: Sample, new: Sample) -> Told:
    """The log loss of the nearest run in log params, log tokens and bits, among equals one of the
    same precision; errors are those of runs by their own nearest neighbours elsewhere.
    """
    place, names, log = _place(seen), _names(seen), np.log(seen.loss)
    far = _far(place, place)
    far[far < 1e-12] = np.inf  # repeats of a run are no neighbours of it
    error = float(np.sqrt(np.mean((log[np.argmin(far, axis=1)] - log) ** 2)))
    other = _names(new)[:, None] != names
    middle = log[np.argmin(_far(_place(new), place) + 1e-9 * other, axis=1)]
    return Told(middle, np.full(len(new), error))


def _plane(seen: Sample, new: Sample) -> Told:
    """A plane in log params, log tokens and 2^-bits of each part, by least squares."""
    x, at, log = _design(seen), _design(new), np.log(seen.loss)
    value, *_ = np.linalg.lstsq(x, log, rcond=None)
    spread = float(np.sum((log - x @ value) ** 2)) / max(1, len(log) - np.linalg.matrix_rank(x))
    inverse = np.linalg.pinv(x.T @ x)
    return Told(at @ value, np.sqrt(spread * (1 + np.einsum("ij,jk,ik->i", at, inverse, at))))


def _law_and_gaps(seen: Sample, new: Sample) -> Told:
    """Chinchilla's law fitted to the runs at the reference, and the mean log gap of a precision;
    of one that was not run, that of the nearest in bits.
    """
    wide = _reference(seen)
    if wide.sum() < 6 or len(set(seen.x.params[wide])) < 2:
        raise FitError("fewer than six runs of two sizes at the reference")
    base = fit("chinchilla", seen.runs.take(np.flatnonzero(wide)), draws=DRAWS, starts=STARTS).law
    gap = np.log(seen.loss) - np.log(base.loss(seen.x))
    mean, error = _means(seen, gap, new)
    return Told(np.log(base.loss(new.x)) + mean, np.full(len(new), error))


def _constant_gap(seen: Sample, new: Sample) -> Told:
    """The mean log gap of a precision; of one that was not run, that of the nearest in bits."""
    mean, error = _means(seen, np.log(seen.loss), new)
    return Told(mean, np.full(len(new), error))


def _means(seen: Sample, values: Array, new: Sample) -> tuple[Array, float]:
    """Mean value of the precision of each new run, of one that was not run that of the nearest in
    bits, and their scatter.
    """
    names, bits = _names(seen), _bits(seen)
    known, first, at = np.unique(names, return_index=True, return_inverse=True)
    means = np.bincount(at, values) / np.bincount(at)
    same = _names(new)[:, None] == known
    near = np.argmin(_far(_bits(new), bits[first]) - same, axis=1)
    return means[near], float(np.sqrt(np.mean((values - means[at]) ** 2)))


def _reference(sample: Sample) -> Mask:
    wide = [each.is_reference for each in sample.x.levels.items]
    return np.array(wide, dtype=bool)[sample.x.level]


def _bits(sample: Sample) -> Array:
    """2^-bits of weights, activations, keys and served weights, 0 without rounding, (n, 4)."""
    levels = sample.x.levels
    columns = [levels.bits(part) for part in ("w", "a", "kv")] + [levels.bits("w", "serve")]
    table = np.nan_to_num(np.exp2(-np.stack(columns, axis=1)))
    return np.asarray(table[sample.x.level])


def _names(sample: Sample) -> NDArray[np.str_]:
    return np.array([str(each) for each in sample.x.levels.items])[sample.x.level]


def _place(sample: Sample) -> Array:
    return np.column_stack([sample.x.log_params, sample.x.log_tokens, 4 * _bits(sample)])


def _design(sample: Sample) -> Array:
    return np.column_stack([np.ones(len(sample)), _place(sample)])


def _far(one: Array, other: Array) -> Array:
    """Squared distances of all pairs, shape (n, m)."""
    return np.asarray(np.sum((one[:, None] - other[None]) ** 2, axis=2))


BASELINES.register("nearest run", _nearest)
BASELINES.register("plane in logarithms", _plane)
BASELINES.register("chinchilla and mean gaps", _law_and_gaps)
GAP_BASELINES.register("constant gap", _constant_gap)
GAP_BASELINES.register("nearest gap", _nearest)
GAP_BASELINES.register("plane in logarithms", _plane)
