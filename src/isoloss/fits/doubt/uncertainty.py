"""Bootstrap replicates: a law fitted again to resampled tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from isoloss.fits.arguments import FitError, check_count
from isoloss.fits.doubt.resampling import Resample, check_resample, weights, wild
from isoloss.fits.sample import Sample
from isoloss.fits.solve import Optimum, Problem, solve
from isoloss.laws import Array

#: What rests on fewer runs (or groups) than this may vanish from a resample of whole ones: weights
#: are then fractional.
SCARCE = 10

#: Steps of a replicate at most: those still walking follow a ridge, where predictions hardly move.
STEPS = 40


@dataclass(frozen=True)
class Draws:
    """Bootstrap replicates of the constants.

    Attributes
    ----------
    theta
        Constants in the solver's coordinates, shape (S, p).
    how
        How tables were drawn again.
    failed
        Replicates without a finite optimum, which are left out.
    """

    theta: Array
    how: Resample
    failed: int


def default_resample(sample: Sample, optimum: Optimum) -> Resample:
    """The way of resampling that the runs allow.

    Fractional weights where some constant rests on few runs or groups, else groups where runs are
    grouped, else runs. Under Huber with a delta far below the noise, intervals from whole runs are
    somewhat wide; wild ones are right for constants of precision and too narrow for those of the
    base (docs/results.md, Recovery), so they are no default.
    """
    if _least_support(sample, optimum) < SCARCE:
        return "fractional"
    return "runs" if sample.clusters is None else "groups"


def _least_support(sample: Sample, optimum: Optimum) -> int:
    """The fewest runs, or groups where runs are grouped, that any constant rests on."""
    rests = np.abs(optimum.problem.jacobian(optimum.theta)) > 0
    if not rests.size:
        return len(sample)
    if sample.clusters is None:
        return int(rests.sum(axis=0).min())
    return min(len(np.unique(sample.clusters[column])) for column in rests.T)


def resample(
    sample: Sample,
    optimum: Optimum,
    draws: int,
    how: Resample | None = None,
    seed: int = 0,
    callback: Callable[[int], None] | None = None,
    ridge: Array | None = None,
) -> Draws:
    """Bootstrap replicates on many resampled tables, each solved from the optimum.

    Where constants are not held, each is solved from a random point of the ridge (R, p): from the
    optimum, all would stay where no run had put it.

    Raises FitError for an unknown way of resampling, for groups where there are none, and for fewer
    than two draws.
    """
    check_count("draws", draws, 2)
    check_resample(how)
    how = how or default_resample(sample, optimum)
    if how == "groups" and sample.clusters is None:
        raise FitError(
            "runs are not grouped: no value of the column group is shared; resample by 'runs'"
        )
    rng = np.random.default_rng(seed)
    if how == "wild":
        problem = replace(optimum.problem, observed=_wild(sample, optimum, draws, rng))
    else:
        drawn = weights(how, len(sample), sample.clusters, draws, rng)
        problem = replace(optimum.problem, weights=drawn)
    start = np.tile(optimum.theta, (draws, 1))
    if ridge is not None and len(ridge):
        start = ridge[np.random.default_rng([seed, 1]).integers(len(ridge), size=draws)]
    return replicates(problem, start, how, callback)


def _wild(sample: Sample, optimum: Optimum, draws: int, rng: np.random.Generator) -> Array:
    """Losses drawn again from the fit, residuals grown by what their leverage took from them."""
    residual = optimum.problem.residuals(optimum.theta[None, :])[0]
    jacobian = optimum.problem.jacobian(optimum.theta)
    basis, size, _ = np.linalg.svd(
        jacobian / np.maximum(np.linalg.norm(jacobian, axis=0), 1e-300), full_matrices=False
    )
    leverage = np.sum(basis[:, size > 1e-10 * size.max(initial=0.0)] ** 2, axis=1)
    grown = residual / (1.0 - np.minimum(leverage, 0.9))
    if optimum.problem.objective.log:
        return wild(
            np.log(sample.loss) + residual, grown, sample.clusters, draws, rng, exponent=True
        )
    return wild(sample.loss + residual, grown, sample.clusters, draws, rng)


def replicates(
    problem: Problem,
    theta: Array,
    how: Resample,
    callback: Callable[[int], None] | None = None,
) -> Draws:
    """Walks from theta (S, p) on S resampled tables; those without a finite end are left out."""
    if not theta.shape[1]:
        return Draws(theta, how, 0)
    found = solve(problem, theta, tolerance=1e-6, max_steps=STEPS, callback=callback)
    good = np.isfinite(found.value)
    return Draws(found.theta[good], how, int((~good).sum()))
