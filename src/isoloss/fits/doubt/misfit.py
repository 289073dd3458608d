"""Does the law miss something? A score test of the residuals, and seed noise apart from misfit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from isoloss.fits.solve import DIGITS, Problem
from isoloss.laws import Array, Inputs


@dataclass(frozen=True)
class LackOfFit:
    """Score test that residuals hold no curve in log params and log tokens.

    Attributes
    ----------
    statistic
        Chi-squared; F where runs are grouped.
    freedom
        Its degrees of freedom: directions of the curve.
    p_value
        Chance of such a statistic under a right law.
    size
        Root mean square of the curve found in the residuals, in relative loss.
    """

    statistic: float
    freedom: int
    p_value: float
    size: float


@dataclass(frozen=True)
class Noise:
    """Seed noise of log loss from repeated cells, and what the law adds on top of it.

    Attributes
    ----------
    seed, misfit
        Standard deviations of log loss; the misfit is NaN, unknown, where the law has a constant
        for each cell.
    repeated_cells
        Cells that were run more than once.
    freedom
        Degrees of freedom of the seed noise.
    p_value
        Of the F test that the misfit is zero; NaN where it is unknown.
    """

    seed: float
    misfit: float
    repeated_cells: int
    freedom: int
    p_value: float


def lack_of_fit(
    problem: Problem, theta: Array, clusters: NDArray[np.intp] | None
) -> LackOfFit | None:
    """Score test for a smooth curve in log params and log tokens left in the residuals.

    Polynomials of order two and three that the fitted constants cannot absorb are correlated with
    the influence of each residual (chi-squared). Where runs are grouped the group is the unit and
    the test is Hotelling's on the groups' scores, with so few directions, the quadratic ones
    first, that five groups stand behind each. None when fewer than ten runs, or five groups, are
    left over. Residuals that a table cannot tell from none hold nothing.
    Reference: Ramsey's RESET in the score form for M-estimators (Davidson & MacKinnon 1993,
    chapter 6).
    """
    jacobian = problem.jacobian(theta)
    residual = problem.residuals(theta[None, :])[0]
    groups = None if clusters is None else int(clusters.max()) + 1
    most = 7 if groups is None else min(7, groups // 5)
    curve = _orthogonal(_polynomials(problem.x)[:, :most], jacobian)
    rank = curve.shape[1]
    if rank == 0 or len(residual) - jacobian.shape[1] - rank < 10:
        return None
    if np.abs(residual).max() <= problem.digits:
        return LackOfFit(0.0, rank, 1.0, 0.0)
    influence = problem.objective.slope(residual)
    influence = influence - influence.mean()
    found = curve @ (curve.T @ residual)
    size = float(np.sqrt(np.mean(found**2)))
    scores = curve * influence[:, None]
    if clusters is None or groups is None:
        left = len(scores) - jacobian.shape[1]
        total = scores.sum(axis=0)
        statistic = float(total @ total) / float(np.mean(influence**2)) * left / len(scores)
        return LackOfFit(statistic, rank, float(stats.chi2.sf(statistic, rank)), size)
    by_group = np.array([np.bincount(clusters, column) for column in scores.T]).T
    middle, spread = by_group.mean(axis=0), np.atleast_2d(np.cov(by_group, rowvar=False))
    hotelling = groups * float(middle @ np.linalg.pinv(spread, hermitian=True) @ middle)
    statistic = hotelling * (groups - rank) / (rank * (groups - 1))
    return LackOfFit(statistic, rank, float(stats.f.sf(statistic, rank, groups - rank)), size)


def design_effect(residual: Array, units: NDArray[np.intp]) -> float:
    """How many times the variance of sums over units exceeds that of independent runs.

    Residuals of shape (n,) and the unit of each; 1 where they are all zero.
    """
    squares = float(residual @ residual)
    summed = np.bincount(units, residual)
    return float(summed @ summed) / squares if squares > 0 else 1.0


def noise(cells: NDArray[np.intp], residual: Array, constants: int) -> Noise | None:
    """Seed noise from cells that were run more than once; None where none was."""
    counts = np.bincount(cells)
    within = len(residual) - len(counts)
    if within < 1:
        return None
    means = np.bincount(cells, residual) / counts
    pure = float(np.sum((residual - means[cells]) ** 2)) / within
    between = len(counts) - constants
    p_value, misfit = np.nan, np.nan
    if between > 0:
        lack = float(np.sum(counts * means**2)) / between
        p_value = float(stats.f.sf(lack / max(pure, DIGITS**2), between, within))
        misfit = float(np.sqrt(max(0.0, (lack - pure) * between / np.sum(counts))))
    return Noise(float(np.sqrt(pure)), misfit, int(np.sum(counts > 1)), within, p_value)


def _polynomials(x: Inputs) -> Array:
    """Products of order two, then three, of standardised log params and log tokens."""
    n, d = (_standard(v) for v in (x.log_params, x.log_tokens))
    return np.column_stack([n * n, n * d, d * d, n**3, n * n * d, n * d * d, d**3])


def _standard(values: Array) -> Array:
    """Values of mean zero and spread one; zeros where they do not vary beyond rounding."""
    spread = float(values.std())
    return (
        (values - values.mean()) / spread
        if spread > 1e-9 * float(np.abs(values).max())
        else 0.0 * values
    )


def _orthogonal(columns: Array, jacobian: Array) -> Array:
    """Orthonormal basis of the columns beyond a constant and the span of the Jacobian."""
    known = np.column_stack(
        [np.ones(len(jacobian)), jacobian / np.maximum(np.linalg.norm(jacobian, axis=0), 1e-300)]
    )
    basis, size, _ = np.linalg.svd(known, full_matrices=False)
    basis = basis[:, size > 1e-10 * size.max()]
    length = np.linalg.norm(columns, axis=0)
    columns = columns[:, length > 0] / length[length > 0]
    if not columns.shape[1]:
        return columns
    found, size, _ = np.linalg.svd(columns - basis @ (basis.T @ columns), full_matrices=False)
    return np.asarray(found[:, size > 1e-3])
