"""``isoloss theory bounds``: upper and lower bounds on the risk of averaged SGD, beside the exact
one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import isoloss as il
from isoloss.cli.arguments import (
    AsInputs,
    AsScales,
    DescentLists,
    Keeping,
    ProblemLists,
    descent_of,
    regression_of,
    scales_of,
)
from isoloss.cli.manual import Example
from isoloss.cli.output import Answers, answer

if TYPE_CHECKING:
    from isoloss.linear import Bound


def bounds(
    *,
    problem: ProblemLists,
    descent: DescentLists,
    inputs: AsInputs = "clean",
    scales: AsScales = None,
    keeping: Keeping,
) -> None:
    """Bound the excess risk of averaged SGD from above and below, and say how loose the bounds are.

    Constant steps; with momentum from below only. The table that is kept has the exact risk as its
    loss, so it is a table of runs like any other.
    """
    posed, lists = regression_of(problem)
    grid = il.Grid(**lists | descent_of(descent))
    points = il.linear.grid_points(posed, grid)
    read = scales_of(scales, [point[2] for point in points])
    found = [
        il.linear.risk_bound(*point, inputs, read)  # type: ignore[arg-type]
        for point in points
    ]
    runs = il.simulate(posed, grid, inputs=inputs, scales=read)
    # An unstable step has bounds, but no risk: it stays, with its reason.
    exact = runs["loss"].tolist()
    rows = [
        {"tokens": tokens, **_kept(bound, risk), "status": status, "reason": reason}
        for bound, tokens, risk, status, reason in zip(
            found, runs["tokens"].tolist(), exact, runs["status"], runs["reason"], strict=True
        )
    ]
    texts = [
        f"{bound}\n  {_beside(bound, risk, reason)}"
        for bound, risk, reason in zip(found, exact, runs["reason"], strict=True)
    ]
    shown = {
        "lower": "lower",
        "loss": "exact",
        "upper": "upper",
        "looseness": "upper / exact",
        "effective_dim": "effective dim",
    }
    why = tuple(dict.fromkeys(str(each) for each in runs.excluded["reason"]))
    title = f"Bounds on the excess risk of the average, {il.linear.INPUT_WORDS[inputs]}"
    answer("bounds", Answers(title, points, rows, texts, shown, why), keeping)


def _kept(bound: Bound, risk: float) -> dict[str, Any]:
    """The bound as columns, the exact risk as the loss."""
    return {
        "loss": risk,
        "metric": "excess_risk",
        "inputs": bound.inputs,
        "lower": bound.lower,
        "upper": bound.upper,
        "looseness": bound.upper / risk,
        "bound_bias": bound.bias,
        "bound_variance": bound.variance,
        "floor": bound.floor,
        "approximation": bound.approximation,
        "head": bound.head,
        "effective_dim": bound.effective_dim,
        "alpha": bound.noise.alpha,
        "noise_level": bound.noise.level,
        "gamma": bound.step_size,
        "gamma_limit": bound.limit,
    }


def _beside(bound: Bound, risk: float, reason: str | None) -> str:
    if reason is not None:
        return f"no exact risk: {reason}"
    above = "" if math.isinf(bound.upper) else f"upper / exact {bound.upper / risk:.4g}, "
    return f"exact risk {risk:.6g}: {above}lower / exact {bound.lower / risk:.4g}"


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "theory bounds": (
        Example(
            "isoloss theory bounds --dim 200 --steps 1e4 --step-size 0.05 --precision "
            "'d:add(0.001)'",
            "one setting, in words",
        ),
        Example(
            "isoloss theory bounds --dim 50,200 --steps 300,3000 --step-size 0.05 --precision "
            "'fp,d:add(0.001)' -o bounds.csv",
            "a table of eight",
        ),
    ),
}
