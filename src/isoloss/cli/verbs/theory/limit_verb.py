"""``isoloss theory limit``: the largest stable step size."""

from __future__ import annotations

import isoloss as il
from isoloss.cli.arguments import (
    AsScales,
    DescentLists,
    Keeping,
    ProblemLists,
    check_unserved,
    flag,
    given,
    regression_of,
    scales_of,
)
from isoloss.cli.manual import Example
from isoloss.cli.output import Answers, answer
from isoloss.cli.refusing import Refused

#: Settings of a descent that the limit does not depend on.
IDLE = ("samples", "steps", "step_size", "schedule")


def limit(
    *,
    problem: ProblemLists,
    descent: DescentLists,
    scales: AsScales = None,
    keeping: Keeping,
) -> None:
    """Find the largest step size at which the second moments of SGD stay bounded.

    Batch, momentum and precision count; samples, steps, step size and schedule do not.
    """
    if idle := [name for name in given(descent) if name in IDLE]:
        raise Refused(f"{flag(idle[0])} does not change the largest stable step size; leave it out")
    posed, lists = regression_of(problem)
    grid = il.Grid(**(lists | given(descent)) or {"precision": ["fp"]})
    points = il.linear.grid_points(posed, grid)
    check_unserved(points, "the largest stable step size")
    read = scales_of(scales, [point[2] for point in points])
    limits = [il.linear.stability_limit(*point, read) for point in points]
    found = Answers(
        "The largest stable step sizes",
        points,
        [{"limit": each} for each in limits],
        [f"the largest stable step size is {each:.6g}" for each in limits],
        {"limit": "limit"},
        hidden=IDLE,
    )
    answer("limit", found, keeping)


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "theory limit": (
        Example(
            "isoloss theory limit --dim 1000 --batch 1,16 --precision 'fp,a:vec(0.1),w:add(0.1)'",
            "two batches at three precisions",
        ),
    ),
}
