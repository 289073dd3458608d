"""Predictions of what a law cannot see: a bound or unknown, and averages of those that see it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from isoloss.fits import Comparison, Fit, compare, draw_runs, fit, predict
from isoloss.fits.compare_laws.averaging import _reasons
from isoloss.fits.seeing import View
from isoloss.laws import preset
from isoloss.runs import Runs

POINT = (1e8, 4e9)


def runs_of(precisions: list[str]) -> Runs:
    law = preset("kumar2024")
    rows = [(n, r * n, p) for n in (4e7, 9e7, 2e8) for r in (15, 40, 90) for p in precisions]
    frame = pl.DataFrame(rows, schema=["params", "tokens", "precision"], orient="row")
    frame = frame.with_columns(loss=pl.Series([law(*row) for row in rows]))
    return draw_runs(law, Runs.from_frame(frame), 0.003, seed=3)


@pytest.fixture(scope="module")
def fitted() -> Fit:
    law = preset("kumar2024").fix(*(k for k in preset("kumar2024").values if k not in ("E", "A")))
    return fit(law, runs_of(["fp", "w4"]), draws=30, starts=2)


@pytest.fixture(scope="module")
def compared() -> Comparison:
    held = preset("kumar2024")
    held = held.fix(*(k for k in held.values if k not in ("E", "A")))
    size = preset("hoffmann2022")
    size = size.fix(*(k for k in size.values if k not in ("E", "A")))
    found = compare([held, size], runs_of(["fp", "w4"]), draws=30, starts=2)
    return replace(found, entries=tuple(replace(e, weight=0.5) for e in found.entries))


def test_a_bare_law_gives_a_bound_or_nothing() -> None:
    asked = ["w4", "w4 q2", "w4 w.head:bf16", "w:e2m1"]
    found = predict("kumar2024", *POINT, asked)
    w4 = preset("kumar2024")(*POINT, "w4")
    assert found.standing == ("seen", "at least", "unknown", "unknown")
    assert found.loss == pytest.approx([w4, w4, np.nan, np.nan], nan_ok=True)
    lines = str(found).splitlines()[1:5]
    assert [("at least" in line, " unknown " in line) for line in lines] == [
        (False, False), (True, False), (False, True), (False, True)
    ]  # fmt: skip
    assert [line.endswith("point law") for line in lines] == [True, False, False, False]
    assert found.absent == ("point law", "unknown", "unknown", "unknown")
    said = " ".join(w.text for w in found.warnings)
    assert "'w4 w.head:bf16' is 'w4'" in said
    assert predict("kumar2024", *POINT, ["w4", "a8"]).standing == ()


@pytest.mark.parametrize("of", ["run", "mean"])
def test_a_fit_gives_no_interval_for_what_it_cannot_see(fitted: Fit, of) -> None:
    found = fitted.predict(*POINT, ["w4", "w4 q2", "w4@rtn"], of=of)
    assert found.standing == ("seen", "at least", "unknown")
    assert np.isnan(found.low).tolist() == np.isnan(found.high).tolist() == [False, True, True]
    alone = fitted.predict(*POINT, "w4", of=of)
    assert found.loss[:2].tolist() == [alone.loss[0]] * 2
    again = predict(fitted, *POINT, ["w4", "w4 q2", "w4@rtn"], of=of)
    assert again.loss.tobytes() == found.loss.tobytes()


def test_a_blend_of_kinds_in_the_runs_is_said() -> None:
    law = preset("kumar2024").fix(*(k for k in preset("kumar2024").values if k != "E"))
    found = fit(law, runs_of(["fp", "w4", "w:e2m1"]), draws=5, starts=1)
    one = "kumar2024 has one constant for 'w4' = 'w:e2m1': formats of several kinds are one to it"
    assert one in [w.text for w in found.warnings]
    asked = found.predict(*POINT, ["w4", "fp"])
    assert asked.standing == ("unknown", "seen")
    text = "law kumar2024 was fitted to a blend of runs like 'w4' that differ in w:int4, w:e2m1"
    assert f"{text}, so its loss is unknown" in [w.text for w in asked.warnings]


def test_kinds_that_share_a_constant_are_named_once_each() -> None:
    levels = ["w4", "w4/32", "w4@gptq", "w:e2m1", "w6", "w:e2m3"]
    law = preset("kumar2024").fix(*(k for k in preset("kumar2024").values if k != "E"))
    found = fit(law, runs_of(["fp", *levels]), draws=2, starts=1)
    (said,) = [w.text for w in found.warnings if "one constant" in w.text]
    assert "one constant for 'w4' = 'w:e2m1', 'w6' = 'w:e2m3': formats" in said


def test_every_reason_without_a_loss_is_said(compared: Comparison) -> None:
    views = [[View(undefined="too small"), View(undefined="too long"), View(undefined="too long")]]
    said = _reasons(compared.entries[:1], views, range(3))
    assert said == f"{compared.entries[0].fit.law.name}: too small (1 of 3), too long (2 of 3)"
    assert _reasons(compared.entries[:1], views, [1, 2]).endswith(": too long")


def test_an_average_asks_those_that_see_the_point(compared: Comparison) -> None:
    by = {e.fit.law.name: e.fit for e in compared.entries}
    kumar, size = by["kumar2024"], by["hoffmann2022"]
    found = compared.predict(*POINT, ["w4", "fp", "w4 q2", "w6@rtn"], of="mean")
    assert found.precision == ("w4", "fp", "w4 q2", "w6@rtn")
    assert found.standing == ("seen", "seen", "at least", "unknown")
    own = kumar.predict(*POINT, "w4", of="mean")
    assert found.loss[0] == pytest.approx(own.loss[0])
    assert (found.low[0], found.high[0]) == pytest.approx((own.low[0], own.high[0]), rel=1e-3)
    both = [each.predict(*POINT, of="mean").loss[0] for each in (kumar, size)]
    assert found.loss[1] == pytest.approx(np.mean(both))
    assert found.loss[2] == pytest.approx(own.loss[0])  # the bound of the law that sees weights
    assert np.isnan([found.low[2], found.low[3], found.loss[3]]).all()
    assert "'w4' is judged without law hoffmann2022" in [w.text for w in found.warnings]


def test_what_all_laws_see_is_averaged_as_before(compared: Comparison) -> None:
    one = compared.predict([1e8, 2e8], [4e9, 5e9])
    assert one.standing == ()
    assert [w.text for w in one.warnings if "judged without" in w.text] == []


def test_what_lies_outside_is_said_once_of_all_laws(compared: Comparison) -> None:
    (one,) = [e for e in compared.entries if e.fit.law.name == "hoffmann2022"]
    other = replace(one.fit, law=replace(one.fit.law, name="other"))
    twice = replace(compared, entries=(one, replace(one, fit=other), *compared.entries[:1]))
    said = [w.text for w in twice.predict([1e10, 1e8], [1e12, 4e9], ["fp", "w4"]).warnings]
    (bend,) = [text for text in said if "may stay hidden" in text]
    assert bend.startswith("a bend beside hoffmann2022 or other")
    (far,) = [text for text in said if "outside the fitted runs" in text]
    assert far.startswith("1 of 2 points")


def test_one_held_out_run_gives_no_interval_of_its_error() -> None:
    law = preset("chinchilla").at(A=400.0, B=400.0, alpha=0.34, beta=0.28, E=1.7)
    n = np.geomspace(5e7, 1e9, 7)
    columns = {"params": n, "tokens": 20 * n, "precision": ["bf16"] * 7, "loss": law(n, 20 * n)}
    runs = draw_runs(law, Runs.from_frame(pl.DataFrame(columns)), 0.003, seed=3)
    names = [k for k in law.values if k != "E"]
    found = compare([law.fix(*names)], runs, draws=5, starts=1, holdouts=["largest"])
    assert found.entries[0].held_out_rmse > 0
    assert np.isnan([found.entries[0].low, found.entries[0].high]).all()
    row = next(line for line in str(found).splitlines() if line.startswith("  chinchilla "))
    assert row.count("not held") == 2
