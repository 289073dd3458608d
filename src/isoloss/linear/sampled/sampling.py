"""The risk of quantised SGD by simulation with real rounding: replicates, and their mean."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from isoloss.formats import Format
from isoloss.linear.asked import Asked, Spelled, check_points, check_reading
from isoloss.linear.checks import whole
from isoloss.linear.descent import SGD
from isoloss.linear.exact import measured
from isoloss.linear.moments import setting_of, stacked
from isoloss.linear.quantisers import DEFAULT_SCALES, Scales, shares_scales
from isoloss.linear.regression import Regression
from isoloss.linear.risk import Inputs, Parts, Risk
from isoloss.linear.sampled.drawing import Drawn, drawn
from isoloss.linear.sampled.replicates import Replicates, standard_error
from isoloss.linear.sampled.trial import Trial, manner_of, trial_of

REPLICATES = 1000


def sample_risk(
    problem: Regression,
    sgd: SGD,
    precision: Spelled = "fp",
    iterate: str = "average",
    inputs: Inputs = "clean",
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
    scales: Scales = DEFAULT_SCALES,
    passes: int = 1,
    stored: Format | str | None = None,
    error_feedback: bool = False,
    progress: bool = False,
) -> Risk:
    """Excess risk of w after SGD as the mean of independent replicates, with its standard error.

    Every quantiser rounds as its format says, biased or not; d, w and the result also in groups
    that share a scale ('d:mxfp4', 'w:int4/64').

    Parameters
    ----------
    problem, sgd, precision, iterate, inputs, scales
        As in `excess_risk`.
    replicates : int
        How many, at least 4.
    seed : int
        Fixes all random numbers, whatever the number of threads (NUMBA_NUM_THREADS); precisions of
        one seed share features, labels, order and rounding numbers.
    passes : int
        Each replicate draws steps x batch / passes samples and goes through them so often, shuffled
        anew each time; what is rounded is rounded anew at every use.
    stored : Format or str, optional
        The format that the weights are kept in between steps, without a master copy; its step is
        `scales.w`.
    error_feedback : bool
        Keep what that rounding cuts off, in full precision, and add it to the next update
        (Karimireddy et al. 2019, 1909.05350, here on the stored weight).
    progress : bool
        Show a bar where stderr is a terminal.

    Returns
    -------
    Risk
        `how` is 'sampled', `standard_error` that of the mean.

    Raises
    ------
    ValueError
        Bad input, or replicates that diverge.
    ModuleNotFoundError
        numba is not installed.
    """
    points = [(problem, sgd, precision)]
    return sample_risks(
        points, iterate, inputs, replicates=replicates, seed=seed, scales=scales, passes=passes,
        stored=stored, error_feedback=error_feedback, progress=progress,
    )[0].risk  # fmt: skip


def sample_risks(
    points: Iterable[Asked],
    iterate: str = "average",
    inputs: Inputs = "clean",
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
    scales: Scales = DEFAULT_SCALES,
    passes: int = 1,
    stored: Format | str | None = None,
    error_feedback: bool = False,
    progress: bool = False,
) -> list[Replicates]:
    """Replicates of many points, each with its risk, from the same random numbers.

    Replicate r of every point has the same random numbers, so `one.minus(other)` is a difference of
    pairs, with a standard error far below that of either. Replicates 2 j and 2 j + 1 share a random
    target.

    Parameters
    ----------
    points : iterable of (Regression, SGD, Precision or str)
        What `sample_risk` takes first.
    iterate, inputs, replicates, seed, scales, passes, stored, error_feedback, progress
        As in `sample_risk`.

    Returns
    -------
    list of Replicates
        In the order of the points.

    Raises
    ------
    ValueError
        Bad input, or replicates that diverge.
    ModuleNotFoundError
        numba is not installed.
    """
    points = check_points(points)
    check_reading(iterate, inputs, scales)
    count, seed = whole("replicates", replicates, 4), whole("seed", seed, 0)
    # All points are checked before the first is drawn.
    trials = []
    for point in points:
        manner = manner_of(point[1], passes, stored, error_feedback)
        trials.append(trial_of(point, iterate, inputs, scales, manner))
    return [replicates_of(each, drawn(each, count, seed, progress), seed) for each in trials]


def replicates_of(trial: Trial, found: Drawn, seed: int) -> Replicates:
    """What was drawn of a trial as a risk with its parts."""
    value = float(found.values.mean())
    clean, rounding = trial.inputs == "clean", value - float(found.unrounded.mean())
    parts = Parts(
        bias=found.bias,
        variance=found.spread - found.bias,
        approximation=found.missed,
        rounding=rounding,
        floor=found.floor,
        asymptotic_bias=_asymptotic_bias(trial) if clean else 0.0,
        quantised_norm=None if clean else found.spread + rounding,
    )
    risk = Risk(
        value, standard_error(found.values), "sampled", parts, trial.inputs, trial.step_size
    )
    return Replicates(risk, found.values, seed)


def _asymptotic_bias(trial: Trial) -> float:
    """As the exact engine has it on clean inputs; unknown where blocks of features share scales."""
    if shares_scales(trial.quantisers.d):
        return math.nan
    at = stacked([setting_of(trial.problem, trial.quantisers.d, trial.scales.d, compressed=False)])
    # It is a property of the problem and the data's format; nothing is sampled for it.
    still = np.zeros(1)
    return float(measured(at, at.centre, still, "clean", still).asymptotic_bias[0])
