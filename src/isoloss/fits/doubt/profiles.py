"""Profiles: the objective against one constant or one loss, all else fitted again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import stats

from isoloss.files import displayed, percent
from isoloss.fits.arguments import FitError
from isoloss.fits.doubt.in_words import interval_in_words
from isoloss.fits.sample import Sample
from isoloss.fits.solve import Coordinates, Optimum, Problem, solve
from isoloss.laws import Array, Inputs, as_inputs

#: Weight of the row that holds a prediction at a value: so heavy that the rest gives way to within
#: 1e-6.
HOLD = 1e6


@displayed
@dataclass(frozen=True)
class Profile:
    """The objective against one constant or one loss, all else fitted again, and the interval.

    Attributes
    ----------
    name
        The constant, or the point.
    values
        The grid, shape (k,), in the constant's own unit or in the metric of the runs.
    objective
        The least objective at each value, shape (k,).
    low, high
        Ends of the interval; the edge of the grid where the objective does not rise enough.
    level
        Coverage of the interval, 0.9 = 90%.
    kind
        "constant" or "prediction".
    """

    name: str
    values: Array
    objective: Array
    low: float
    high: float
    level: float
    kind: Literal["constant", "prediction"] = "constant"

    @property
    def open(self) -> tuple[bool, bool]:
        """Whether the left, the right end is the grid's edge: the objective rises too little."""
        return bool(self.low <= self.values[0]), bool(self.high >= self.values[-1])

    @property
    def ends(self) -> tuple[float, float]:
        """The ends of the interval, infinite to a side on which it is open."""
        left, right = self.open
        return -np.inf if left else self.low, np.inf if right else self.high

    def __str__(self) -> str:
        interval = interval_in_words(self.ends, "{:.5g}".format)
        return f"{self.name}: {interval}, {percent(self.level)} by profile"


def profile_of_constant(
    optimum: Optimum, sample: Sample, name: str, level: float, points: int = 41, reach: float = 4.0
) -> Profile:
    """The profile-likelihood interval of one constant.

    Twice the rise of the objective over ``likelihood_scale`` is chi-squared of one degree of
    freedom for least squares and, in large samples, for Huber. The grid has ``points`` values and
    spans ``reach`` standard errors to both sides.
    """
    problem = optimum.problem
    _check_profiled(sample, len(optimum.theta))
    coordinates = problem.coordinates
    names = [k.name for k in coordinates.free]
    if name not in names:
        raise FitError(f"constant {name!r} is not free in this fit; free are {', '.join(names)}")
    i = names.index(name)
    centre = float(optimum.theta[i])
    spread = float(np.sqrt(_covariance(problem, optimum.theta)[i, i]))
    ends = np.clip(
        [centre - reach * spread, centre + reach * spread],
        coordinates.lower[i],
        coordinates.upper[i],
    )

    def held(theta: Array, value: float) -> tuple[Array, float]:
        return _with_constant(problem, theta, i, value)

    grid, height = _walk(held, optimum.theta, centre, np.linspace(ends[0], ends[1], points))
    low, high = _interval(optimum, grid, height, centre, level)
    natural = np.exp if coordinates.free[i].scale == "log" else np.asarray
    return Profile(name, natural(grid), height, float(natural(low)), float(natural(high)), level)


def profile_of_loss(
    optimum: Optimum,
    sample: Sample,
    at: Inputs,
    name: str,
    level: float,
    points: int = 41,
    reach: float = 4.0,
) -> Profile:
    """The profile-likelihood interval of the law's mean loss at one point, as of a constant.

    The point is added to the runs with a weight so heavy that the fit goes through it.
    """
    problem = optimum.problem
    _check_profiled(sample, len(optimum.theta))
    centre = float(np.log(optimum.law.loss(at)[0]))
    gradient = replace(problem, x=at, observed=np.exp([centre]), weights=None).jacobian(
        optimum.theta
    )[0]
    gradient = gradient if problem.objective.log else gradient / np.exp(centre)
    spread = float(np.sqrt(max(gradient @ _covariance(problem, optimum.theta) @ gradient, 1e-20)))
    held = replace(
        problem,
        x=_appended(problem.x, at, sample),
        weights=np.append(np.ones(len(problem.x)), HOLD),
    )

    def at_value(theta: Array, value: float) -> tuple[Array, float]:
        fixed = replace(held, observed=np.append(problem.observed, np.exp(value)))
        found = solve(fixed, theta[None, :], tolerance=1e-12)
        return found.theta[0], float(problem.value(found.theta)[0])

    span = centre + reach * spread * np.linspace(-1, 1, points)
    grid, height = _walk(at_value, optimum.theta, centre, span)
    low, high = _interval(optimum, grid, height, centre, level)
    return Profile(
        name, np.exp(grid), height, float(np.exp(low)), float(np.exp(high)), level, "prediction"
    )


