"""Effective model size, effective samples and additive error of a precision, by one joint
definition.

A run of M coordinates and N samples at a precision has the clean risk

    R = A(M) + floor + what more samples would still remove.

Take the common scale s of the rounded data off (rescaled.py): the run is read as s w. Then

    M_eff   A(M_eff) = A(M) + floor of s w_q*: full precision of this size has an optimum as good;
    N_eff   the fewest samples after which full precision of size M_eff and step size gamma s has
            no more left to learn: none for a run that is worse than w_0 = 0;
    error   R - A(M_eff) - what is left to learn, signed: what reading w as it stands costs beside
            s w, and rounding of the result; with inputs in use, 0.5 E ||w||_D^2 too.

Relative noise: s w_q* = w*, so M_eff = M. Added noise on power laws: the floor hides all but
c eps^(-1/a) coordinates, c as in `size_constant`. Noise on labels, parameter, activations and
gradients: s = 1 and M_eff = M.

N_eff <= N is a theorem for noise on all of these and for relative noise on the data. Given the
sample, the mean of a rounded step of s w over the noise is the step of full precision (for factors
by element up to a diagonal that only grows), so its second moments are those of full precision plus
the noise's; and the steps that follow keep that order. For added noise on the data it is not: the
directions that it half hides converge faster and to less, like a ridge, so a run can have less left
to learn than full precision of M_eff after all N samples. Then there is no N_eff, and the result
says so.

Of three wishes, N_eff <= N, error >= 0, and one M_eff for clean inputs and inputs in use, the
second gives. Where training has not come to the hidden directions, rounding has cost nothing yet: a
smaller M_eff, a larger error and a larger N_eff are the same statement there, so wherever one of
them is held fixed the others must move. Here M_eff takes the floor, N_eff what is left to learn,
and the error changes sign: on clean inputs shrinking by 1 / s helps a run that is mostly variance.
In use the error of a relative noise is (1 - 1/s) (R(0) - R(s w)), with R of clean inputs: at least
0 wherever training has been of use.

Source: derived here. The words are those of Zhang et al. 2026 (2602.19241), whose own factors are
not known here.
"""

from __future__ import annotations

import math
from dataclasses import replace

from isoloss.formats import Precision
from isoloss.linear.asked import Spelled, check_point
from isoloss.linear.checks import whole
from isoloss.linear.descent import SGD
from isoloss.linear.quantisers import DEFAULT_SCALES, Scales
from isoloss.linear.regression import Regression
from isoloss.linear.risk import Inputs
from isoloss.linear.theory.model_sizes import Model, seen_risks, view_of
from isoloss.linear.theory.sizes.closed_beside import closed_samples, closed_size
from isoloss.linear.theory.sizes.crossing import crossing
from isoloss.linear.theory.sizes.effective_result import EffectiveSize, EffectiveSizes
from isoloss.linear.theory.sizes.rescaled import (
    Learnt,
    full_curve,
    learnt,
    most_stable,
    size_of_optimum,
    untaught,
)

#: What the engine calls equal: digits of the exact risk.
EQUAL = 1e-9
#: Numbers of steps looked at in one pass.
POINTS = 12


