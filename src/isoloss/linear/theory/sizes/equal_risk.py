"""The full-precision model size, or number of samples, of the same exact risk as a rounded run.

Floor, data effect and model effect fall into one number here, so these sizes are no effective sizes
in the sense of Zhang et al. 2026 (2602.19241): a shared factor, which keeps the model size there,
has an equal-risk size far below it, and samples may exceed the nominal ones. effective.py takes the
three apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from isoloss.files import displayed, equal_by_fields
from isoloss.formats import Precision
from isoloss.linear.asked import Spelled, check_point
from isoloss.linear.checks import whole
from isoloss.linear.descent import SGD
from isoloss.linear.quantisers import DEFAULT_SCALES, Scales
from isoloss.linear.regression import Regression
from isoloss.linear.risk import Inputs
from isoloss.linear.risk_of import stability_limit
from isoloss.linear.theory.model_sizes import Model, Seen, View, of_size, seen_risks, view_of
from isoloss.linear.theory.sizes.closed_beside import closed_samples, closed_size
from isoloss.linear.theory.sizes.crossing import crossing

#: How many times the nominal steps are looked at.
MORE = 1000


@displayed
@equal_by_fields
@dataclass(frozen=True)
class EqualRisk:
    """The size, or number of samples, that gives the same risk at full precision.

    Attributes
    ----------
    kind, precision, nominal, closed, reason
        As in `EffectiveSize`.
    value : float
        The size of the same risk; nan where there is none.
    risk : float
        The risk that was matched.
    full : float
        The risk of full precision at `nominal`.
    doubling, full_doubling : float
        Of model sizes: what the last doubling to `nominal` takes off the risk, and the same at full
        precision. Alike where a precision keeps the model size and adds a constant, near 0 where it
        hides coordinates.
    step_size : float
        gamma of both runs.
    """

    kind: Literal["model size", "samples"]
    precision: str
    nominal: float
    value: float
    closed: float
    risk: float
    full: float
    step_size: float
    doubling: float = math.nan
    full_doubling: float = math.nan
    reason: str = ""

    @property
    def ratio(self) -> float:
        """Size of the same risk over nominal size."""
        return self.value / self.nominal

    def __str__(self) -> str:
        closed = "" if math.isnan(self.closed) else f" (closed form {self.closed:.4g})"
        doubling = f"; the last doubling gains {self.doubling:.3g}, there {self.full_doubling:.3g}"
        found = (
            f"none, for {self.reason}" if self.reason else f"{self.value:.4g} of {self.nominal:.4g}"
        )
        return (
            f"equal-risk {self.kind} at '{self.precision}': {found}{closed}; "
            f"risk {self.risk:.4g}, at full precision "
            f"{self.full:.4g}{doubling if self.kind == 'model size' else ''}"
        )


def equal_risk_size(
    problem: Regression,
    size: int,
    sgd: SGD,
    precision: Spelled,
    *,
    model: Model = "first",
    iterate: str = "average",
    inputs: Inputs = "clean",
    scales: Scales = DEFAULT_SCALES,
) -> EqualRisk:
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
    EqualRisk
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
    closed = closed_size(problem, size, precision, view)
    halves = seen_risks(
        [(problem, max(size // 2, 1), sgd, each) for each in (precision, "fp")], view
    )
    gain, full_gain = (
        half.total - end.total for half, end in zip(halves, (seen, full), strict=True)
    )
    name = str(Precision.parse(precision))
    return EqualRisk(
        "model size", name, size, value, closed, seen.total, full.total, seen.step_size, gain,
        full_gain, reason,
    )  # fmt: skip


def equal_risk_samples(
    problem: Regression,
    sgd: SGD,
    precision: Spelled,
    *,
    size: int | None = None,
    whole_risk: bool = True,
    model: Model = "first",
    iterate: str = "average",
    inputs: Inputs = "clean",
    scales: Scales = DEFAULT_SCALES,
) -> EqualRisk:
    """Samples that give full precision of the same size, step size and batch the same risk.

    Up to 1000 times the nominal steps are looked at, so more samples than there are can be the
    answer.

    Parameters
    ----------
    problem, sgd, precision, iterate, inputs, scales
        As in `excess_risk`.
    size : int, optional
        M of the model; by default the problem's sketch, or all coordinates.
    whole_risk : bool
        Match the floor too; without it bias and variance alone, part of which noise on the data
        moves into the floor.
    model : str
        'first' coordinates or a 'sketch' (model_sizes.py).

    Returns
    -------
    EqualRisk
        Of kind 'samples'.

    Raises
    ------
    ValueError
        Bad input, or an unstable step size.
    """
    problem, sgd, precision = check_point((problem, sgd, precision))
    size = (problem.sketch or problem.dim) if size is None else whole("size", size)
    view = view_of(model, iterate, inputs, scales)
    seen, full, sgd = _pair(problem, size, sgd, precision, view)
    aim = seen.trained + (seen.floor if whole_risk else 0.0)

    def risks(steps: list[int]) -> list[float]:
        points = [(problem, size, replace(sgd, steps=each), "fp") for each in steps]
        return [each.trained for each in seen_risks(points, view)]

    steps, reason = crossing(risks, aim, sgd.steps, lambda: MORE * sgd.steps, "full precision")
    # The closed form is of bias and variance alone.
    closed = math.nan if whole_risk else closed_samples(problem, size, sgd, precision, full, view)
    name, samples = str(Precision.parse(precision)), float(sgd.steps * sgd.batch)
    return EqualRisk(
        "samples", name, samples, steps * sgd.batch, closed, aim, full.trained, seen.step_size,
        reason=reason,
    )  # fmt: skip


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