def _check_profiled(sample: Sample, constants: int) -> None:
    if len(sample) <= constants:
        raise FitError(
            f"a profile needs more runs than constants, and there are {len(sample)} runs for "
            f"{constants}"
        )
    if sample.by == "groups":
        raise FitError(
            "a profile takes runs as independent but these are in groups; use bootstrap intervals"
        )


def likelihood_scale(problem: Problem, theta: Array) -> float:
    """Scale that makes a rise half a chi-squared: variance of slopes over curvature."""
    slope, curvature = _moments(problem, theta)
    return slope / max(curvature, 1e-300)


def _moments(problem: Problem, theta: Array) -> tuple[float, float]:
    """Mean squared slope, corrected for the constants spent, and mean curvature at the residuals.

    The curvature of Huber is the density of residuals at zero, from a window that holds a fifth of
    them.
    """
    r = problem.residuals(theta[None, :])[0]
    objective = problem.objective
    slope = float(np.mean(objective.slope(r) ** 2)) * len(r) / max(1, len(r) - len(theta))
    if not objective.residual_loss.kinked:
        return slope, float(np.mean(objective.curvature(r)))
    window = max(objective.scale, float(np.quantile(np.abs(r), 0.2)))
    return slope, float(np.mean(np.abs(r) <= window)) * objective.scale / window


def _covariance(problem: Problem, theta: Array) -> Array:
    """Asymptotic covariance of theta: it scales a profile's grid and is never reported."""
    slope, curvature = _moments(problem, theta)
    jacobian = problem.jacobian(theta)
    inverse = np.linalg.pinv(jacobian.T @ jacobian, rcond=1e-14, hermitian=True)
    return np.asarray(inverse * slope / max(curvature, 1e-300) ** 2)


def _with_constant(problem: Problem, theta: Array, i: int, value: float) -> tuple[Array, float]:
    """Theta and objective fitted again with one coordinate held."""
    coordinates = problem.coordinates
    k = coordinates.free[i]
    number = float(np.exp(value)) if k.scale == "log" else value
    law = coordinates.law.with_values({k.name: number}).fix(k.name)
    found = solve(
        replace(problem, coordinates=Coordinates(law)), np.delete(theta, i)[None, :], tolerance=1e-9
    )
    return np.insert(found.theta[0], i, value), float(found.value[0])


def _walk(
    held: Callable[[Array, float], tuple[Array, float]], theta: Array, centre: float, grid: Array
) -> tuple[Array, Array]:
    """The objective on the grid, each walk from the end of its neighbour nearer the centre."""
    grid = np.unique(grid)
    height = np.empty(len(grid))
    for side in (np.flatnonzero(grid >= centre), np.flatnonzero(grid < centre)[::-1]):
        near = theta
        for k in side:
            near, height[k] = held(near, float(grid[k]))
    return grid, height


def _interval(
    optimum: Optimum, grid: Array, height: Array, centre: float, level: float
) -> tuple[float, float]:
    """Where the rise crosses its limit nearest the centre on both sides, else the edge."""
    limit = 0.5 * float(stats.chi2.ppf(level, 1)) * likelihood_scale(optimum.problem, optimum.theta)
    rise = height - min(float(height.min()), optimum.certificate.objective) - limit
    low, high = float(grid[0]), float(grid[-1])
    for k in range(len(grid) - 1):
        if rise[k] * rise[k + 1] < 0:
            at = float(grid[k] + (grid[k + 1] - grid[k]) * rise[k] / (rise[k] - rise[k + 1]))
            if at < centre:
                low = at
            elif high == float(grid[-1]):
                high = at
    return low, high


def _appended(x: Inputs, at: Inputs, sample: Sample) -> Inputs:
    """The inputs of a sample with one more point at their end."""
    names = [x.levels.items[k] for k in x.level] + [at.levels.items[0]]
    groups = [x.groups[k] for k in x.group] + [at.groups[0]] if len(x.group) else None
    unique = None if x.unique_tokens is None else np.append(x.unique_tokens, at.tokens)
    return as_inputs(
        np.append(x.params, at.params),
        np.append(x.tokens, at.tokens),
        [level.precision for level in names],
        unique_tokens=unique,
        sparsity=[level.sparsity for level in names],
        group=groups,
    )
