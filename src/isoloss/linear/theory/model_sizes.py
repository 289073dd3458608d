"""Models of different sizes of one problem: leading coordinates, or a random sketch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from isoloss.linear.asked import Spelled, check_problem, check_reading
from isoloss.linear.checks import one_of, whole
from isoloss.linear.descent import SGD
from isoloss.linear.moments import compressed_index
from isoloss.linear.quantisers import DEFAULT_SCALES, Scales
from isoloss.linear.regression import Regression
from isoloss.linear.risk import Inputs, Risk
from isoloss.linear.risk_of import excess_risks

#: 'first': the model sees the first M coordinates, a sketch S = [I 0], whose spectrum i^-a is the
#: order that a random sketch has (Lin et al. 2024). 'sketch': S of M rows with normal entries,
#: drawn from the problem's seed.
Model = Literal["first", "sketch"]
MODELS = ("first", "sketch")


class View(NamedTuple):
    """How models are seen: by which coordinates, which iterate, which inputs and scales of real
    grids.
    """

    model: Model = "first"
    iterate: str = "average"
    inputs: Inputs = "clean"
    scales: Scales = DEFAULT_SCALES


@dataclass(frozen=True)
class Seen:
    """The risk of a model of one size: total = trained + floor + approximation.

    Attributes
    ----------
    trained : float
        What more samples remove: bias and variance.
    bias, variance : float
        Its two parts.
    floor : float
        What unlimited samples would leave beside the approximation: `asymptotic_bias` on clean
        inputs, the `floor` of features rounded in use. At most one of the two is not zero.
    approximation : float
        What a model of that size cannot learn.
    step_size : float
        gamma, as a number.
    """

    trained: float
    bias: float
    variance: float
    floor: float
    approximation: float
    step_size: float

    @property
    def total(self) -> float:
        """The whole risk."""
        return self.trained + self.floor + self.approximation


def view_of(model: Model, iterate: str, inputs: Inputs, scales: Scales) -> View:
    """How models are seen. Raises ValueError for an unknown word and for what is no Scales."""
    check_reading(iterate, inputs, scales)
    one_of("model", model, MODELS)
    return View(model, iterate, inputs, scales)


def first_coordinates(problem: Regression, size: int) -> tuple[Regression, float]:
    """The problem of a model that sees the first coordinates, and the risk that it cannot remove.

    The other coordinates are independent of these, so they are label noise: noise_var +
    sum_{i > M} lam_i w*_i^2, half of which sum is the approximation error.

    Parameters
    ----------
    problem : Regression
        Without sketch.
    size : int
        M, at most the problem's dim.

    Returns
    -------
    (Regression, float)
        The problem as the model sees it, and its approximation error.

    Raises
    ------
    ValueError
        The size is out of range, or the problem has a sketch.
    """
    problem, size = check_problem(problem), whole("size", size)
    if size > problem.dim:
        raise ValueError(f"a model of {size} coordinates is larger than dim {problem.dim}")
    if problem.sketch is not None:
        raise ValueError(
            "model 'first' is for a problem without sketch; leave sketch out or say model='sketch'"
        )
    target, spectrum = problem.target, problem.spectrum
    if isinstance(target, np.ndarray):
        target = target[:size]
    if spectrum is not None:
        spectrum = np.asarray(spectrum)[:size]
    missed = max(signal_of(problem) - signal_of(problem, size), 0.0)
    seen = replace(
        problem, dim=size, target=target, spectrum=spectrum, noise_var=problem.noise_var + missed
    )
    return seen, missed / 2


def of_size(problem: Regression, size: int, model: str) -> tuple[Regression, float]:
    """The problem as a model of `size` sees it, and the risk beside that of `excess_risk` on it."""
    if one_of("model", model, MODELS) == "first":
        return first_coordinates(problem, size)
    return replace(problem, sketch=whole("size", size)), 0.0


def seen_risks(points: Sequence[tuple[Regression, int, SGD, Spelled]], view: View) -> list[Seen]:
    """The risks of models of given sizes (problem, size, sgd, precision)."""
    known: dict[tuple[Regression, int], tuple[Regression, float]] = {}
    for problem, size, _, _ in points:
        if (problem, size) not in known:
            known[problem, size] = of_size(problem, size, view.model)
    made = [(*known[problem, size], sgd, precision) for problem, size, sgd, precision in points]
    risks = excess_risks(
        [(problem, sgd, precision) for problem, _, sgd, precision in made],
        view.iterate,
        view.inputs,
        scales=view.scales,
    )
    return [_seen(risk, beside) for risk, (_, beside, _, _) in zip(risks, made, strict=True)]


def _seen(risk: Risk, beside: float) -> Seen:
    parts = risk.parts
    bias = parts.bias - parts.asymptotic_bias
    trained, left = bias + parts.variance + parts.rounding, parts.asymptotic_bias + parts.floor
    return Seen(trained, bias, parts.variance, left, parts.approximation + beside, risk.step_size)


def signal_of(problem: Regression, size: int | None = None) -> float:
    """sum lam_i w*_i^2 over the first `size` coordinates."""
    count = problem.dim if size is None else size
    if problem.smooth:
        index, weight = compressed_index(count, min(1.0, 2.0 / max(problem.decay, 2.0)))
        return float(np.sum(weight * problem.lam_at(index) * problem.target_squares_at(index)))
    index = np.arange(1.0, count + 1)
    return float(np.sum(problem.lam_at(index) * problem.target_squares_at(index)))
