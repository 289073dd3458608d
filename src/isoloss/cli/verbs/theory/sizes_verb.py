"""``isoloss theory sizes``: the model size and the samples that a precision is worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import isoloss as il
from isoloss.cli.arguments import (
    MODEL,
    AsInputs,
    AsIterate,
    AsModel,
    AsScales,
    DescentLists,
    Keeping,
    ModelName,
    ProblemLists,
    listed,
    many,
    points_of,
    scales_of,
    switch,
    whole_numbers,
)
from isoloss.cli.manual import Example
from isoloss.cli.output import Answers, answer, waiting
from isoloss.cli.refusing import Refused

if TYPE_CHECKING:
    from isoloss.formats import Precision
    from isoloss.linear import SGD, Regression

    Point = tuple[Regression, SGD, Precision]

EFFECTIVE = {
    "nominal_size": "M",
    "effective_size": "effective M",
    "nominal_samples": "N",
    "effective_samples": "effective N",
    "additive_error": "additive error",
    "risk": "risk",
}
EQUAL = {
    "nominal_size": "M",
    "equal_size": "M of equal risk",
    "nominal_samples": "N",
    "equal_samples": "N of equal risk",
    "risk": "risk",
    "full": "at full precision",
}


def sizes(
    *,
    problem: ProblemLists,
    descent: DescentLists,
    size: Annotated[
        list[str] | None,
        many("--size", "M,M...", MODEL, "Coordinates, or rows, of the model.", "all"),
    ] = None,
    model: AsModel = ModelName.first,
    equal_risk: Annotated[
        bool,
        switch(
            "--equal-risk", MODEL, "Instead the full-precision sizes that have the same whole risk."
        ),
    ] = False,
    iterate: AsIterate = "average",
    inputs: AsInputs = "clean",
    scales: AsScales = None,
    keeping: Keeping,
) -> None:
    """Find what a precision is worth: effective model size and effective samples of full precision,
    and the additive error that is left.

    The additive error is signed; samples are none, with the reason, where no number up to N does.
    """
    if not descent.precision:
        raise Refused("say which precision: --precision 'd:add(0.01),a:vec(0.1)'")
    if size and problem.sketch:
        raise Refused("--size and --sketch both say how many rows the model has; give one")
    points = points_of(problem, descent, sketched=model == ModelName.sketch)
    wanted: Sequence[int | None] = whole_numbers("--size", listed(size, "--size")) or [None]
    view = {
        "model": model.value,
        "iterate": iterate,
        "inputs": inputs,
        "scales": scales_of(scales, [point[2] for point in points]),
    }
    ask = _equal if equal_risk else _effective
    with waiting("effective sizes"):
        found = [(point, *ask(point, each, view)) for point in points for each in wanted]
    title = "Sizes of equal risk" if equal_risk else "Effective sizes"
    rows, texts = [row for _, row, _ in found], [text for _, _, text in found]
    shown = EQUAL if equal_risk else EFFECTIVE
    why = tuple(dict.fromkeys(_reasons(rows)))
    hidden = ("params", "samples")
    told = Answers(title, [each[0] for each in found], rows, texts, shown, why, hidden)
    answer("sizes", told, keeping)


def _effective(point: Point, size: int | None, view: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The joint sizes as columns, and as they print themselves."""
    found = il.linear.effective_sizes(*point, size=size, **view)
    names = {
        "model_size": "effective_size",
        "samples": "effective_samples",
        "step_size": "gamma",
    }
    row = {names.get(k, k): v for k, v in asdict(found).items() if k != "precision"}
    return row, str(found)


def _equal(point: Point, size: int | None, view: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The sizes of equal risk as columns, and as they print themselves."""
    problem, sgd, precision = point
    model = size or problem.sketch or problem.dim
    one = il.linear.equal_risk_size(problem, model, sgd, precision, **view)
    samples = il.linear.equal_risk_samples(problem, sgd, precision, size=model, **view)
    row = {
        "nominal_size": model,
        "equal_size": one.value,
        "closed_size": one.closed,
        "nominal_samples": samples.nominal,
        "equal_samples": samples.value,
        "closed_samples": samples.closed,
        "risk": one.risk,
        "full": one.full,
        "gamma": one.step_size,
        "inputs": view["inputs"],
        "reason": "; ".join(each.reason for each in (one, samples) if each.reason),
    }
    return row, f"{one}\n{samples}"


def _reasons(rows: list[dict[str, Any]]) -> Iterator[str]:
    yield from (f"'-': {row['reason']}" for row in rows if row["reason"])


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "theory sizes": (
        Example(
            "isoloss theory sizes --dim 200 --steps 1e4 --step-size 0.05 --precision 'd:add(0.01)'",
            "one precision, in words",
        ),
        Example(
            "isoloss theory sizes --dim 200 --size 50,100 --steps 1e4 --step-size 0.05 --precision "
            "'a:vec(0.1),d:add(0.001)' -o sizes.csv",
            "a table of four",
        ),
    ),
}
