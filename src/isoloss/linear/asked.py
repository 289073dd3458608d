"""What a verb of this room is asked about: one check of problem, descent and scales for all of
them.
"""

from __future__ import annotations

from collections.abc import Iterable

from isoloss.files import shown_value
from isoloss.formats import Precision
from isoloss.linear.checks import of_type, one_of
from isoloss.linear.descent import SGD, first_averaged
from isoloss.linear.quantisers import Scales
from isoloss.linear.regression import Regression
from isoloss.linear.risk import INPUTS, Inputs

Spelled = Precision | str
Asked = tuple[Regression, SGD, Spelled]


def check_problem(problem: object) -> Regression:
    """The problem; raises ValueError for what is no Regression."""
    return of_type("problem", problem, Regression, "Regression(dim=100)")


def check_descent(sgd: object) -> SGD:
    """The descent; raises ValueError for what is no SGD."""
    return of_type("sgd", sgd, SGD, "SGD(steps=1000)")


def check_scales(scales: object) -> Scales:
    """The scales of real grids; raises ValueError for what is no Scales."""
    return of_type("scales", scales, Scales, "Scales(w=0.1)")


def check_precision(precision: object) -> Spelled:
    """The precision or its spelling, not yet read; raises ValueError for another kind of value."""
    if isinstance(precision, Precision) or (isinstance(precision, str) and len(precision) < 1000):
        return precision
    raise ValueError(
        f"precision is {shown_value(precision)}; accepted is a spelling such as "
        "'d:int6 w:add(1e-3)' or a Precision"
    )


def check_point(point: object) -> Asked:
    """A point; raises ValueError for what is no (problem, sgd, precision)."""
    if not isinstance(point, tuple | list) or len(point) != 3:
        raise ValueError(
            f"a point is {shown_value(point)}; accepted is (Regression(...), SGD(...), precision)"
        )
    problem, sgd, precision = point
    return check_problem(problem), check_descent(sgd), check_precision(precision)


def check_points(points: object) -> list[Asked]:
    """Points; raises ValueError for what is no list of them."""
    if isinstance(points, str) or not isinstance(points, Iterable):
        raise ValueError(
            f"points is {shown_value(points)}; accepted are tuples (Regression(...), SGD(...), "
            "precision)"
        )
    return [check_point(each) for each in points]


def check_inputs(inputs: str) -> Inputs:
    """The inputs; raises ValueError for other words, and for the old one, which meant less."""
    if inputs == "quantised":
        raise ValueError(
            "inputs 'quantised' is now 'in use', whose value holds the floor; what it was is "
            "parts.quantised_norm"
        )
    return one_of("inputs", inputs, INPUTS)  # type: ignore[return-value]


def check_reading(iterate: str, inputs: str, scales: object) -> None:
    """Raise ValueError for an unknown iterate or inputs, or for what is no Scales."""
    first_averaged(iterate, 1)
    check_inputs(inputs)
    check_scales(scales)
