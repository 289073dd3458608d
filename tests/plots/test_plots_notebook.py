"""Every public value shows itself: within a screen on a prompt, in a notebook with its picture."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isoloss as il
from isoloss.files import brief, screen

ROOMS = sorted(path.parent.name for path in Path(il.__file__).parent.glob("*/__init__.py"))
GOLDEN = Path(__file__).parents[1] / "golden"


def classes_in(hint: object) -> Iterator[type]:
    if isinstance(hint, type):
        yield hint
    for each in typing.get_args(hint):
        yield from classes_in(each)


def results() -> list[type]:
    """Classes that print themselves, of what public functions return."""
    found: dict[type, None] = {}
    for room in set(ROOMS) - {"app", "cli"}:
        module = importlib.import_module(f"isoloss.{room}")
        for function in filter(inspect.isfunction, (getattr(module, n) for n in module.__all__)):
            for each in classes_in(typing.get_type_hints(function).get("return")):
                if each.__module__.startswith("isoloss."):
                    found[each] = None
    told = [c for c in found if hasattr(c, "sections") or "__str__" in vars(c)]
    return sorted(told, key=lambda c: c.__name__)


@pytest.mark.parametrize("cls", results(), ids=lambda c: c.__name__)
def test_what_a_verb_returns_shows_itself_in_a_notebook(cls: type) -> None:
    assert callable(getattr(cls, "_repr_html_", None))


@pytest.fixture(scope="module")
def values() -> list[Any]:
    """One of most kinds of results, small."""
    names = ("fit", "comparison", "plan", "law")
    fit, comparison, plan, law = (il.load(GOLDEN / f"{name}.json") for name in names)
    problem, descent = il.Regression(dim=2000, decay=2.0, noise_var=0.1), il.SGD(500, 1, 0.05)
    runs = il.read("isoloss2026")
    grid = il.Grid(samples=[1e3, 1e4], precision=["fp", "d:add(1e-3)"])
    return [
        fit, comparison, plan, law, runs, il.Budget("1e21 flop"), il.Format.parse("e2m1"),
        il.Precision("w4 a8"), problem, descent, il.laws.preset("error2026"),
        fit.predict(1e8, 1e10, "w4"), il.simulate(problem, grid), il.plans.as_machine("h100"),
        il.linear.excess_risk(problem, descent, "d:add(1e-3)"),
        il.linear.risk_by_direction(problem, descent, "d:add(1e-3)"),
        il.plans.gaps_by_law("7B", "2T", 4), il.plans.plans_by_law("1e21 flop", "h100"),
        il.forecast(fit, [1e8], [1e10], ["w4"]), *il.papers.claims("kumar2024")[:2],
        il.linear.study("samples", samples=[1e2, 1e3]),
        il.plans.rank_serving("error2026", il.Budget(params="8B", tokens="15T"), "h100", ["e4m3"]),
        il.formats.error_structure(np.linspace(-3, 3, 4000), "int4"),
        il.linear.effective_sizes(problem, descent, "w:add(1e-3)"),
    ]  # fmt: skip


def reached(value: Any, depth: int = 3) -> Iterator[Any]:
    """A value and the values of isoloss in its fields."""
    if type(value).__module__.startswith("isoloss."):
        yield value
    if depth and dataclasses.is_dataclass(value):
        for each in dataclasses.fields(value):
            inside = getattr(value, each.name)
            some = inside if isinstance(inside, tuple) else (inside,)
            for one in some[:3]:
                yield from reached(one, depth - 1)


def test_every_value_prints_within_a_screen(values: list[Any]) -> None:
    public = {getattr(il, name) for name in il.__all__ if isinstance(getattr(il, name), type)}
    long = {
        type(each).__name__: repr(each)
        for value in values
        for each in (reached(value) if type(value) in {*results(), *public} else [value])
        if repr(each).count("\n") >= 30 or len(repr(each)) > 30 * 200
    }
    assert long == {}


def test_a_notebook_shows_every_value_and_pictures_of_those_that_have_one(
    values: list[Any],
) -> None:
    for value in values:
        html = value._repr_html_()
        assert "<" in html
        assert not re.search(r"<script|src=|@import", html)
    drawn = {type(v).__name__ for v in values if "<svg" in v._repr_html_()}
    assert {"Plan", "Fit", "Comparison", "Law", "Format", "Study"} <= drawn


def test_nothing_of_a_report_is_left_out_in_a_notebook(values: list[Any]) -> None:
    plan = values[2]
    text = il.plots.in_notebook(plan)
    for section in plan.sections():
        assert section.title in text
        assert all(row[0] in text for row in section.rows)


def test_a_long_text_says_how_much_more_there_is() -> None:
    assert screen("a\nb") == "a\nb"
    found = screen("\n".join(map(str, range(100)))).split("\n")
    assert len(found) == 30
    assert found[-1] == "... 71 more lines: print() shows all"


def test_fields_that_are_long_are_summed_up() -> None:
    @dataclasses.dataclass(frozen=True)
    class Value:
        name: str
        numbers: np.ndarray
        many: tuple[int, ...]

    found = brief(Value("x" * 200, np.zeros((3, 4)), tuple(range(100))))
    assert found == f"Value(name='{'x' * 56}..., numbers=<array 3x4>, many=<100 int>)"
