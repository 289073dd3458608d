"""Weights for averaging over laws: what unseen runs say, and where they cannot tell, fitted ones.

The unit is a size of model in a hold-out, since its runs share what a law misses there. Few such
units cannot tell laws apart, so the mixture that predicts them best starts from a prior that
counts like some more of them: a share of it equal over laws, the rest by AICc. That criterion
takes fitted residuals for independent and the laws for right, so it is divided by how far they are
from it. Nothing here is drawn: a seed moves no weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from isoloss.fits.doubt import design_effect
from isoloss.fits.evidence import HeldOut
from isoloss.laws import Array

#: Units of hold-outs for which the prior counts: its equal share, and its share by AICc.
EQUAL, BY_AICC = 2.0, 6.0
#: Degrees of freedom of a held-out run about its prediction: one run far off decides nothing.
FREEDOM = 4.0
#: A law has no part in the equal share when fitted runs speak against it by the first of these, as
#: log odds, and unseen runs by the second (Madigan and Raftery 1994: Occam's window).
WINDOW = (np.log(1000.0), np.log(20.0))


@dataclass(frozen=True)
class Evidence:
    """What speaks for each of several laws.

    Attributes
    ----------
    unseen
        Mean log density of the runs of each unit, shape (laws, units).
    deviance
        Minus twice the log likelihood of the fitted runs, shape (laws,).
    constants
        Constants of each law, the scale of its residuals included, shape (laws,).
    runs
        Fitted runs.
    excess
        How many times larger than independent residuals of right laws would be, residuals are that
        have a size in common or were not fitted; 1 and more.
    """

    unseen: Array
    deviance: Array
    constants: Array
    runs: int
    excess: float

    @property
    def aicc(self) -> Array:
        """The criterion of each law, deviances over the excess (quasi-AICc), above the least.

        Reference: Burnham and Anderson 2002, section 2.5 (overdispersed data).
        """
        total = self.deviance / self.excess + penalty(self.constants, self.runs)
        finite = total[np.isfinite(total)]
        return total - finite.min() if len(finite) else np.zeros_like(total)

    @property
    def prior(self) -> Array:
        """Weights before any unseen run, shape (laws,), and of sum one."""
        odds = np.exp(-0.5 * self.aicc)
        total = self.unseen.sum(axis=1)
        refuted = (0.5 * self.aicc > WINDOW[0]) & (total.max() - total > WINDOW[1])
        # The best of the fitted runs is never refuted, so some law is left.
        equal = np.where(refuted, 0.0, 1.0)
        mixed = EQUAL * equal / equal.sum() + BY_AICC * odds / odds.sum()
        return np.asarray(mixed / (EQUAL + BY_AICC))

    @property
    def weights(self) -> Array:
        """The weight of each law, shape (laws,)."""
        return stack(self.unseen, self.prior, EQUAL + BY_AICC)


def penalty(constants: Array, runs: int) -> Array:
    """What Akaike's criterion adds for constants, with the small-sample term; infinite where there
    are too few runs for it."""
    left = runs - constants - 1.0
    small = 2 * constants * (constants + 1) / np.where(left > 0, left, np.nan)
    return np.where(left > 0, 2 * constants + small, np.inf)


def log_density(held: HeldOut) -> Array:
    """Log density of each held-out log loss under its prediction, shape (n,).

    A Student law of its mean and variance. A hold-out of an older file has only an interval.
    """
    observed = np.log(held.observed)
    mean, variance = moments(held)
    scale = np.sqrt(np.maximum(variance, 1e-18) * (FREEDOM - 2) / FREEDOM)
    return np.asarray(stats.t.logpdf((observed - mean) / scale, FREEDOM) - np.log(scale))


def moments(held: HeldOut) -> tuple[Array, Array]:
    """Mean and variance of the log loss of each held-out run, shapes (n,)."""
    if held.mean is not None and held.variance is not None:
        return held.mean, held.variance
    p = held.prediction
    wide = 2 * float(stats.norm.ppf((1 + p.level) / 2))
    low, high = np.log(p.low), np.log(p.high)
    return 0.5 * (low + high), np.square((high - low) / wide)


def stack(density: Array, prior: Array, count: float, steps: int = 2000) -> Array:
    """Weights (laws,) of the mixture that predicts units best, with a prior of ``count`` units.

    Maximises sum_u log sum_k w_k exp(density_ku) + count sum_k prior_k log w_k for ``density``
    (laws, units) by expectation-maximisation: the score is concave, so the end does not depend on
    the start. Where laws predict alike the prior is left as it is.
    Reference: Yao, Vehtari, Simpson and Gelman 2018, eq. 4 (stacking, there without a prior).
    """
    laws = len(density)
    kept = np.flatnonzero(prior > 0)
    density, prior = density[kept], prior[kept]
    likelihood = np.exp(density - density.max(axis=0))
    share = prior / prior.sum()
    for _ in range(steps):
        parts = share[:, None] * likelihood
        parts /= parts.sum(axis=0)
        moved = (parts.sum(axis=1) + count * prior) / (density.shape[1] + count)
        change, share = np.abs(moved - share).max(), moved
        if change < 1e-8:
            break
    weight = np.zeros(laws)
    weight[kept] = np.where(share < 1e-4, 0.0, share)
    return np.asarray(weight / weight.sum())


def excess(residual: Array, constants: int, sizes: Array, held: Sequence[Array]) -> float:
    """How many times residuals exceed those of independent runs of right laws, 1 and more.

    The first factor is the design effect of sizes of model on the residuals (n,) of a law with so
    many constants: the square of sums over a size beside the sum of squares. The second one is the
    mean square of standardised held-out residuals, in the middle law of all.
    """
    left = 1 - constants / max(len(residual), constants + 1)
    shared = design_effect(residual, size_units(sizes)) / left
    missed = [float(np.mean(z**2)) for z in held]
    middle = float(np.quantile(missed, 0.5, method="lower"))
    return max(1.0, shared) * max(1.0, middle)


def size_units(params: Array) -> NDArray[np.intp]:
    """The index of the size of each run, shape (n,): params that agree within a percent or two."""
    size = np.round(np.log(params) / 0.02)
    return np.asarray(np.unique(size, return_inverse=True)[1], dtype=np.intp)


def by_unit(density: Array, units: NDArray[np.intp]) -> Array:
    """Means over the runs of each unit, (laws, units), of densities (laws, runs)."""
    counts = np.bincount(units)
    return np.array([np.bincount(units, row) / counts for row in density])


def jackknife(weights: Array) -> Array:
    """Standard error (laws,) of weights found without each of some blocks of runs, (blocks, laws).

    Reference: Efron and Stein 1981.
    """
    blocks = len(weights)
    if blocks < 2:
        return np.full(weights.shape[1], np.nan)
    spread = np.square(weights - weights.mean(axis=0)).sum(axis=0)
    return np.asarray(np.sqrt(spread * (blocks - 1) / blocks))
