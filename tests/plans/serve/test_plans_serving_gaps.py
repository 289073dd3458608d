"""Serving ranked by a law of gaps that was fitted to measured ones; nothing else is planned with
it.
"""

import math

import numpy as np
import polars as pl
import pytest

from isoloss.fits import Fit, fit, predict
from isoloss.plans import PlanError, plan, rank_serving
from isoloss.runs import Runs

BUDGET = {"params": 1e10, "tokens": 1e12}


@pytest.fixture(scope="module")
def measured() -> Fit:
    draw, rows = np.random.default_rng(2), []
    for n in (3e9, 7e9, 13e9, 3e10, 7e10):
        off = math.exp(0.2 * draw.normal())  # a model's own, as published ones have it
        rows.append((n, 1e12, "bf16", 2.0))
        for served, gap in (("uint4/row", 0.1), ("uint4/128", 0.06), ("uint3/128", 0.3)):
            own = off * gap * math.exp(0.05 * draw.normal())
            rows.append((n, 1e12, f"bf16 -> w:{served}", 2.0 + own))
            rows.append((n, 1e12, f"bf16 -> w:{served}@gptq", 2.0 + own / 2))
    frame = pl.DataFrame(rows, schema=("params", "tokens", "precision", "loss"), orient="row")
    runs = Runs.from_frame(frame.with_columns(source=pl.lit("made")))
    return fit("error", runs, target="gap", fixed={"d_w": 0.24}, draws=200)


def test_gaps_are_those_that_the_law_predicts_with_the_scatter_of_models(measured: Fit) -> None:
    ways = ["w:uint4/128@gptq", "w:uint4/row", "w:nf4/64", "w:uint4/64@awq"]
    found = rank_serving(measured, BUDGET, "h100", ways, trained="bf16", extrapolate=True)
    by = {c.precision: c for c in found.choices}
    said = predict(measured, 1e10, 1e12, [f"bf16 -> {way}" for way in ways[:3]], gap=True)
    for loss, low, high, spelled in zip(
        said.loss, said.low, said.high, said.precision, strict=True
    ):
        choice = by[spelled]
        assert choice.gap == pytest.approx(loss, rel=0.1)
        # A model lies off the law, which an interval of its mean would not hold.
        ratio = math.log(choice.gap_interval[1] / choice.gap_interval[0]) / math.log(high / low)
        assert 0.5 < ratio < 1.5
        assert math.isnan(choice.critical[0])
    assert math.isnan(by["bf16 -> w:uint4/64@awq"].gap)


def test_ways_that_no_run_had_are_named(measured: Fit) -> None:
    ways = ["w:uint4/row", "w:nf4/64", "bf16"]
    found = rank_serving(measured, BUDGET, "h100", ways, trained="bf16")
    (said,) = [str(w) for w in found.warnings if w.kind == "extrapolation"]
    assert "has bf16 -> w:nf4: known by the law's form alone" in said


def test_what_rounds_nothing_needs_no_run(measured: Fit) -> None:
    found = rank_serving(measured, BUDGET, "h100", ["bf16", "w:uint4/row"], trained="bf16")
    assert found.withheld is None
    assert found.choices[0].gap == 0.0


def test_a_shipped_law_of_gaps_ranks_formats_that_nobody_has_run() -> None:
    ways = ["w:nf4/64", "w4/128", "w3/128", "a8"]
    found = rank_serving("error2026", BUDGET, "h100", ways)
    by = {c.precision: c for c in found.choices}
    said = predict("error2026", 1e10, 1e12, ["fp -> w:nf4/64", "fp -> w4/128"], gap=True)
    for low, high, name in zip(said.low, said.high, said.precision, strict=True):
        one = by[name]
        assert low < one.gap < high
        ratio = math.log(one.gap_interval[1] / one.gap_interval[0]) / math.log(high / low)
        assert 0.4 < ratio < 1.5
    # It says how far it lies off such formats, so that none is withheld for being new.
    assert found.best is by["fp -> w:nf4"]
    assert by["fp -> a8"].gap != by["fp -> a8"].gap
    assert "no run of error2026 has fp -> w:nf4" in str(found)


def test_laws_of_gaps_have_no_critical_tokens_and_say_why() -> None:
    found = rank_serving(["kumar2024", "error2026"], BUDGET, "h100", ["w4", "w:nf4/64"])
    by = {c.precision: c for c in found.choices}
    assert by["fp -> w4"].critical[0] > 0
    assert by["fp -> w4"].has_base
    assert not by["fp -> w:nf4"].has_base
    (row,) = [line for line in str(found).splitlines() if line.strip().startswith("fp -> w:nf4")]
    assert "not held" not in row
    assert "laws of gaps alone, which have no loss that more tokens lower" in str(found)


@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("error2026", "ranks formats to serve in"),
        ("error_trained2026", "tells what training in few bits costs"),
    ],
)
def test_a_shipped_law_of_gaps_plans_nothing_else(name: str, use: str) -> None:
    with pytest.raises(PlanError, match=f"law '{name}' gives gaps and not losses: it {use}"):
        plan(name, {"train": "1e21flop"}, "h100")
    assert name not in rank_serving("published", BUDGET, "h100", ["w4"]).outside


def test_nothing_else_is_planned_with_a_law_of_gaps(measured: Fit) -> None:
    with pytest.raises(PlanError, match="gives gaps and not losses"):
        plan(measured, {"train": "1e21flop"}, "h100")
