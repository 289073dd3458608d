"""``isoloss theory limit``: the largest stable step size."""

from __future__ import annotations

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
    given,
    regression_of,
    scales_of,
)
from isoloss.cli.manual import Example
from isoloss.cli.output import Answers, answer


def limit(
    *,
    problem: ProblemLists,
    descent: DescentLists,
    scales: AsScales = None,
    output: KeptTable = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Find the largest step size at which the second moments of SGD stay bounded.

    Batch, momentum and precision count, steps and schedule do not.
    """
    check_target(output, TABLES, force)
    posed, lists = regression_of(problem)
    grid = il.Grid(**(lists | given(descent)) or {"precision": ["fp"]})
    points = il.linear.grid_points(posed, grid)
    read = scales_of(scales)
    limits = [il.linear.stability_limit(*point, read) for point in points]
    found = Answers(
        "The largest stable step sizes",
        points,
        [{"limit": each} for each in limits],
        [f"the largest stable step size is {each:.6g}" for each in limits],
        {"limit": "limit"},
        hidden=("samples", "steps", "step_size", "schedule"),
    )
    answer("limit", found, output, force, as_json)


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "theory limit": (
        Example(
            "isoloss theory limit --dim 1000 --batch 1,16 --precision 'fp,a:vec(0.1),w:add(0.1)'",
            "two batches at three precisions",
        ),
    ),
}
