"""``isoloss theory training``: the training loss that SGD sees, and its parts."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import isoloss as il
from isoloss.cli.arguments import (
    AsScales,
    DescentLists,
    Keeping,
    ProblemLists,
    check_unserved,
    points_of,
    scales_of,
)
from isoloss.cli.manual import Example
from isoloss.cli.output import Answers, answer

if TYPE_CHECKING:
    from isoloss.cli.output.point_report import Point
    from isoloss.linear import Scales


def training(
    *,
    problem: ProblemLists,
    descent: DescentLists,
    scales: AsScales = None,
    keeping: Keeping,
) -> None:
    """Find the expected training loss at the sample after the last step, exactly, with its parts.

    Unlike the excess risk it has the noise of the labels and of the quantisers in it.
    """
    points = points_of(problem, descent)
    check_unserved(points, "the training loss")
    read = scales_of(scales, [point[2] for point in points])
    risks = [il.linear.training_risk(*point, read) for point in points]
    shown = ("value", "noise", "floor", "approximation", "excess", "how")
    found = Answers(
        "Training loss",
        points,
        [
            {**asdict(risk), "gamma": _step_size(point, read)}
            for point, risk in zip(points, risks, strict=True)
        ],
        [str(risk) for risk in risks],
        {name: name for name in shown},
    )
    answer("training", found, keeping)


def _step_size(point: Point, scales: Scales) -> float:
    """gamma as a number."""
    sgd = point[1]
    if sgd.share is None:
        return float(sgd.step_size)
    return sgd.share * il.linear.stability_limit(*point, scales)


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "theory training": (
        Example(
            "isoloss theory training --steps 1e3,1e5 --step-size 0.1 --precision 'fp,d:add(0.01)'",
            "what a training log would show",
        ),
    ),
}
