"""Weights for averaging over laws: the mixture that predicts held-out losses best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from isoloss.fits.evidence import HeldOut
from isoloss.laws import Array


def log_density(held: HeldOut) -> Array:
    """Log density of each held-out log loss under its prediction, shape (n,).

    The prediction is taken as a normal law of the interval's width.
    """
    p = held.prediction
    z = float(stats.norm.ppf((1 + p.level) / 2))
    width = np.maximum((np.log(p.high) - np.log(p.low)) / (2 * z), 1e-6)
    middle = 0.5 * (np.log(p.high) + np.log(p.low))
    return np.asarray(stats.norm.logpdf(np.log(held.observed), middle, width))


def stack(density: Array, counts: Array | None = None, steps: int = 2000) -> Array:
    """Weights (laws,) that maximise the summed log of the mixture density.

    ``density`` is the log density of each law, (laws, rows); ``counts`` says how much each row
    counts (1 unless given). Expectation-maximisation from equal weights: the score is concave, so
    the end does not depend on the start.
    Reference: Yao, Vehtari, Simpson and Gelman 2018, eq. 4.
    """
    likelihood = np.exp(density - density.max(axis=0))
    weight = np.full(len(density), 1.0 / len(density))
    for _ in range(steps):
        share = weight[:, None] * likelihood
        share /= share.sum(axis=0)
        moved = np.average(share, axis=1, weights=counts)
        if np.abs(moved - weight).max() < 1e-9:
            break
        weight = moved
    weight = np.where(weight < 1e-4, 0.0, weight)
    return np.asarray(weight / weight.sum())


def stack_in_doubt(
    density: Array, counts: Array, units: NDArray[np.intp], seed: int, repeats: int = 60
) -> Array:
    """Stacking weights (laws,) averaged over Bayesian bootstraps of the held-out units.

    The maximum alone gives all weight to one of two laws that some tens of runs cannot tell apart;
    the average keeps as much of each as the runs leave open. ``units`` (rows,) says which rows are
    resampled together.
    Reference: Yao, Vehtari, Simpson and Gelman 2018, section 3.4 (the bootstrap, there of
    pseudo-BMA weights).
    """
    rng = np.random.default_rng(seed)
    drawn = rng.exponential(size=(repeats, int(units.max()) + 1))[:, units]
    return np.asarray(np.mean([stack(density, counts * each, 300) for each in drawn], axis=0))
