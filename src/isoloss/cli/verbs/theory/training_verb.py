"""``isoloss theory training``: the training loss that SGD sees, and its parts."""

from __future__ import annotations

from dataclasses import asdict

import isoloss as il
from isoloss.cli.arguments import (
    TABLES,
    AsJson,
    AsScales,
    DescentLists,
    Force,
    KeptTable,
    ProblemLists,
    check_target,
    descent_of,
    regression_of,
    scales_of,
)
from isoloss.cli.manual import Example
from isoloss.cli.output import Answers, answer


def training(
    *,
    problem: ProblemLists,
    descent: DescentLists,
    scales: AsScales = None,
    output: KeptTable = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Find the expected training loss at the sample after the last step, exactly, with its parts.

    Unlike the excess risk it has the noise of the labels and of the quantisers in it.
    """
    check_target(output, TABLES, force)
    posed, lists = regression_of(problem)
    grid, read = il.Grid(**lists | descent_of(descent)), scales_of(scales)
    points = il.linear.grid_points(posed, grid)
    risks = [il.linear.training_risk(*point, read) for point in points]
    shown = ("value", "noise", "floor", "approximation", "excess", "how")
    found = Answers(
        "Training loss",
        points,
        [asdict(risk) for risk in risks],
        [str(risk) for risk in risks],
        {name: name for name in shown},
    )
    answer("training", found, output, force, as_json)


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "theory training": (
        Example(
            "isoloss theory training --steps 1e3,1e5 --step-size 0.1 --precision 'fp,d:add(0.01)'",
            "what a training log would show",
        ),
    ),
}
