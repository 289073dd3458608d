"""The risk by eigendirection, and the training loss, from the same last state."""

from __future__ import annotations

import numpy as np

from isoloss.linear.asked import Spelled, check_inputs
from isoloss.linear.descent import SGD
from isoloss.linear.exact.measuring import (
    bias_by_coordinate,
    error_square,
    floor_in_use,
    norm_of,
)
from isoloss.linear.exact.solving import point_of, solved
from isoloss.linear.exact.walking import JUMP
from isoloss.linear.quantisers import DEFAULT_SCALES, Scales
from isoloss.linear.regression import Regression
from isoloss.linear.risk import Directions, Inputs, TrainingRisk


def risk_by_direction(
    problem: Regression,
    sgd: SGD,
    precision: Spelled = "fp",
    iterate: str = "average",
    inputs: Inputs = "clean",
    scales: Scales = DEFAULT_SCALES,
) -> Directions:
    """Bias and variance of the risk in every eigendirection, before any rounding of the result.

    Parameters
    ----------
    problem, sgd, precision, iterate, inputs, scales
        As in `excess_risk`.

    Returns
    -------
    Directions
        Arrays (d,), with a sketch (M,) in the eigenbasis of what the model sees; they sum to the
        bias and the variance of `excess_risk`. Floor and approximation belong to no direction.

    Raises
    ------
    ValueError
        Bad input; clean inputs of a quantised sketch, which mix these directions.
    """
    check_inputs(inputs)
    point = point_of(problem, sgd, precision, iterate, scales, compressed=False)
    done = solved([point], inputs, JUMP, by_coordinate=True)
    bias = bias_by_coordinate(done.setting, done.mean, inputs)[0]
    norm = norm_of(done.setting, inputs)[0]
    return Directions(norm, bias, 0.5 * norm * np.asarray(done.var)[0])


def training_risk(
    problem: Regression, sgd: SGD, precision: Spelled = "fp", scales: Scales = DEFAULT_SCALES
) -> TrainingRisk:
    """Expected training loss 0.5 E o^2 at the sample after the last step, in one pass.

    o = Q_l(y) - Q_a(<Q_d(x), Q_p(w)>), before the gradient is rounded.

    Parameters
    ----------
    problem, sgd, precision, scales
        As in `excess_risk`.

    Returns
    -------
    TrainingRisk
        The loss and its parts. Its noise is half the variance of the labels' noise and of the ideal
        quantisers of labels, parameter and activations.

    Raises
    ------
    ValueError
        Bad input, or an unstable step size.
    """
    point = point_of(problem, sgd, precision, "last", scales, compressed=True)
    done = solved([point], "in use", JUMP, by_coordinate=True)
    at, var = done.trained, np.asarray(done.var)
    value = 0.5 * error_square(at, done.noises, done.mean, var)[0, 0]
    # A sketch has what it cannot learn, and the floor of its rounding, in its noise variance.
    floor, missed = floor_in_use(at)[0], at.approximation[0, 0]
    excess = 0.5 * at.total(at.h * ((done.mean - at.centre) ** 2 + var))[0, 0]
    noise = value - floor - missed - excess
    scale = done.gain**2
    return TrainingRisk(
        float(scale * value),
        float(scale * noise),
        float(scale * floor),
        float(scale * missed),
        float(scale * excess),
        done.hows[0],
    )
