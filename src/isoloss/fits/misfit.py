"""Does the law miss something? A score test of the residuals, and seed noise apart from misfit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from isoloss.fits.objective import Objective
from isoloss.laws import Array, Inputs


@dataclass(frozen=True)
class LackOfFit:
    """A score test that residuals hold no curve in log params and log tokens: statistic, degrees of freedom, p-value.

    ``size`` is the root mean square of the curve found in the residuals, in relative loss.
    """

    statistic: float
    freedom: int
    p_value: float
    size: float


@dataclass(frozen=True)
class Noise:
    """Seed noise of log loss from repeated cells, and what the law adds on top of it.

    ``seed`` and ``misfit`` are standard deviations; ``p_value`` that of the F test that misfit is zero.
    """

    seed: float
    misfit: float
    repeated_cells: int
    freedom: int
    p_value: float


def lack_of_fit(
    x: Inputs, jacobian: Array, residual: Array, objective: Objective, clusters: NDArray[np.intp] | None
) -> LackOfFit | None:
    """The score test for a smooth curve in log params and log tokens that the law leaves in its residuals.

    Polynomials of order two and three that the fitted constants cannot absorb are correlated with the influence of
    each residual; variance is by cluster where there are groups. None when fewer than ten rows are left over.
    Reference: Ramsey's RESET in the score form for M-estimators (Davidson & MacKinnon 1993, chapter 6).
    """
    curve = _orthogonal(_polynomials(x), jacobian)
    rank = curve.shape[1]
    if rank == 0 or len(residual) - jacobian.shape[1] - rank < 10:
        return None
    influence = objective.slope(residual)
    influence = influence - influence.mean()
    scores = curve * influence[:, None]
    if clusters is not None:
        scores = np.array([np.bincount(clusters, column) for column in scores.T]).T
        if len(scores) < 2 * rank:
            return None
    total = scores.sum(axis=0)
    spread = scores.T @ scores if clusters is not None else np.eye(rank) * np.mean(influence**2)
    statistic = float(total @ np.linalg.solve(spread, total))
    left = len(scores) - jacobian.shape[1] * (clusters is None)
    statistic = statistic * left / len(scores)
    found = curve @ (curve.T @ residual)
    return LackOfFit(
        statistic, rank, float(stats.chi2.sf(statistic, rank)), float(np.sqrt(np.mean(found**2)))
    )


def noise(cells: NDArray[np.intp], residual: Array, constants: int) -> Noise | None:
    """Seed noise from cells that were run more than once; None where none was."""
    counts = np.bincount(cells)
    within = len(residual) - len(counts)
    if within < 1:
        return None
    means = np.bincount(cells, residual) / counts
    pure = float(np.sum((residual - means[cells]) ** 2)) / within
    between = len(counts) - constants
    p_value, misfit = 1.0, 0.0
    if between > 0:
        lack = float(np.sum(counts * means**2)) / between
        p_value = float(stats.f.sf(lack / pure, between, within)) if pure > 0 else 0.0
        misfit = float(np.sqrt(max(0.0, (lack - pure) * between / np.sum(counts))))
    return Noise(float(np.sqrt(pure)), misfit, int(np.sum(counts > 1)), within, p_value)


def _polynomials(x: Inputs) -> Array:
    n, d = (_standard(v) for v in (x.log_params, x.log_tokens))
    columns = [n * n, n * d, d * d, n**3, n * n * d, n * d * d, d**3]
    return np.column_stack([np.ones_like(n), n, d, *columns])


def _standard(values: Array) -> Array:
    spread = values.std()
    return np.asarray((values - values.mean()) / spread if spread > 0 else 0 * values)


def _orthogonal(columns: Array, jacobian: Array) -> Array:
    """An orthonormal basis of what the columns hold beyond the span of the Jacobian."""
    scaled = jacobian / np.maximum(np.linalg.norm(jacobian, axis=0), 1e-300)
    basis, size, _ = np.linalg.svd(scaled, full_matrices=False)
    basis = basis[:, size > 1e-10 * size.max()] if size.size else basis
    columns = columns / np.linalg.norm(columns, axis=0)
    left = columns - basis @ (basis.T @ columns)
    found, size, _ = np.linalg.svd(left, full_matrices=False)
    return np.asarray(found[:, size > 1e-3])
