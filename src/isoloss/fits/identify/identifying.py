"""Which constants a fit's runs can tell: the Jacobian flags, the likelihood is followed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse.csgraph import connected_components

from isoloss.fits.identify.identified import Identified
from isoloss.fits.identify.likelihood import Likelihood, likelihood, loose
from isoloss.fits.identify.mending import cause, remedy
from isoloss.fits.identify.ridge import Ridge, follow
from isoloss.fits.sample import Sample
from isoloss.fits.solve import Optimum, improved
from isoloss.laws import Array

#: Rise below zero, in units of half the likelihood's scale, from which a ridge has found a better
#: optimum; and how often it may.
BETTER, ROUNDS = -0.01, 4
#: Share of the ridge's span in every constant within which another end is on the ridge.
APART = 0.2
#: Correlation from which two loose constants lie on one ridge.
TOGETHER = 0.5


def identify(optimum: Optimum, sample: Sample, level: float) -> tuple[Optimum, Identified]:
    """What the runs can tell of each constant, and the optimum, or a better one met on the way.

    Parameters
    ----------
    optimum
        The solved problem.
    sample
        Its runs, whose groups count as units.
    level
        Coverage of the region that is followed, 0.9 = 90%.

    Returns
    -------
    tuple of Optimum and Identified
        Nothing is followed, and nothing costs, where the Jacobian holds every constant; nothing is
        held where the runs leave no degree of freedom.

    Notes
    -----
    Reference: Raue et al. 2009, Bioinformatics 25 (profile likelihood and practical
    identifiability).
    """
    if not len(optimum.theta):
        return optimum, Identified()
    few = too_few(sample, len(optimum.theta))
    if few:
        return optimum, _nothing_held(optimum, level, few)
    for _ in range(ROUNDS):
        found = likelihood(optimum, sample.clusters)
        flagged = loose(found, level)
        if not flagged:
            return optimum, Identified(left=found.left, level=level, noise=found.noise)
        ridges = _together(found.covariance[np.ix_(flagged, flagged)])
        ridge = follow(found, flagged, ridges, level)
        ridge = _with_basins(found, ridge, optimum.ends, level)
        best = int(np.argmin(ridge.statistic))
        if ridge.statistic[best] > BETTER:
            break
        optimum = improved(optimum, ridge.theta[best])
    return optimum, _identified(found, flagged, ridges, ridge, optimum, sample, level)


def too_few(sample: Sample, constants: int) -> str:
    """Why runs hold nothing, in words: as many constants as runs, or more than units; else empty.

    Without a residual beyond the constants nothing says how far the runs scatter, so no interval
    can be closed, however well the curve meets them.
    """
    if len(sample) <= constants:
        return (
            f"{len(sample)} runs for {constants} constants leave no residual that says how far "
            "runs scatter; add runs or fix constants"
        )
    if sample.units < constants:
        return (
            f"{len(sample)} runs come in {sample.units} {sample.by}, fewer than the {constants} "
            f"constants; add {sample.by} or fix constants"
        )
    return ""


def _nothing_held(optimum: Optimum, level: float, cause: str) -> Identified:
    """The optimum alone, with every constant free on one ridge that nothing ends."""
    coordinates, theta = optimum.problem.coordinates, optimum.theta[None, :]
    names = tuple(k.name for k in coordinates.free)
    return Identified(
        followed=names,
        theta=theta,
        values=coordinates.table(theta),
        statistic=np.zeros(1),
        walk=np.full(1, -1),
        bound=np.zeros(1, dtype=bool),
        ridges=(0,) * len(names),
        left=0,
        level=level,
        cause=cause,
    )


def _with_basins(found: Likelihood, ridge: Ridge, ends: Array, level: float) -> Ridge:
    """The ridge with what other walks found inside the region, away from where it passes.

    Runs at one ratio of tokens to params allow params and tokens to change roles: no path along
    the ridge leads from one such optimum to the other.
    """
    statistic = found.statistic(found.problem.value(ends))
    inside = statistic <= found.limit(level)
    span = np.ptp(ridge.theta, axis=0) + found.half(level)
    near = np.abs(ends[:, None, :] - ridge.theta[None, :, :]) <= APART * span
    new = np.flatnonzero(inside & ~near.all(axis=2).any(axis=1))
    return Ridge(
        np.concatenate([ridge.theta, ends[new]]),
        np.concatenate([ridge.statistic, statistic[new]]),
        np.concatenate([ridge.walk, np.full(len(new), -1)]),
        np.concatenate([ridge.bound, np.zeros(len(new), dtype=bool)]),
    )


def _identified(
    found: Likelihood,
    flagged: list[int],
    ridges: tuple[int, ...],
    ridge: Ridge,
    optimum: Optimum,
    sample: Sample,
    level: float,
) -> Identified:
    coordinates = found.problem.coordinates
    kept = np.isfinite(ridge.statistic)
    known = Identified(
        tuple(coordinates.free[i].name for i in flagged),
        ridge.theta[kept],
        coordinates.table(ridge.theta[kept])[:, flagged],
        ridge.statistic[kept],
        ridge.walk[kept],
        ridge.bound[kept],
        ridges,
        found.left,
        level,
        found.noise,
    )
    open_ones = known.not_held(level)
    if not open_ones:
        return known
    return replace(
        known,
        cause=cause(optimum, sample, open_ones),
        remedy=remedy(optimum, sample, known.theta[known.inside(level) & known.cut(level)]),
    )


def _together(covariance: Array) -> tuple[int, ...]:
    """Which loose constants move together: components of correlations above `TOGETHER`."""
    spread = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
    linked = np.abs(covariance / spread / spread[:, None]) > TOGETHER
    return tuple(int(k) for k in connected_components(linked, directed=False)[1])
