"""What a precision is worth: the full-precision model size, or number of samples, of the same exact
risk.

Beside each stands the closed form of the theory (closed_forms.py). Source: derived in the notes on
Zhang et al. 2026 (2602.19241), whose abstract says that relative noise keeps the model size and
reduces the effective data size, and that added noise reduces both in the worst case; the paper's
own factors are not known here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from isoloss.formats import Precision
from isoloss.linear.asked import Spelled, check_point
from isoloss.linear.checks import whole
from isoloss.linear.descent import SGD
from isoloss.linear.exact import point_of
from isoloss.linear.moments import noise_levels
from isoloss.linear.quantisers import DEFAULT_SCALES, Scales, quantisers_of
from isoloss.linear.regression import Regression
from isoloss.linear.risk import Inputs
from isoloss.linear.risk_of import stability_limit
from isoloss.linear.theory.closed_forms import (
    data_noise,
    effective_dims,
    effective_samples,
    effective_size,
    is_mixed,
    largest_feature,
    size_constant,
)
from isoloss.linear.theory.equal_risk import crossing
from isoloss.linear.theory.gradient_noise import gradient_noise
from isoloss.linear.theory.model_sizes import Model, Seen, View, of_size, seen_risks, view_of

#: How many times the nominal steps are looked at.
MORE = 1000


@dataclass(frozen=True)
class EffectiveSize:
    """The size that gives the same risk at full precision.

    Attributes
    ----------
    kind : str
        'model size' or 'samples'.
    precision : str
        The spelling.
    nominal : float
        The size that was given.
    value : float
        The size of the same risk; nan where there is none.
    closed : float
        Closed form of the theory, nan where there is none.
    risk : float
        The risk that was matched.
    full : float
        The risk of full precision at `nominal`.
    doubling, full_doubling : float
        Of model sizes: what the last doubling to `nominal` takes off the risk, and the same at full
        precision. Alike where a precision keeps the model size and adds a constant, near 0 where it
        hides coordinates.
    reason : str
        Why there is no value; empty where there is one.
    """

    kind: Literal["model size", "samples"]
    precision: str
    nominal: float
    value: float
    closed: float
    risk: float
    full: float
    doubling: float = math.nan
    full_doubling: float = math.nan
    reason: str = ""

    @property
    def ratio(self) -> float:
        """Effective over nominal size."""
        return self.value / self.nominal

    def __str__(self) -> str:
        closed = "" if math.isnan(self.closed) else f" (closed form {self.closed:.4g})"
        doubling = f"; the last doubling gains {self.doubling:.3g}, there {self.full_doubling:.3g}"
        found = (
            f"none, for {self.reason}" if self.reason else f"{self.value:.4g} of {self.nominal:.4g}"
        )
        return (
            f"effective {self.kind} at '{self.precision}': {found}{closed}; "
            f"risk {self.risk:.4g}, at full precision "
            f"{self.full:.4g}{doubling if self.kind == 'model size' else ''}"
        )


def effective_model_size(
    problem: Regression,
    size: int,
    sgd: SGD,
    precision: Spelled,
    *,
    model: Model = "first",
    iterate: str = "average",
    inputs: Inputs = "clean",
    scales: Scales = DEFAULT_SCALES,
) -> EffectiveSize:
    """Size of the full-precision model whose risk, same steps, is that of a size at a precision.

    The whole risk is matched: approximation, bias, variance and, in use, the floor.
    Sizes are searched upwards from 1, so where more coordinates would only add variance the smaller
    of two answers counts; between whole sizes log risk is linear in log size. Full precision takes
    the step size of the quantised run.

    Parameters
    ----------
    problem : Regression
        The problem of all coordinates.
    size : int
        M of the quantised model.
    sgd, precision, iterate, inputs, scales
        As in `excess_risk`.
    model : str
        'first' coordinates or a 'sketch' (model_sizes.py).

    Returns
    -------
    EffectiveSize
        Of kind 'model size'.

    Raises
    ------
    ValueError
        Bad input, or an unstable step size.
    """
    problem, sgd, precision = check_point((problem, sgd, precision))
    size, view = whole("size", size), view_of(model, iterate, inputs, scales)
    seen, full, sgd = _pair(problem, size, sgd, precision, view)

    def risks(sizes: list[int]) -> list[float]:
        return [
            each.total for each in seen_risks([(problem, each, sgd, "fp") for each in sizes], view)
        ]

    value, reason = crossing(
        risks,
        seen.total,
        size,
        lambda: _most_stable(problem, sgd, size, model),
        "a full-precision model",
    )
    closed = _closed_size(problem, size, precision, view)
    halves = seen_risks(
        [(problem, max(size // 2, 1), sgd, each) for each in (precision, "fp")], view
    )
    gain, full_gain = (
        half.total - end.total for half, end in zip(halves, (seen, full), strict=True)
    )
    name = str(Precision.parse(precision))
    return EffectiveSize(
        "model size", name, size, value, closed, seen.total, full.total, gain, full_gain, reason
    )


def effective_data_size(
    problem: Regression,
    sgd: SGD,
    precision: Spelled,
    *,
    size: int | None = None,
    whole_risk: bool = False,
    model: Model = "first",
    iterate: str = "average",
    inputs: Inputs = "clean",
    scales: Scales = DEFAULT_SCALES,
) -> EffectiveSize:
    """Samples that give full precision, same step size and batch, the same bias and variance.

    Up to 1000 times the nominal steps are looked at.

    Parameters
    ----------
    problem, sgd, precision, iterate, inputs, scales
        As in `excess_risk`.
    size : int, optional
        M of the model; by default all coordinates.
    whole_risk : bool
        Match the floor too: noise on the data moves part of the bias into it, and more samples than
        there are can then be the answer.
    model : str
        'first' coordinates or a 'sketch' (model_sizes.py).

    Returns
    -------
    EffectiveSize
        Of kind 'samples'.

    Raises
    ------
    ValueError
        Bad input, or an unstable step size.
    """
    problem, sgd, precision = check_point((problem, sgd, precision))
    size = problem.dim if size is None else whole("size", size)
    view = view_of(model, iterate, inputs, scales)
    seen, full, sgd = _pair(problem, size, sgd, precision, view)
    aim = seen.trained + (seen.floor if whole_risk else 0.0)

    def risks(steps: list[int]) -> list[float]:
        points = [(problem, size, replace(sgd, steps=each), "fp") for each in steps]
        return [each.trained for each in seen_risks(points, view)]

    steps, reason = crossing(risks, aim, sgd.steps, lambda: MORE * sgd.steps, "full precision")
    closed = _closed_samples(problem, size, sgd, precision, full, view)
    name, samples = str(Precision.parse(precision)), float(sgd.steps * sgd.batch)
    return EffectiveSize(
        "samples", name, samples, steps * sgd.batch, closed, aim, full.trained, reason=reason
    )


def _pair(
    problem: Regression, size: int, sgd: SGD, precision: Spelled, view: View
) -> tuple[Seen, Seen, SGD]:
    """The risks at the precision and at full precision, and the descent with the step size of the
    first.
    """
    (seen,) = seen_risks([(problem, size, sgd, precision)], view)
    fixed = replace(sgd, step_size=seen.step_size)
    (full,) = seen_risks([(problem, size, fixed, "fp")], view)
    return seen, full, fixed


def _most_stable(problem: Regression, sgd: SGD, size: int, model: str) -> int:
    """The largest size at which full precision is stable at this step size, at least `size`."""
    low, high = size, problem.dim
    while low < high:
        middle = (low + high + 1) // 2
        here, _ = of_size(problem, middle, model)
        if stability_limit(here, sgd) > float(sgd.step_size):
            low = middle
        else:
            high = middle - 1
    return low


def _closed_size(problem: Regression, size: int, precision: Spelled, view: View) -> float:
    """min{M, c eps^(-1/a)} for added noise, M for relative; c is that of the first coordinates.

    nan for noise that a sketch changes: before it, or by element.
    """
    source, known = _source(problem), quantisers_of(precision).d
    noise = noise_levels(known)
    by_element = (noise is not None and not noise.basis_free) or (
        known is not None and known.is_float
    )
    if view.model == "sketch" and known is not None and (problem.site == "before" or by_element):
        return math.nan
    if problem.spectrum is not None or problem.decay <= 1 or source is None or is_mixed(known):
        return math.nan
    kind, eps = data_noise(precision, view.scales, largest_feature(problem))
    if kind == "relative":
        return float(size)
    try:
        constant = size_constant(problem.decay, view.inputs, source)
    except ValueError:  # no power of eps
        return math.nan
    return effective_size(size, eps, problem.decay, constant)


def _source(problem: Regression) -> float | None:
    """b in E lam_i w*_i^2 = i^-b, or None for other targets."""
    if isinstance(problem.target, str) and problem.target != "isotropic":
        return float(problem.target.split()[1])
    return problem.decay if problem.smooth else None


def _closed_samples(
    problem: Regression, size: int, sgd: SGD, precision: Spelled, full: Seen, view: View
) -> float:
    """The closed form, with the bias and the variance of full precision those of the exact risk."""
    if problem.spectrum is not None or problem.decay <= 1:
        return math.nan
    if is_mixed(quantisers_of(precision).d):
        return math.nan
    here, _ = of_size(problem, size, view.model)
    levels = []
    for each in ("fp", precision):
        quantisers = quantisers_of(each)
        if not quantisers.closed:
            return math.nan
        setting = point_of(here, sgd, each, "average", view.scales, True).setting
        levels.append(gradient_noise(setting, quantisers, sgd.batch).level)
    if not levels[0]:
        return math.nan
    span = sgd.steps * float(sgd.step_size)
    kind, eps = data_noise(precision, view.scales, largest_feature(problem))
    if kind == "added" and view.inputs == "clean":
        eps = 0.0  # coordinates that added noise lifts weigh only in the norm of H_q
    dims = [effective_dims(size, span, problem.decay, kind, level) for level in (0.0, eps)]
    samples = float(sgd.steps * sgd.batch)
    return effective_samples(
        samples, problem.decay, full.bias, full.variance, levels[1] / levels[0], dims[1] / dims[0]
    )
