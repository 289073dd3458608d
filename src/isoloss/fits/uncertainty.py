"""How sure a fit is: refits of resampled tables, and profiles of the objective."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import stats

from isoloss.fits.optimum import Optimum
from isoloss.fits.problem import Coordinates, Problem
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


@dataclass(frozen=True)
class Profile:
    """The objective against one constant, all others refitted: values (k,), objective (k,), and the interval.

    ``kind`` says whether it is the constant or a prediction that was profiled.
    """

    name: str
    values: Array
    objective: Array
    low: float
    high: float
    level: float
    kind: Literal["constant", "prediction"] = "constant"


def profile(
    optimum: Optimum, sample: Sample, name: str, level: float, points: int = 41, reach: float = 4.0
) -> Profile:
    """The profile-likelihood interval of one constant.

    The objective is turned into a likelihood by the scale of its influence: twice its rise is divided by
    mean(slope^2) / mean(curvature), which makes it chi-squared of one degree of freedom for least squares and,
    in large samples, for Huber. Raises FitError for a constant that is not free.
    """
    problem = optimum.problem
    coordinates = problem.coordinates
    names = [k.name for k in coordinates.free]
    if name not in names:
        raise FitError(f"constant {name!r} is not free in this fit; free are {', '.join(names)}")
    i = names.index(name)
    centre, spread = optimum.theta[i], _spread(problem, optimum.theta, len(sample))[i]
    grid = np.clip(
        centre + np.linspace(-reach, reach, points) * spread, coordinates.lower[i], coordinates.upper[i]
    )
    values, rise = [], []
    inner = np.argsort(np.abs(grid - centre))
    ends: dict[float, Array] = {}
    for k in inner:
        near = min(ends, key=lambda g: abs(g - grid[k]), default=None)
        start = optimum.theta if near is None else ends[near]
        end, value = _held(problem, start, i, float(grid[k]))
        ends[float(grid[k])] = end
        values.append(float(grid[k]))
        rise.append(value)
    order = np.argsort(values)
    where, height = np.array(values)[order], np.array(rise)[order]
    least = min(float(height.min()), optimum.certificate.objective)
    limit = 0.5 * float(stats.chi2.ppf(level, 1)) * likelihood_scale(problem, optimum.theta)
    low, high = _crossings(where, height - least, limit, centre)
    natural = coordinates.table(
        np.column_stack(
            [np.tile(optimum.theta[:i], (points, 1)), where, np.tile(optimum.theta[i + 1 :], (points, 1))]
        )
    )[:, i]
    convert = np.exp if coordinates.free[i].scale == "log" else float
    return Profile(name, natural, height, float(convert(low)), float(convert(high)), level)


def likelihood_scale(problem: Problem, theta: Array) -> float:
    """What a rise of the objective is divided by to be half a chi-squared: the variance of slopes over mean curvature."""
    r = problem.residuals(theta[None, :])[0]
    n, p = len(r), len(theta)
    curvature = float(np.mean(problem.objective.curvature(r)))
    if problem.objective.kind == "huber":
        curvature = _density_curvature(r, problem.objective.delta)
    return float(np.mean(problem.objective.slope(r) ** 2)) * n / max(1, n - p) / max(curvature, 1e-300)


def _density_curvature(r: Array, delta: float) -> float:
    """Share of residuals within delta of zero, from a window wide enough to hold a fifth of them."""
    window = max(delta, float(np.quantile(np.abs(r), 0.2)))
    return float(np.mean(np.abs(r) <= window)) * delta / window


def _spread(problem: Problem, theta: Array, rows: int) -> Array:
    """Asymptotic standard errors of theta, the scale of a profile's grid."""
    jacobian = problem.jacobian(theta)
    inverse = np.linalg.pinv(jacobian.T @ jacobian, rcond=1e-14)
    r = problem.residuals(theta[None, :])[0]
    slope = float(np.mean(problem.objective.slope(r) ** 2))
    curvature = likelihood_scale(problem, theta)
    bend = slope / max(curvature, 1e-300)
    variance = slope / bend**2
    return np.asarray(np.sqrt(np.maximum(np.diag(inverse) * variance, 1e-16)))


def _held(problem: Problem, theta: Array, i: int, value: float) -> tuple[Array, float]:
    """Theta and objective refitted with one coordinate held."""
    coordinates = problem.coordinates
    k = coordinates.free[i]
    number = float(np.exp(value)) if k.scale == "log" else value
    held = replace(
        problem, coordinates=Coordinates(coordinates.law.with_values({k.name: number}).fix(k.name))
    )
    rest = np.delete(theta, i)
    found = solve(held, rest[None, :], tolerance=1e-9)
    return np.insert(found.theta[0], i, value), float(found.value[0])


def _crossings(where: Array, rise: Array, limit: float, centre: float) -> tuple[float, float]:
    """Where the rise crosses the limit left and right of the centre; the grid's edge where it does not."""
    low, high = float(where[0]), float(where[-1])
    for k in range(len(where) - 1):
        a, b = rise[k] - limit, rise[k + 1] - limit
        if a * b < 0:
            at = float(where[k] + (where[k + 1] - where[k]) * a / (a - b))
            if at < centre:
                low = at
            elif high == float(where[-1]):
                high = at
    return low, high
