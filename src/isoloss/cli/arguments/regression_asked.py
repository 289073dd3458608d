"""Regression as the command line gives it: from options to a problem, a grid, its points and the
scales of real grids.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import isoloss as il
from isoloss.cli.arguments.options import listed
from isoloss.cli.arguments.regression_files import eigenvalues, regression_of_data
from isoloss.cli.arguments.regression_options import (
    DIM,
    ON_OFF,
    DescentLists,
    ProblemLists,
    ReadingLists,
    SamplingLists,
)
from isoloss.cli.refusing import Refused

if TYPE_CHECKING:
    from isoloss.formats import Precision
    from isoloss.linear import SGD, Regression, Scales

    Point = tuple[Regression, SGD, Precision]


def points_of(
    problem: ProblemLists, descent: DescentLists, *, sketched: bool = False
) -> list[Point]:
    """Every combination of the lists as a point. Raises Refused as `regression_of` and
    `descent_of` do.
    """
    posed, lists = regression_of(problem, sketched=sketched)
    return il.linear.grid_points(posed, il.Grid(**lists | descent_of(descent)))


def check_unserved(points: Iterable[Point], what: str) -> None:
    """Raise Refused for a precision that rounds the result, which does not change `what`."""
    for _, _, precision in points:
        if precision.serve:
            raise Refused(
                f"'{precision}' rounds the result, which does not change {what}; leave out what "
                "stands behind the arrow"
            )


def regression_of(
    problem: ProblemLists, *, sketched: bool = False
) -> tuple[Regression, dict[str, list[Any]]]:
    """The problem that the lists start from, and the lists of a Grid.

    `sketched`: the models are sketches without --sketch. Raises Refused for two ways to a spectrum,
    a --dim that is not that of the file, or settings of a sketch that there is not.
    """
    lists = given(problem)
    for name in ("site", "sketch_seed"):
        if name in lists and not (sketched or problem.sketch):
            raise Refused(f"{flag(name)} is of a sketch; give --sketch M, its number of rows")
    if "sketch_seed" in lists:
        lists["seed"] = lists.pop("sketch_seed")
    if problem.labels is not None and problem.features is None:
        raise Refused("--labels is a column of --features; give the file too")
    ways = {"--spectrum": problem.spectrum, "--features": problem.features}
    used = [flag for flag, text in ways.items() if text is not None]
    if "decay" in lists:
        used.append("--decay")
    if len(used) > 1:
        raise Refused(f"{used[0]} and {used[1]} both give the eigenvalues; give one")
    if problem.features is not None:
        return _sized(regression_of_data(Path(problem.features), problem.labels), problem, lists)
    if problem.spectrum is None:
        return il.Regression(DIM), lists
    if problem.spectrum.split()[:1] == ["exp"]:
        return _exponential(problem.spectrum, lists.pop("dim", [str(DIM)])), lists
    values = eigenvalues(Path(problem.spectrum))
    return _sized(il.Regression(len(values), spectrum=values), problem, lists)


def _exponential(text: str, dims: list[str]) -> Regression:
    if len(dims) > 1:
        raise Refused(f"--spectrum '{text}' goes with one --dim, not {len(dims)}")
    rate = text.removeprefix("exp").strip()
    if not rate:
        raise Refused(f"--spectrum '{text}' has no rate; write 'exp R', as 'exp 0.3'")
    return il.Regression.exponential(_whole("--dim", dims[0]), il.runs.number(rate))


def _sized(
    posed: Regression, problem: ProblemLists, lists: dict[str, list[Any]]
) -> tuple[Regression, dict[str, list[Any]]]:
    """The problem of a file and the lists, without a --dim that says what the file says."""
    dims = lists.pop("dim", [])
    if dims and [il.runs.number(each) for each in dims] != [posed.dim]:
        raise Refused(
            f"--dim {','.join(dims)} is not the {posed.dim} of "
            f"'{problem.spectrum or problem.features}'; leave --dim out"
        )
    return posed, lists


def descent_of(descent: DescentLists) -> dict[str, list[Any]]:
    """The lists of the descent. Raises Refused where neither samples nor steps are given."""
    if not (descent.samples or descent.steps):
        raise Refused("say how long it descends: --samples 1e3,1e6 or --steps 1000")
    return given(descent)


def given(
    lists: ProblemLists | DescentLists | ReadingLists | SamplingLists,
) -> dict[str, list[Any]]:
    """The lists that were given, by name, as a Grid takes them."""
    found: dict[str, list[Any]] = {}
    for each in fields(lists):
        texts = getattr(lists, each.name)
        if isinstance(texts, list) and texts:
            found[each.name] = listed(texts, flag(each.name))
    if "error_feedback" in found:
        found["error_feedback"] = [_switch(text) for text in found["error_feedback"]]
    return found


def _switch(text: str) -> bool:
    if text not in ON_OFF:
        raise Refused(f"--error-feedback is {text!r}; accepted are {', '.join(ON_OFF)}")
    return ON_OFF[text]


def scales_of(
    texts: list[str] | None, precisions: Iterable[Precision | str] | None = None
) -> Scales:
    """The scales that PART=S words say.

    Raises Refused for an unknown part or one without number, ValueError for a part that none of the
    precisions rounds to a real grid.
    """
    parts = [each.name for each in fields(il.linear.Scales)]
    found: dict[str, float] = {}
    for text in listed(texts, "--scales"):
        part, sign, value = (word.strip() for word in text.partition("="))
        if not sign or part not in parts:
            raise Refused(
                f"cannot read --scales {text!r}; write it like w=0.1, with a part of "
                f"{', '.join(parts)}"
            )
        if part in found:
            raise Refused(f"--scales gives {part} twice, {found[part]:g} and {value}")
        found[part] = il.runs.number(value)
    scales = il.linear.Scales(**found)
    if precisions is not None:
        scales.check_used(il.Precision.parse(each) for each in precisions)
    return scales


def whole_numbers(what: str, texts: list[str], span: range | None = None) -> list[int]:
    """The whole numbers of an option. Raises Refused for other numbers, and outside the span."""
    return [_whole(what, text, span) for text in texts]


def _whole(what: str, text: str, span: range | None = None) -> int:
    value = il.runs.number(text)
    if not value.is_integer() or (span and value not in span):
        bound = f" from {span[0]} to {span[-1]}" if span else ""
        raise Refused(f"{what} is {text!r}; accepted is a whole number{bound}")
    return int(value)


def flag(name: str) -> str:
    """The option of a setting."""
    return f"--{name.replace('_', '-')}"


def only(lists: Mapping[str, list[Any]]) -> dict[str, Any]:
    """The lists as single values. Raises Refused for a list of several."""
    for name, values in lists.items():
        if len(values) > 1:
            raise Refused(f"{flag(name)} takes one value here, not {len(values)}")
    return {name: values[0] for name, values in lists.items()}
