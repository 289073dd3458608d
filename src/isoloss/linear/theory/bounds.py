"""The upper bound of the papers on the risk of averaged SGD, with a lower bound beside it.

Upper. With gamma the step size, N steps, h the eigenvalues of H_q (those of E u u', u the rounded
features), c the optimum on rounded features, k* = #{h >= 1/(N gamma)}, "head" the k* largest,
"tail" the others:

    bias     = |c|^2_{1/h, head} / (gamma N)^2 + |c|^2_{h, tail}
    variance = (2 alpha (|c|^2_head + N gamma |c|^2_{h, tail}) / (N gamma) + sigma_G^2)
               / (1 - gamma alpha tr H_q) (k*/N + N gamma^2 sum_tail h^2)
    0.5 E ||w - w_q*||_{H_q}^2 <= 2 bias + 2 variance
    risk <= 2 bias + 2 variance + floor, with clean inputs and with features rounded in use

The first line bounds a norm, which is no risk. With features rounded in use the risk is that norm
plus floor = 0.5 w*'H(H+D)^-1 D w*, the papers' ApproxErr, so the floor is in the upper and in the
lower bound. On clean inputs the risk is the norm plus the floor less 0.5 E ||w||_D^2, so the floor
is in the upper bound only, and the lower one is derived apart. alpha and sigma_G^2 are in
gradient_noise.py. Source: the skeleton is theorem 4.1 of Zhang et al. 2025 (2510.18259) through
secondary notes; the terms and the constants are those of Zou et al. 2021 (2103.12692, theorem 2.1
as recalled) with H replaced by H_q, derived, and checked against the exact risk. The papers' own
constants are not known here.

Lower: lower_bound.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoloss.files import displayed
from isoloss.formats import Precision
from isoloss.linear.asked import check_inputs
from isoloss.linear.descent import SGD
from isoloss.linear.exact import floor_in_use, limits, point_of, stack
from isoloss.linear.moments import Setting
from isoloss.linear.quantisers import DEFAULT_SCALES, Quantisers, Scales, is_grid, spelled_noises
from isoloss.linear.regression import Regression
from isoloss.linear.risk import INPUT_WORDS, Inputs
from isoloss.linear.theory.gradient_noise import GradientNoise, gradient_noise
from isoloss.linear.theory.lower_bound import lower_bound

Array = NDArray[np.float64]


@displayed
@dataclass(frozen=True)
class Bound:
    """Bounds lower <= excess risk <= upper of the average of all iterates at a constant step size.

    Attributes
    ----------
    inputs : str
        'clean' or 'in use'.
    upper, lower : float
        The bounds, in squared units of the label; `upper` is infinite where it says nothing.
    bias, variance : float
        Those of the upper bound, which doubles both.
    floor : float
        0.5 w*'H(H+D)^-1 D w*: in the upper bound, and of features rounded in use in the lower one.
    approximation : float
        What no model of a sketch can learn.
    head : int
        k* = #{h >= 1/(N gamma)}.
    effective_dim : float
        k* + (N gamma)^2 times the sum of squares of the eigenvalues behind.
    noise : GradientNoise
        alpha and sigma_G^2.
    step_size : float
        gamma.
    limit : float
        1 / (alpha tr H_q): at and beyond this step size the upper bound says nothing, though SGD
        may be stable.
    momentum : float
        b. Above 0 no upper bound is known; `head`, `effective_dim` and `bias` are then those of the
        step size gamma / (1 - b), which the lower bound is made of (lower_bound.py).
    """

    inputs: Inputs
    upper: float
    lower: float
    bias: float
    variance: float
    floor: float
    approximation: float
    head: int
    effective_dim: float
    noise: GradientNoise
    step_size: float
    limit: float
    momentum: float = 0.0

    def __str__(self) -> str:
        parts = ", ".join(
            f"{name} {value:.4g}" for name, value in self.noise.sources._asdict().items() if value
        )
        if self.momentum:
            above = f"no upper bound is known with momentum {self.momentum:g}"
        elif math.isinf(self.upper):
            above = (
                f"no upper bound: the step size {self.step_size:.4g} is not below "
                f"1/(alpha tr H_q) = {self.limit:.4g}"
            )
        else:
            beside = f" + floor {self.floor:.4g}" if self.floor else ""
            missed = f" + approximation {self.approximation:.4g}" if self.approximation else ""
            sums = f"2 x bias {self.bias:.4g} + 2 x variance {self.variance:.4g}"
            above = f"<= {self.upper:.6g} = {sums}{beside}{missed}"
        return (
            f"excess risk ({INPUT_WORDS[self.inputs]}) >= {self.lower:.6g}, {above}\n"
            f"  k* {self.head}, effective dimension {self.effective_dim:.4g}, alpha "
            f"{self.noise.alpha:.4g}, "
            f"sigma_G^2 {self.noise.level:.4g} ({parts})"
        )


def risk_bound(
    problem: Regression,
    sgd: SGD,
    precision: Precision | str = "fp",
    inputs: Inputs = "clean",
    scales: Scales = DEFAULT_SCALES,
) -> Bound:
    """Upper and lower bound on the exact risk of the averaged iterate, as the top of this file has
    them.

    Parameters
    ----------
    problem, sgd, precision, inputs, scales
        As in `excess_risk`; a constant schedule. With momentum there is a lower bound only.

    Returns
    -------
    Bound
        The bounds with what they are made of.

    Raises
    ------
    ValueError
        Another schedule, a rounded result, or real grids on other parts than the data.
    """
    check_inputs(inputs)
    point = point_of(problem, sgd, precision, "average", scales, compressed=False)
    _check(sgd, point.quantisers, precision)
    at = point.setting
    stacked, op, rule = stack([point])
    gamma = float(sgd.step_size) if sgd.share is None else float(sgd.share * limits(op, rule)[0])
    noise = gradient_noise(at, point.quantisers, sgd.batch)
    reach = gamma / (1 - sgd.momentum)  # of a step in the long run
    head = at.h * reach * sgd.steps >= 1
    trace = float(at.total(at.h)[0])
    bias = _shape(at, head, reach, sgd.steps, at.centre**2)
    effective, pull = _dims(at, head, reach * sgd.steps)
    limit = 1 / (noise.alpha * trace) if trace else math.inf
    room = 1 - gamma / limit
    variance = (
        (2 * noise.alpha * pull + noise.level) / room * effective / sgd.steps
        if room > 0 and not sgd.momentum
        else math.inf
    )
    floor = float(floor_in_use(stacked)[0])
    missed = float(at.approximation[0])
    upper = 2 * bias + 2 * variance + missed + floor
    # In use the floor is a summand of the risk, so it bounds from below too.
    lower = lower_bound(at, op, noise, sgd, gamma, inputs) + missed
    lower += floor if inputs == "in use" else 0.0
    return Bound(
        inputs, upper, lower, bias, variance,
        floor, missed, round(float(at.total(np.where(head, 1.0, 0.0))[0])), effective, noise, gamma,
        limit, sgd.momentum,
    )  # fmt: skip


def _check(sgd: SGD, quantisers: Quantisers, precision: Precision | str) -> None:
    if sgd.schedule != "constant":
        raise ValueError(f"the bound holds for constant steps, not for schedule '{sgd.schedule}'")
    if sgd.rule != "heavy ball" and not sgd.coefficients.still:
        raise ValueError(f"the bound holds for the heavy ball, not for the rule '{sgd.rule}'")
    for part in "lwag":
        if is_grid(getattr(quantisers, part)):
            raise ValueError(
                "the bound knows real grids on data only, not "
                f"'{part}:{getattr(quantisers, part)}' of precision "
                f"'{precision}'; give {spelled_noises()} there"
            )
    if quantisers.post is not None:
        raise ValueError(
            f"the bound does not know the rounding of the result in precision '{precision}'"
        )


def _shape(at: Setting, head: NDArray[np.bool_], gamma: float, steps: int, squares: Array) -> float:
    """squares / h / (gamma N)^2 over the head plus squares times h over the tail."""
    safe = np.where(head, at.h, 1.0)
    return float(
        at.total(np.where(head, squares / (safe * (gamma * steps) ** 2), squares * at.h))[0]
    )


def _dims(at: Setting, head: NDArray[np.bool_], span: float) -> tuple[float, float]:
    """The effective dimension, and (|c|^2_head + N gamma |c|^2_{h, tail}) / (N gamma), with span =
    N gamma.
    """
    effective = float(at.total(np.where(head, 1.0, (span * at.h) ** 2))[0])
    pull = float(at.total(np.where(head, at.centre**2, span * at.h * at.centre**2))[0])
    return effective, pull / span
