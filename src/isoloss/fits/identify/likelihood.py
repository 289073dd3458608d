"""How far the likelihood lets constants go: its scale and linear half widths at an optimum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from isoloss.fits.doubt import design_effect, likelihood_scale
from isoloss.fits.solve import DIGITS, Optimum, Problem
from isoloss.laws import Array

#: Singular values below this share of the greatest count as this share.
NULL = 1e-9
#: Half widths above which a constant is followed: of an exponent or another number, in itself and
#: as a share of its value; of what spans decades, as a factor.
WIDE, SHARE, FACTOR = 0.1, 0.5, 2.0


@dataclass(frozen=True)
class Likelihood:
    """An optimum as the likelihood sees it, to first order.

    Attributes
    ----------
    problem
        The solved problem.
    theta, value
        The best constants, shape (p,), and the objective there.
    scale
        What makes twice a rise of the objective an F of one and ``left`` degrees of freedom.
    left
        Degrees of freedom that the constants leave.
    covariance
        Linear covariance of theta, shape (p, p).
    blind
        Constants on which no run depends to first order, as a mask of shape (p,).
    noise
        Spread of the residuals of log loss, not below `DIGITS`.
    """

    problem: Problem
    theta: Array
    value: float
    scale: float
    left: int
    covariance: Array
    blind: NDArray[np.bool_]
    noise: float

    def limit(self, level: float) -> float:
        """The rise, in units of half the scale, that bounds the region of a level."""
        return float(stats.f.ppf(level, 1, self.left))

    def statistic(self, value: Array) -> Array:
        """Twice the rise of the objective over its scale."""
        return np.asarray(2.0 * (value - self.value) / self.scale)

    def half(self, level: float) -> Array:
        """Linear half widths of theta, shape (p,); infinite where no run depends on it."""
        found = np.sqrt(self.limit(level) * np.diag(self.covariance))
        return np.where(self.blind, np.inf, found)


def likelihood(optimum: Optimum, clusters: NDArray[np.intp] | None) -> Likelihood:
    """The likelihood of an optimum.

    Runs in groups whose residuals are alike count for fewer: the scale grows by the design effect,
    1 + (m - 1) times their intraclass correlation.
    """
    problem, theta = optimum.problem, optimum.theta
    residual = problem.residuals(theta[None, :])[0]
    bend = max(float(np.mean(problem.objective.weight(residual))), 1e-300)
    unit = 1.0 if problem.objective.log else float(np.mean(problem.observed))
    scale = max(likelihood_scale(problem, theta), bend * (DIGITS * unit) ** 2)
    if clusters is not None:
        scale *= max(1.0, design_effect(residual, clusters))
    jacobian = problem.jacobian(theta)
    length = np.linalg.norm(jacobian, axis=0)
    safe = np.where(length > 0, length, 1.0)
    _, size, axes = np.linalg.svd(jacobian / safe, full_matrices=False)
    kept = np.maximum(size, NULL * size.max(initial=1e-300))
    spread = (axes.T / kept) / safe[:, None]
    return Likelihood(
        problem,
        theta,
        optimum.certificate.objective,
        scale,
        max(1, len(residual) - len(theta)),
        spread @ spread.T * scale / bend,
        length == 0,
        max(float(np.sqrt(np.mean(residual**2))) / unit, DIGITS),
    )


def loose(found: Likelihood, level: float) -> list[int]:
    """The constants that the Jacobian flags at a level: wide, or near a bound.

    Wide is a half width above 0.1 of an exponent, above half the value of any, or above a factor
    two of what is walked in its logarithm.
    """
    coordinates, theta = found.problem.coordinates, found.theta
    flagged = []
    for i, (k, half) in enumerate(zip(coordinates.free, found.half(level), strict=True)):
        most = np.log(FACTOR) if k.scale == "log" else min(WIDE, SHARE * abs(theta[i]))
        near = min(theta[i] - coordinates.lower[i], coordinates.upper[i] - theta[i])
        if half > most or near < 1.5 * half:
            flagged.append(i)
    return flagged
