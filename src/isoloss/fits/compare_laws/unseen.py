"""What a law says of runs that it has not seen: mean and variance of their log loss.

The variance comes from the curvature at the optimum and the residuals of the fitted runs, so no
seed and no replicate enters: what few replicates happen to say of a tail decides no weight.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from isoloss.fits.arguments import FitError
from isoloss.fits.doubt import Prediction
from isoloss.fits.evidence import HeldOut, Split, check_held, errors_of
from isoloss.fits.result import Fit
from isoloss.fits.sample import Sample
from isoloss.fits.settings import Settings
from isoloss.fits.solve import Objective, Optimum, TooFewRuns, log_slopes, optimise, pose
from isoloss.laws import Array, Inputs

#: Random starts beside the optimum of all runs: rows were taken away, so it is near.
FEW = 3


def unseen(fit: Fit, sample: Sample, rows: Split, asked: Settings) -> HeldOut:
    """What the law of a fit says of rows when it has not seen them.

    Raises FitError where they depend on constants that no other row holds, or where the other rows
    are no more than the constants: that would be a guess.
    """
    assert fit.optimum is not None
    assert fit.sample is not None
    # The fit of all rows has found their units and weights.
    train, test = fit.sample.take(rows.train), sample.take(rows.test)
    said = (
        f"hold-out {rows.rule!r} takes {len(test)} of {len(sample)} usable runs and leaves "
        f"{len(train)} for {{}} constants{{}}; add runs, or name a hold-out that takes "
        "fewer (holdouts=, --holdout; 'random' takes a fifth)"
    )
    optimum = _without(fit.optimum, train, asked, said)
    if len(train) <= len(optimum.theta):
        why = ", and no residual that says how far predictions lie off"
        raise FitError(said.format(len(optimum.theta), why))
    law = optimum.law
    check_held(optimum, test.x, rows.rule)
    centre = law.loss(test.x)
    variance = log_variance(optimum, train, test.x)
    left = max(1, len(train) - len(optimum.theta))
    half = float(stats.t.ppf((1 + asked.level) / 2, left)) * np.sqrt(variance)
    names = tuple(str(test.x.levels.items[k]) for k in test.x.level)
    prediction = Prediction(
        test.x.params,
        test.x.tokens,
        names,
        centre,
        centre * np.exp(-half),
        centre * np.exp(half),
        asked.level,
        "run",
        metric=test.metric,
    )
    covered = float(prediction.covers(test.loss).mean())
    errors = errors_of(test.loss, centre, covered)
    return HeldOut(rows.rule, errors, prediction, test.loss, np.log(centre), variance)


def _without(known: Optimum, train: Sample, asked: Settings, too_few: str) -> Optimum:
    """The optimum without the held-out rows, from that of all rows and a few random starts.

    Raises FitError with the words ``too_few`` where there are more constants than rows.
    """
    coordinates = known.problem.coordinates
    law = coordinates.law.release(*known.absent)
    try:
        problem, absent = pose(law, train, asked.objective)
    except TooFewRuns as error:
        raise FitError(too_few.format(error.constants, "")) from error
    near = problem.coordinates.theta(coordinates.values(known.theta))
    return optimise(problem, absent, min(FEW, asked.starts), 0, near, 1e-5)


def log_variance(optimum: Optimum, train: Sample, x: Inputs) -> Array:
    """Variance of the log loss of new runs, shape (n,): of the law's mean, and of one run about it.

    The first is the delta method at the covariance of the constants, the second the mean square of
    the fitted residuals, grown for the constants spent.
    """
    law, theta = optimum.problem.coordinates.law, optimum.theta
    loss = law.with_values(optimum.problem.coordinates.values(theta)).loss(train.x)
    residual = np.log(loss / train.loss)
    left = max(1, len(train) - len(theta))
    weights = optimum.problem.weights
    square = residual**2 if weights is None else weights * residual**2
    of_run = float(square.sum()) / left
    if not len(theta):
        return np.full(len(x), of_run)
    slopes = np.nan_to_num(log_slopes(law, theta[None, :], x)[0])
    return np.asarray(((slopes @ covariance(optimum, train)) * slopes).sum(axis=1) + of_run)


def covariance(optimum: Optimum, train: Sample) -> Array:
    """Covariance of the constants (p, p) in the solver's coordinates, by clusters of runs if any.

    C = (J' J / v + P)^-1 with v the variance that one residual passes on to a constant, E psi^2 /
    (E psi')^2. P holds the range that starts are drawn from as a standard deviation: along a ridge
    the runs say nothing, so the constants keep that range. Clusters put the outer product of their
    summed scores between two such inverses.
    Reference: Huber 1967 (the sandwich); Liang and Zeger 1986 (its form for clusters).
    """
    problem = optimum.problem
    jacobian = np.nan_to_num(problem.jacobian(optimum.theta))
    residual = problem.residuals(optimum.theta[None, :])[0]
    weights = np.ones(len(residual)) if problem.weights is None else problem.weights
    score, bend = _influence(problem.objective, residual)
    left = max(1, len(residual) - len(optimum.theta))
    passed = float(np.mean(weights * score**2)) / bend**2 * len(residual) / left
    passed = max(passed, 1e-18)  # exact rows leave no residual
    wide = _widths(optimum) ** -2.0
    bread = np.linalg.inv((jacobian.T * weights) @ jacobian / passed + np.diag(wide))
    if train.clusters is None:
        return np.asarray(bread)
    rows = jacobian * (weights * score)[:, None] / (bend * passed)
    count = int(train.clusters.max()) + 1
    summed = np.array([np.bincount(train.clusters, column, count) for column in rows.T])
    grown = count / max(1, count - 1) * len(residual) / left
    return np.asarray(bread @ (grown * summed @ summed.T + np.diag(wide)) @ bread)


def _influence(objective: Objective, residual: Array) -> tuple[Array, float]:
    """Score of every residual, and the mean slope of scores."""
    if objective.residual_loss.kinked:
        # An absolute value: signs, whose slope is twice the density at zero, here a normal law's.
        size = max(float(np.sqrt(np.mean(residual**2))), 1e-300)
        return np.sign(residual), float(np.sqrt(2 / np.pi)) / size
    score = objective.slope(residual)
    bend = float(np.mean(objective.curvature(residual)))
    # Far residuals of Student bend the other way; a tenth of the bend at zero stays.
    return score, max(bend, 0.1 * float(objective.curvature(np.zeros(1))[0]))


def _widths(optimum: Optimum) -> Array:
    """Ranges of starts in the solver's coordinates, shape (p,)."""
    return np.array(
        [
            np.log(k.start[1] / k.start[0]) if k.scale == "log" else k.start[1] - k.start[0]
            for k in optimum.problem.coordinates.free
        ]
    )
