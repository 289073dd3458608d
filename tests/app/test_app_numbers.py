"""The numbers of the page are those of the lines that it shows, in the shell and in a notebook."""

import json
import shlex
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest
from typer.testing import CliRunner

import isoloss as il
from isoloss.app.plan_tab import BOX
from isoloss.cli import app

Ask = Callable[..., dict[str, Any]]


def again(line: str) -> Any:
    done = CliRunner().invoke(app, [*shlex.split(line)[1:], "--json"], prog_name="isoloss")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def nan_for_none(value: float | None) -> float:
    return float("nan") if value is None else value


def in_notebook(lines: list[str], last: str = "_") -> Any:
    names: dict[str, Any] = {}
    *before, end = lines
    exec("\n".join(before), names)
    exec(end if "=" in end.split("(")[0] else f"_ = {end}", names)
    return names[last]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"served": "1e12", "hours": "700", "price": "", "memory": "", "laws": "epoch2024"},
        {"extrapolate": "1", "precision": "bf16", "hardware": "linear-bits", "devices": "",
         "price": ""},
    ],
)  # fmt: skip
def test_the_lines_of_a_plan_give_its_numbers(given: dict[str, str], ask: Ask) -> None:
    told = ask("plan", **given)
    assert "error" not in told, told
    shell, plan = again(told["shell"][-1]), in_notebook(told["notebook"], "plan")
    assert [each["binding"] for each in told["choices"]] == [c["binding"] for c in shell["choices"]]
    for name in ("params", "tokens", "loss", "money", "wall_hours"):
        shown = [nan_for_none(each[name]) for each in told["choices"]]
        other = [nan_for_none(each[name]) for each in shell["choices"]]
        assert shown == pytest.approx(other, nan_ok=True)
    assert [c.precision for c in plan.choices] == [c["precision"] for c in told["choices"]]
    said = [each.replace(il.plans.OVERRIDE, BOX) for each in plan.recommendation]
    assert told["recommendation"] == said


def test_a_withheld_plan_names_the_box_of_the_page(ask: Ask) -> None:
    (said,) = ask("plan", laws="kumar2024", train="1e26")["recommendation"]
    assert said.startswith("recommendation withheld: ")
    assert said.endswith("; 'recommend outside the runs' overrides")
    assert "--" not in said
    page = (files("isoloss.app") / "page.html.jinja").read_text("utf-8")
    _, label, _ = BOX.split("'")
    assert f">{label}</label>" in page


def test_the_map_is_that_of_the_plan(ask: Ask) -> None:
    told, plan = ask("map"), in_notebook(ask("plan")["notebook"], "plan")
    assert told["loss"][3][40] == pytest.approx(plan.charts.surface.loss[3, 40])
    assert told["first"]["loss"] == plan.choices[0].loss
    assert told["is_recommended"] == (plan.best is not None)
    assert ask("frontier")["cost"] == pytest.approx(list(plan.charts.frontier.cost))


def test_where_one_is_and_what_each_law_says(ask: Ask) -> None:
    given = {"params": "3e8", "tokens": "1e10", "rounded": "w4 a4 kv4", "bits": "4"}
    here, laws = ask("here", **given), ask("disagreement", **given)
    point = again(here["shell"][0])["points"][0]
    assert here["laws"][0]["loss"] == pytest.approx(point["loss"])
    asked = again(laws["shell"][0])
    answers = asked["answers"]
    assert [each["gap"] for each in laws["answers"]] == [each["gaps"][0] for each in answers]
    assert laws["silent"] == asked["silent"]
    assert laws["bits"] == 4


def test_what_is_to_be_known_of_where_one_is_goes_with_it(ask: Ask) -> None:
    far = {"params": "1e12", "tokens": "1e14", "rounded": "w3 a3", "laws": "epoch2024,kumar2024"}
    here, laws = ask("here", **far), ask("disagreement", **far)
    blind, undefined = here["laws"]
    found = il.predict("epoch2024", 1e12, 1e14, "w3 a3")
    assert blind["warnings"] == [str(each) for each in found.warnings] != []
    assert (blind["loss"], blind["low"], blind["level"]) == (
        pytest.approx(found.loss[0]),
        None,
        0.9,
    )
    assert undefined["loss"] is None
    assert "3.11 bits" in undefined["warnings"][0]
    assert laws["warnings"] == [str(w) for w in il.plans.gaps_by_law("1e12", "1e14", 4).warnings]


def test_what_no_law_sees_whole_is_a_bound(ask: Ask) -> None:
    told = ask("plan", laws="kumar2024", precision="bf16,w4 a4 kv4 g4")
    choices, plan = told["choices"], in_notebook(told["notebook"], "plan")
    found = {each["precision"]: each for each in choices}
    for each in plan.choices:
        bound = each.more_at_least if each.standing == "at least" else each.more
        assert nan_for_none(found[each.precision]["more"]) == pytest.approx(bound, nan_ok=True)
        assert found[each.precision]["standing"] == each.standing
    assert {each["standing"] for each in choices} != {"seen"}


def test_the_lines_of_the_laboratory_give_its_risks(ask: Ask) -> None:
    told = ask("regression", dim="500", samples="20000", batch="4", precision="w:add(1e-4)")
    rows = again(told["shell"][0])["runs"]
    for curve in told["curves"]:
        same = [
            row
            for row in rows
            if il.Precision(row["precision"]) == il.Precision(curve["precision"])
        ]
        assert curve["risk"] == pytest.approx([row["loss"] for row in same])
        assert curve["samples"] == pytest.approx([row["tokens"] for row in same])
    found = in_notebook(told["notebook"])
    shown = [risk for curve in told["curves"] for risk in curve["risk"]]
    assert sorted(found["loss"]) == pytest.approx(sorted(shown))


def test_the_lines_of_formats_give_their_errors_and_prices(ask: Ask) -> None:
    told = ask("formats", formats="int4 e2m1", distribution="laplace")
    rows = again(told["shell"][0])["formats"]
    assert [each["error"] for each in told["formats"]] == [row["error"] for row in rows]
    points = again(told["shell"][1])["points"]
    for name, key in (("gap", "loss"), ("low", "low"), ("high", "high")):
        assert [each[name] for each in told["formats"]] == pytest.approx([p[key] for p in points])
    assert told["formats"][1]["numbers"] == list(il.Format.parse("e2m1").grid)
