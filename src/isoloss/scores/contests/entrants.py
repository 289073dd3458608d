"""What predicts held-out runs: a law that is fitted to the others, the average of such laws,
baselines that need no law.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from isoloss.files import Registry
from isoloss.fits import FitError, Sample, fit, split
from isoloss.laws import Array, DomainError, Law, Mask
from isoloss.scores.problems import ScoreError

#: Replicates and starts of every fit, and the share in its intervals.
DRAWS, STARTS, LEVEL = 40, 8, 0.9
#: A law is averaged whose fitted error is at most so many times the least.
NEAR = 1.5


@dataclass(frozen=True)
class Told:
    """Predictions of held-out runs: normal in log loss.

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


def of_law(law: Law, sample: Sample, rule: str) -> Told | str:
    """What a law, fitted to the other runs, says of the held-out ones, or why it cannot."""
    try:
        found = fit(law, sample.runs, holdout=rule, draws=DRAWS, starts=STARTS, level=LEVEL)
    except (FitError, DomainError) as error:
        return str(error)
    if found.held_out is None:
        raise AssertionError("a fit with a hold-out has held-out runs")
    said = found.held_out.prediction
    with np.errstate(invalid="ignore"):
        wide = np.log(said.high / said.low) / (2 * stats.norm.ppf((1 + LEVEL) / 2))
    return Told(np.log(said.loss), np.asarray(wide), found.fitted.log_rmse)


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


def of_baseline(baseline: Baseline, sample: Sample, rule: str) -> Told:
    """What a baseline says of the held-out runs."""
    rows = split(sample, rule)
    return baseline(sample.take(rows.train), sample.take(rows.test))


def _nearest(seen: Sample, new: Sample) -> Told:
    """The log loss of the nearest run in log params, log tokens and bits; errors are those of runs
    by their own nearest neighbours elsewhere.
    """
    place, log = _place(seen), np.log(seen.loss)
    far = _far(place, place)
    far[far < 1e-12] = np.inf  # repeats of a run are no neighbours of it
    error = float(np.sqrt(np.mean((log[np.argmin(far, axis=1)] - log) ** 2)))
    middle = log[np.argmin(_far(_place(new), place), axis=1)]
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
    bits = _bits(seen)
    means = {level: float(gap[_same(bits, level)].mean()) for level in _levels(bits)}
    rest = gap - np.array([means[tuple(b)] for b in bits.tolist()])
    levels = np.array(list(means))
    near = np.argmin(_far(_bits(new), levels), axis=1)
    middle = np.log(base.loss(new.x)) + np.array(list(means.values()))[near]
    return Told(middle, np.full(len(new), float(np.sqrt(np.mean(rest**2)))))


def _reference(sample: Sample) -> Mask:
    wide = [each.is_reference for each in sample.x.levels.items]
    return np.array(wide, dtype=bool)[sample.x.level]


def _bits(sample: Sample) -> Array:
    """2^-bits of weights, activations, keys and served weights, 0 without rounding, (n, 4)."""
    levels = sample.x.levels
    columns = [levels.bits(part) for part in ("w", "a", "kv")] + [levels.bits("w", "serve")]
    table = np.nan_to_num(np.exp2(-np.stack(columns, axis=1)))
    return np.asarray(table[sample.x.level])


def _levels(bits: Array) -> list[tuple[float, ...]]:
    return list(dict.fromkeys(map(tuple, bits.tolist())))


def _same(bits: Array, level: tuple[float, ...]) -> Mask:
    return np.asarray(np.all(bits == np.array(level), axis=1))


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
