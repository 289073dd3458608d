"""The closed forms that stand beside the exact sizes of a problem and a precision; nan where there
is none.
"""

from __future__ import annotations

import math

from isoloss.linear.asked import Spelled
from isoloss.linear.descent import SGD
from isoloss.linear.exact import point_of
from isoloss.linear.moments import noise_levels
from isoloss.linear.quantisers import quantisers_of
from isoloss.linear.regression import Regression
from isoloss.linear.theory.closed_forms import (
    data_noise,
    effective_dims,
    effective_samples,
    effective_size,
    is_mixed,
    largest_feature,
    size_constant,
)
from isoloss.linear.theory.gradient_noise import gradient_noise
from isoloss.linear.theory.model_sizes import Seen, View, of_size


def closed_size(problem: Regression, size: int, precision: Spelled, view: View) -> float:
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


def closed_samples(
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
    # No noise at full precision, or features so rarely seen that no level bounds their noise.
    if not levels[0] or not math.isfinite(levels[1]):
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
