"""``isoloss theory sketches``: the exact risk over several random sketches, with its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

import isoloss as il
from isoloss.cli.arguments import (
    AsInputs,
    AsIterate,
    AsScales,
    DescentLists,
    Keeping,
    Level,
    ProblemLists,
    points_of,
    scales_of,
)
from isoloss.cli.manual import Example
from isoloss.cli.output import Answers, answer, waiting
from isoloss.cli.refusing import Refused

if TYPE_CHECKING:
    from isoloss.formats import Precision
    from isoloss.linear import SGD, Regression, SketchRisk


def sketches(
    *,
    problem: ProblemLists,
    descent: DescentLists,
    count: Annotated[
        int, typer.Option("--sketches", min=2, help="Sketches, of consecutive seeds.")
    ] = 8,
    level: Level = 0.9,
    iterate: AsIterate = "average",
    inputs: AsInputs = "clean",
    scales: AsScales = None,
    keeping: Keeping,
) -> None:
    """Find the exact risk of several random sketches: its mean, standard error and interval over
    them.

    The table that is kept is a table of runs, its loss the mean.
    """
    if not problem.sketch:
        raise Refused("say how many rows a sketch has: --sketch 20")
    points = points_of(problem, descent)
    read = scales_of(scales, [point[2] for point in points])
    with waiting("sketches"):
        how: Any = {"iterate": iterate, "inputs": inputs, "sketches": count, "scales": read}
        found = [il.linear.sketch_risk(*point, **how) for point in points]
    shown = {"loss": "risk", "loss_se": "+-", "low": "low", "high": "high", "how": "how"}
    exact = {point[:2]: each for point, each in zip(points, found, strict=True) if _is_fp(point)}
    rows = [
        {"tokens": point[1].steps * point[1].batch, **_row(each, exact.get(point[:2]), level)}
        for point, each in zip(points, found, strict=True)
    ]
    if exact and not all(map(_is_fp, points)):
        shown |= {"gap": "over fp", "gap_se": "+- paired"}
    words, wide = il.linear.INPUT_WORDS[inputs], il.files.percent(level)
    title = f"Risk over {count} sketches, interval of {wide}, {words}"
    texts = [str(each) for each in found]
    answer("sketches", Answers(title, points, rows, texts, shown), keeping)


def _is_fp(point: tuple[Regression, SGD, Precision]) -> bool:
    return str(point[2]) == "fp"


def _row(found: SketchRisk, exact: SketchRisk | None, level: float) -> dict[str, Any]:
    """The mean over sketches as columns of a run, and what it is over full precision, by pairs."""
    low, high = found.interval(level)
    gap = None if exact is None else found.minus(exact)
    risk, parts = found.risk, found.risk.parts
    return {
        "loss": risk.value,
        "metric": "excess_risk",
        "loss_se": risk.standard_error,
        "low": low,
        "high": high,
        "level": level,
        "sketches": len(found.seeds),
        "inputs": risk.inputs,
        "how": risk.how,
        "gamma": risk.step_size,
        "bias": parts.bias,
        "variance": parts.variance,
        "approximation": parts.approximation,
        "floor": parts.floor,
        "gap": gap and gap.value,
        "gap_se": gap and gap.standard_error,
    }


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "theory sketches": (
        Example(
            "isoloss theory sketches --dim 200 --sketch 20 --steps 1e3 --step-size 0.1 --precision "
            "'fp,d:add(0.01)'",
            "two precisions over the same sketches",
        ),
    ),
}
