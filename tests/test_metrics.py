"""The unit of a metric has one home: reports, figures and JSON of excess risk never say nats."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

import isoloss as il
from isoloss.linear import SGD, Regression, simulate
from isoloss.plans import PlanError
from isoloss.runs import METRICS, Runs, metric_of

GRID = {
    "dim": [10, 20, 40, 80],
    "samples": [300, 1000, 3000],
    "precision": ["fp", "d:add(0.01)", "d:add(0.1)"],
}


@pytest.fixture(scope="module")
def risks() -> Runs:
    return simulate(Regression(10), GRID, SGD(1, step_size=0.1), inputs="in use")


@pytest.fixture(scope="module")
def fit(risks: Runs) -> il.fits.Fit:
    return il.fit("chinchilla", risks, draws=8, starts=2)


def test_each_metric_knows_its_unit() -> None:
    assert METRICS == ("nats", "excess_risk", "nats/byte", "nats/character")
    nats, risk = map(metric_of, METRICS[:2])
    assert (nats.axis, nats.short, nats.amount("0.01")) == (
        "loss (nats per token)",
        "nats/token",
        "0.01 nats",
    )
    assert (risk.axis, risk.short, risk.amount("0.01")) == (
        "excess risk",
        "excess risk",
        "0.01 in excess risk",
    )
    assert metric_of("excess_risk and nats").short == "as metric says"


def test_no_report_of_excess_risk_says_nats(risks: Runs, fit: il.fits.Fit) -> None:
    assert fit.law.metric == "excess_risk"
    table = il.fits.gap_table(risks)
    assert table.metric == "excess_risk"
    for value in (risks, fit, fit.law, table, fit.predict(50, 2000), il.compare(
        ["chinchilla", "chinchilla_tied"], risks, draws=4, starts=2
    )):  # fmt: skip
        assert "nats" not in str(value)
    assert "mean gap, excess risk" in str(fit)


def test_a_saved_law_and_fit_keep_their_metric(fit: il.fits.Fit, tmp_path: Path) -> None:
    law = il.load(fit.law.save(tmp_path / "law.json"))
    again = il.load(fit.save(tmp_path / "fit.json"))
    assert law.metric == again.law.metric == again.predict(50, 2000).metric == "excess_risk"
    saved = fit.law.to_json()
    del saved["metric"]  # a file from before laws had one
    older = il.laws.law_from_json(saved)
    assert older.metric == "unknown"
    assert "nats" not in str(il.predict(older, 50, 2000))
    with pytest.raises(PlanError, match="fit law chinchilla again, whose file does not say"):
        il.plan(["kumar2024", older], il.Budget(train=1e21), "h100")
    assert il.laws.law_from_json({**saved, "evidence": "P"}).metric == "nats"


def test_an_older_plan_has_no_unit() -> None:
    older = il.load(Path(__file__).parent / "golden" / "plan.json")
    assert older.metric == "unknown"
    assert "nats" not in str(older)


def test_a_row_of_another_metric_is_excluded() -> None:
    columns = {"params": [1e6, 2e6], "tokens": [1e8, 1e8], "precision": ["bf16", "w4"]}
    frame = pl.DataFrame(columns | {"loss": [0.7, 2.9], "metric": ["accuracy", "nats"]})
    found = il.read(frame)
    assert len(found.excluded) == 1
    assert "column 'metric' has 'accuracy'; accepted is one of nats, excess_risk" in str(
        found.excluded["reason"][0]
    )


def test_constants_of_excess_risk_have_no_nats() -> None:
    law = il.laws.preset("kumar2024")
    units = {k.name: k.unit for k in law.constants}
    other = {k.name: k.unit for k in replace(law, metric="excess_risk").constants}
    assert units["E"] == "nats"
    assert other == {name: "" if unit == "nats" else unit for name, unit in units.items()}


def test_laws_of_two_metrics_have_no_common_plan() -> None:
    law = il.laws.preset("kumar2024")
    other = replace(law, name="risk", metric="excess_risk")
    with pytest.raises(PlanError, match="is excess_risk and that of kumar2024 nats, which have no"):
        il.plan([law, other], il.Budget(train=1e21), "h100")
    alone = il.plan(other, il.Budget(train=1e18), "linear-bits", extrapolate=True)
    assert alone.metric == "excess_risk"
    served = il.plans.rank_serving(
        other, il.Budget(params=1e8, tokens=1e10), "h100", ["w4"], extrapolate=True
    )
    assert "nats" not in str(alone) + str(served)
    assert "in excess risk" in str(served)
