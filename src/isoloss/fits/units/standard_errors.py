"""Weights of rows from their standard errors: 1 / (scatter^2 + se^2), scatter from the residuals.

The scatter is what residuals show beyond the standard errors; it is found by maximum likelihood of
normal residuals, so that equal errors give equal weights and errors far below the scatter change
nothing. Reference: DerSimonian and Laird 1986 (random effects).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import optimize

from isoloss.fits.sample import Sample
from isoloss.fits.settings import Settings
from isoloss.fits.solve import optimise, pose
from isoloss.laws import Array, Law

#: Errors below this share of the scatter change weights by less than 1%, so that rows count alike.
SMALL = 0.1


def weighted(law: Law, sample: Sample, asked: Settings) -> tuple[Sample, float | None]:
    """The sample with weights from the standard errors of its losses, and the scatter beyond them.

    As it is, without a scatter, where errors are unknown, all alike, or far below the scatter.
    """
    errors = relative_errors(sample, asked.objective.log)
    if errors is None:
        return sample, None
    plain, scatter = sample, 0.0
    # The scatter is that of a fit whose weights rest on it: twice is enough.
    for _ in range(2):
        problem, absent = pose(law, sample, asked.objective)
        found = optimise(problem, absent, min(8, asked.starts), asked.seed)
        residual = problem.residuals(found.theta[None, :])[0]
        scatter = scatter_beyond(residual, errors, len(found.theta))
        if float(errors.max()) < SMALL * scatter:
            return plain, None
        sample = with_weights(sample, errors, scatter)
    return sample, scatter


def relative_errors(sample: Sample, log: bool) -> Array | None:
    """Standard errors in the unit of the residuals, or None where they are unknown or all alike."""
    if not sample.weighable:
        return None
    errors = np.asarray(sample.runs["loss_se"], dtype=float)
    errors = errors / sample.loss if log else errors
    return None if float(np.ptp(errors)) <= 1e-9 * float(errors.max()) else errors


def scatter_beyond(residual: Array, errors: Array, constants: int) -> float:
    """The most likely standard deviation of residuals beyond their standard errors."""
    lost = len(residual) / max(1, len(residual) - constants)
    # Residuals are drawn in at five robust deviations: one odd row is no scatter of all.
    most = 5 * 1.4826 * float(np.median(np.abs(residual)))
    squares = lost * np.square(np.clip(residual, -most, most))

    def deviance(log_scatter: float) -> float:
        variance = np.exp(2 * log_scatter) + errors**2
        return float(np.sum(np.log(variance) + squares / variance))

    top = np.log(max(float(np.sqrt(squares.max())), 1e-12) * 3)
    found = optimize.minimize_scalar(deviance, bounds=(top - 16, top), method="bounded")
    # Rows that claim no error at all must not be all that counts.
    return max(float(np.exp(found.x)), 0.01 * float(errors.max()))


def with_weights(sample: Sample, errors: Array, scatter: float) -> Sample:
    """The sample with weights 1 / (scatter^2 + se^2), of mean one."""
    weights = 1.0 / (scatter**2 + errors**2)
    return replace(sample, weights=weights / weights.mean())
