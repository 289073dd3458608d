"""Bootstrap replicates: a law fitted again to resampled tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from isoloss.fits.arguments import FitError, check_count
from isoloss.fits.doubt.resampling import Resample, check_resample, weights, wild
from isoloss.fits.sample import Sample
from isoloss.fits.solve import Optimum, Problem, solve
from isoloss.laws import Array

#: What rests on fewer runs (or groups) than this may vanish from a resample of whole ones: weights
#: are then fractional.
SCARCE = 10
#: Units a constant below which runs, cells and trajectories are weighted instead of drawn, and the
#: most variance of such weights.
SPARE, MOST_SPREAD = 8, 4.0

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

    Fractional weights where some constant rests on few runs or units, or where runs, cells or
    trajectories are few beside the constants, else whole groups or cells, else runs. Under Huber
    with a delta far below the noise, intervals from whole runs are somewhat wide; wild ones are
    right for constants of precision and too narrow for those of the base (docs/results.md,
    Recovery), so they are no default.
    """
    few = sample.by != "groups" and sample.units < SPARE * len(optimum.theta)
    if few or _least_support(sample, optimum) < SCARCE:
        return "fractional"
    match sample.by:
        case "runs" | "groups" | "cells":
            return sample.by
        case "trajectories":
            return "fractional"
        case _:
            assert_never(sample.by)


def _least_support(sample: Sample, optimum: Optimum) -> int:
    """The fewest runs, or units where these share any, that some constant rests on."""
    rests = np.abs(optimum.problem.jacobian(optimum.theta)) > 0
    if not rests.size:
        return len(sample)
    if sample.clusters is None:
        return int(rests.sum(axis=0).min())
    return min(len(np.unique(sample.clusters[column])) for column in rests.T)


def _units(sample: Sample, how: Resample) -> NDArray[np.intp]:
    """The unit of every run under a way of resampling, numbered whatever the order of the table.

    Raises FitError for groups where there are none, and for cells where none was run twice.
    """
    if how == "groups" and sample.by != "groups":
        raise FitError(
            "runs are not grouped: no value of the column group is shared; resample by 'runs'"
        )
    if how == "cells" and int(sample.cells.max()) + 1 == len(sample):
        raise FitError("no cell was run more than once; resample by 'runs'")
    units = sample.cells if how == "cells" else sample.clusters
    if units is None or how == "runs":
        return sample.rank
    first = np.full(int(units.max()) + 1, len(sample))
    np.minimum.at(first, units, sample.rank)
    return np.argsort(np.argsort(first))[units]


def _spread(sample: Sample, constants: int) -> float:
    """Variance of fractional weights that makes up for the constants that few units hold.

    Residuals of U units under p constants have (U - p) / U of the variance of the noise, and with
    weights of variance one replicates vary by as much too little. Weights of variance U / (U - p)
    are those of U - p units drawn from U, and no row is lost: whole runs drawn so seldom leave
    designs that hold less than the table does, and intervals that are far too wide.
    Reference: Rao and Wu 1988, JASA 83 (weights of resamples scaled to give variances their due).
    """
    # Groups are of very different sizes: the constants take more from some than this says.
    if sample.by == "groups":
        return 1.0
    return min(MOST_SPREAD, sample.units / max(1, sample.units - constants))


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

    Weights of rows multiply those of a resample. Where constants are not held, each is solved from
    a random point of the ridge (R, p): from the optimum, all would stay where no run had put it.

    Raises FitError for an unknown way of resampling, for groups or cells where there are none, and
    for fewer than two draws.
    """
    check_count("draws", draws, 2)
    check_resample(how)
    how = how or default_resample(sample, optimum)
    units = _units(sample, how)
    rng = np.random.default_rng(seed)
    if how == "wild":
        problem = replace(optimum.problem, observed=_wild(sample, optimum, units, draws, rng))
    else:
        spread = _spread(sample, len(optimum.theta))
        drawn = weights(how, units, draws, rng, spread)
        own = optimum.problem.weights
        problem = replace(optimum.problem, weights=drawn if own is None else own * drawn)
    start = np.tile(optimum.theta, (draws, 1))
    if ridge is not None and len(ridge):
        start = ridge[np.random.default_rng([seed, 1]).integers(len(ridge), size=draws)]
    return replicates(problem, start, how, callback)


def _wild(
    sample: Sample, optimum: Optimum, units: NDArray[np.intp], draws: int, rng: np.random.Generator
) -> Array:
    """Losses drawn again from the fit, residuals grown by what their leverage took from them."""
    residual = optimum.problem.residuals(optimum.theta[None, :])[0]
    jacobian = optimum.problem.jacobian(optimum.theta)
    basis, size, _ = np.linalg.svd(
        jacobian / np.maximum(np.linalg.norm(jacobian, axis=0), 1e-300), full_matrices=False
    )
    leverage = np.sum(basis[:, size > 1e-10 * size.max(initial=0.0)] ** 2, axis=1)
    grown = residual / (1.0 - np.minimum(leverage, 0.9))
    if optimum.problem.objective.log:
        return wild(np.log(sample.loss) + residual, grown, units, draws, rng, exponent=True)
    return wild(sample.loss + residual, grown, units, draws, rng)


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