def effective_sizes(
    problem: Regression,
    sgd: SGD,
    precision: Spelled,
    *,
    size: int | None = None,
    model: Model = "first",
    iterate: str = "average",
    inputs: Inputs = "clean",
    scales: Scales = DEFAULT_SCALES,
) -> EffectiveSizes:
    """What a precision is worth: model size M_eff, samples N_eff and a signed additive error.

    R = A(M_eff) + T(M_eff, N_eff) + error, with A what full precision of a size can never learn
    and T what it has left to learn after some samples. M_eff and N_eff are those of clean inputs,
    whatever `inputs` are: these count in the risk and the error.

    Parameters
    ----------
    problem : Regression
        The problem of all coordinates.
    sgd, precision, iterate, scales
        As in `excess_risk`.
    size : int, optional
        M of the model; by default the problem's sketch, or all coordinates.
    model : str
        'first' coordinates or a 'sketch' (model_sizes.py).
    inputs : str
        Of the risk; see `excess_risk`.

    Returns
    -------
    EffectiveSizes
        Fractional sizes are between whole ones: the model of 4.3 coordinates is 0.7 of that of 4
        and 0.3 of that of 5; between whole numbers of steps log T is linear in log N. Where T is
        not monotone the fewest samples count, 0 for a run that is worse than no training. `samples`
        is nan, with a reason, where full precision has more left to learn than the rounded run even
        after all N samples.

    Raises
    ------
    ValueError
        Bad input, or an unstable step size.
    """
    problem, sgd, precision = check_point((problem, sgd, precision))
    view = view_of(model, iterate, inputs, scales)
    size = (problem.sketch or problem.dim) if size is None else whole("size", size)
    run = learnt(problem, size, sgd, precision, view)
    model_size, approximation = size_of_optimum(run)
    fixed = replace(sgd, step_size=run.step_size)
    beside = replace(sgd, step_size=run.step_size * run.scale)
    steps, reason = _steps(run, model_size, beside, iterate)
    clean = view._replace(inputs="clean")
    (full,) = seen_risks([(problem, size, fixed, "fp")], clean)
    risk = run.risk
    if inputs != "clean":
        risk = seen_risks([(problem, size, fixed, precision)], view)[0].total
    return EffectiveSizes(
        precision=str(Precision.parse(precision)),
        nominal_size=size,
        nominal_samples=float(sgd.steps * sgd.batch),
        model_size=model_size,
        samples=steps * sgd.batch,
        additive_error=risk - approximation - run.trained,
        risk=risk,
        approximation=approximation,
        trained=run.trained,
        scale=run.scale,
        step_size=run.step_size,
        closed_size=closed_size(problem, size, precision, clean),
        closed_samples=closed_samples(problem, size, fixed, precision, full, clean),
        inputs=inputs,
        how=run.how,
        reason=reason,
    )


def effective_model_size(
    problem: Regression,
    size: int,
    sgd: SGD,
    precision: Spelled,
    *,
    model: Model = "first",
    iterate: str = "average",
    scales: Scales = DEFAULT_SCALES,
) -> EffectiveSize:
    """The model size of `effective_sizes` by itself.

    Parameters
    ----------
    problem, size, sgd, precision, model, iterate, scales
        As in `effective_sizes`.

    Returns
    -------
    EffectiveSize
        Of kind 'model size'.

    Raises
    ------
    ValueError
        Bad input, or an unstable step size.
    """
    return effective_sizes(
        problem, sgd, precision, size=size, model=model, iterate=iterate, scales=scales
    ).size


def effective_data_size(
    problem: Regression,
    sgd: SGD,
    precision: Spelled,
    *,
    size: int | None = None,
    model: Model = "first",
    iterate: str = "average",
    scales: Scales = DEFAULT_SCALES,
) -> EffectiveSize:
    """The samples of `effective_sizes` by themselves.

    Parameters
    ----------
    problem, sgd, precision, size, model, iterate, scales
        As in `effective_sizes`.

    Returns
    -------
    EffectiveSize
        Of kind 'samples'.

    Raises
    ------
    ValueError
        Bad input, or an unstable step size.
    """
    return effective_sizes(
        problem, sgd, precision, size=size, model=model, iterate=iterate, scales=scales
    ).data


def _steps(run: Learnt, model_size: float, sgd: SGD, iterate: str) -> tuple[float, str]:
    """The fewest steps, up to all, after which full precision of a size has no more left to learn
    than the run, and "" or why there are none.
    """
    aim, who = run.trained, f"full precision of size {model_size:.4g}"
    if most_stable(run, model_size, sgd) <= float(sgd.step_size):
        return math.nan, f"{who} is unstable at {sgd.step_size:.4g}, gamma s of the rounded run"
    curve = full_curve(run, model_size, sgd, iterate)
    first, last = curve([1, sgd.steps])
    if last > aim * (1 + EQUAL):
        return math.nan, (
            f"{who} has {last:.4g} left to learn after all samples, the rounded run {aim:.4g}: "
            "noise on the data acts as a ridge"
        )
    if first < aim:
        # Between none and one step, where there is no logarithm; none for a run worse than w_0.
        return max(untaught(run, model_size) - aim, 0.0) / (untaught(run, model_size) - first), ""
    return crossing(curve, max(aim, last), sgd.steps, lambda: sgd.steps, who, POINTS)
