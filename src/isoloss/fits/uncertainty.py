"""How sure a fit is: refits of resampled tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from isoloss.fits.optimum import Optimum
from isoloss.fits.problem import Problem
from isoloss.fits.resampling import NAMES, Resample, weights, wild
from isoloss.fits.sample import FitError, Sample
from isoloss.fits.solver import solve
from isoloss.laws import Array

#: A level of fewer rows than this may vanish from a resample of whole rows, so weights are then fractional.
SCARCE = 10


@dataclass(frozen=True)
class Draws:
    """Constants refitted on resampled tables: theta (S, p), how they were drawn, and how many refits failed."""

    theta: Array
    how: Resample
    failed: int


def default_resample(sample: Sample, optimum: Optimum) -> Resample:
    """Groups where runs are grouped, fractional weights where some constant rests on few rows, runs otherwise."""
    jacobian = optimum.problem.jacobian(optimum.theta)
    if jacobian.size and int((np.abs(jacobian) > 0).sum(axis=0).min()) < SCARCE:
        return "fractional"
    return "runs" if sample.clusters is None else "groups"


def resample(
    sample: Sample,
    optimum: Optimum,
    draws: int,
    how: Resample | None = None,
    seed: int = 0,
    tick: Callable[[int], None] | None = None,
) -> Draws:
    """Refits of many resampled tables, each from the optimum.

    Raises FitError for an unknown way of resampling.
    """
    how = how or default_resample(sample, optimum)
    if draws < 2:
        raise FitError(f"draws is {draws}; an interval needs at least 2 refits")
    if how not in NAMES:
        raise FitError(f"unknown resample {how!r}; there are {', '.join(NAMES)}")
    rng = np.random.default_rng(seed)
    if how == "wild":
        residual = optimum.problem.residuals(optimum.theta[None, :])[0]
        predicted = (
            sample.loss * np.exp(residual) if optimum.problem.objective.log else sample.loss + residual
        )
        log_residual = np.log(predicted / sample.loss)
        problem = replace(
            optimum.problem, observed=wild(predicted, log_residual, sample.clusters, draws, rng)
        )
    else:
        drawn = weights(how, len(sample), sample.clusters, draws, rng)
        problem = replace(optimum.problem, weights=drawn)
    return refits(problem, optimum.theta, draws, how, tick)


def refits(
    problem: Problem, theta: Array, draws: int, how: Resample, tick: Callable[[int], None] | None = None
) -> Draws:
    """Walks from theta on each of many resampled tables; those that end nowhere finite are counted and left out."""
    if not len(theta):
        return Draws(np.zeros((draws, 0)), how, 0)
    found = solve(problem, np.tile(theta, (draws, 1)), tolerance=1e-6, tick=tick)
    good = np.isfinite(found.value)
    return Draws(found.theta[good], how, int((~good).sum()))
