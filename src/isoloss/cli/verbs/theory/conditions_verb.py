"""``isoloss theory conditions``: when rounding keeps the rate of full precision."""

from __future__ import annotations

import isoloss as il
from isoloss.cli.arguments import AsIterate, DescentLists, Keeping, ProblemLists, points_of
from isoloss.cli.manual import Example
from isoloss.cli.output import Answers, answer
from isoloss.cli.refusing import Refused


def conditions(
    *,
    problem: ProblemLists,
    descent: DescentLists,
    iterate: AsIterate = "average",
    keeping: Keeping,
) -> None:
    """Check the conditions under which the noise of a precision leaves the full-precision rate as
    it is.

    Each is left <= right up to a constant that nobody has stated, here one; ideal noise only.
    """
    if not descent.precision:
        raise Refused("say which noise: --precision 'd:add(0.001) a:vec(0.1)'")
    points = points_of(problem, descent)
    found = [il.linear.rate_conditions(*point, iterate=iterate) for point in points]
    each = [(point, one) for point, some in zip(points, found, strict=True) for one in some]
    if not each:
        raise Refused("full precision has no conditions to meet; give a --precision with noise")
    rows = [
        {
            "part": one.part,
            "condition": one.what,
            "left": one.left,
            "right": one.right,
            "holds": one.holds,
            "origin": one.source,
        }
        for _, one in each
    ]
    told = Answers(
        "Conditions under which the rate stays that of full precision",
        [point for point, _ in each],
        rows,
        [str(some) for some in found],
        {name: name for name in ("part", "condition", "left", "right", "holds")},
    )
    answer("conditions", told, keeping)


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "theory conditions": (
        Example(
            "isoloss theory conditions --dim 200 --steps 1e4 --step-size 0.05 --precision "
            "'d:add(0.001) a:vec(0.1)'",
            "two noises at one setting",
        ),
    ),
}
