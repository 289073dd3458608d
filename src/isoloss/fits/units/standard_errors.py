"""Weights of rows: those declared, and 1 / (scatter^2 + se^2) with the scatter of the residuals.

The scatter is what residuals show beyond the standard errors; it is found by maximum likelihood of
normal residuals, so that equal errors give equal weights and errors far below the scatter change
nothing. Reference: DerSimonian and Laird 1986 (random effects).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import optimize

from isoloss.fits.arguments import FitError, shown
from isoloss.fits.sample import Sample
from isoloss.fits.settings import Settings
from isoloss.fits.solve import optimise, pose
from isoloss.laws import Array, Law

#: The further column that declares weights of rows.
WEIGHT = "weight"
#: Errors below this share of the scatter change weights by less than 1%, so that rows count alike.
SMALL = 0.1


def weighted(law: Law, sample: Sample, asked: Settings) -> tuple[Sample, float | None]:
    """The sample with declared weights and those from the standard errors of its losses, and the
    scatter beyond these.

    Without a scatter where errors are unknown, all alike, or far below it. Raises FitError for
    declared weights that are no numbers above zero.
    """
    declared = declared_weights(sample)
    sample = sample if declared is None else replace(sample, weights=declared)
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
        sample = with_weights(plain, errors, scatter)
    return sample, scatter


def declared_weights(sample: Sample) -> Array | None:
    """Weights of a column weight, of mean one; None where there is none, or all are alike.

    Raises FitError where one is no number above zero.
    """
    if WEIGHT not in sample.runs.columns:
        return None
    found = np.array([_number(value) for value in sample.runs[WEIGHT]])
    bad = ~(np.isfinite(found) & (found > 0))
    if bad.any():
        first = sample.runs[WEIGHT][np.flatnonzero(bad)[0]]
        raise FitError(
            f"column {WEIGHT!r} is {shown(first)} in {int(bad.sum())} of {len(sample)} runs; "
            "weights of rows are numbers above 0"
        )
    return None if float(np.ptp(found)) <= 1e-9 * float(found.max()) else found / found.mean()


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


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
    """The sample with weights 1 / (scatter^2 + se^2) times its own, of mean one."""
    own = 1.0 if sample.weights is None else sample.weights
    weights = own / (scatter**2 + errors**2)
    return replace(sample, weights=weights / weights.mean())
