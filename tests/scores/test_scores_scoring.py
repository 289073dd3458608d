"""Forecasts of fits and how they do: matching, coverage, what is refused."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from isoloss.files import FilesError
from isoloss.fits import Fit, compare, fit
from isoloss.plots import plot
from isoloss.runs import Runs
from isoloss.scores import (
    PROBABILITIES,
    Forecast,
    Score,
    ScoreError,
    forecast,
    forecast_of_quantiles,
    load,
    score,
)


def table(seed: int = 0, gap: float = 0.0, noise: float = 0.004) -> Runs:
    rng = np.random.default_rng(seed)
    rows = [
        {"params": n, "tokens": d, "precision": p,
         "loss": (1.8 + 400 * n**-0.34 + 410 * d**-0.28 + more) * np.exp(noise * rng.normal())}
        for n in (2e7, 5e7, 1e8, 2e8) for d in (1e9, 2e9, 5e9, 1e10)
        for p, more in (("bf16", 0.0), ("w4", gap))
    ]  # fmt: skip
    return Runs.from_frame(pl.DataFrame(rows))


@pytest.fixture(scope="module")
def fitted() -> Fit:
    return fit(
        "chinchilla", table().where(precision="bf16", params=(None, 1.5e8)), draws=60, starts=4
    )


@pytest.fixture(scope="module")
def told(fitted: Fit) -> Forecast:
    return forecast(fitted, "200M", ["1B", "2B", "5B", "10B"], "bf16")


def test_quantiles_are_those_of_the_prediction(fitted: Fit, told: Forecast) -> None:
    wide = fitted.predict("200M", ["1B", "2B", "5B", "10B"], "bf16", level=0.9)
    assert told.low == pytest.approx(wide.low, rel=1e-6)
    assert told.high == pytest.approx(wide.high, rel=1e-6)
    assert told.middle == pytest.approx(wide.loss)
    half = fitted.predict("200M", ["1B", "2B", "5B", "10B"], "bf16", level=0.5)
    k = PROBABILITIES.index(0.25)
    assert told.quantiles[:, k] == pytest.approx(half.low, rel=1e-6)
    assert told.by == {"chinchilla": 1.0}
    assert told.data == fitted.facts.hash


def test_runs_are_matched_and_scored(told: Forecast) -> None:
    runs = table(seed=5)
    found = score(told, runs)
    assert [(p.params, p.runs) for p in found.points] == [(2e8, 1)] * 4
    seen = runs.where(precision="bf16", params=2e8)["loss"]
    assert sorted(p.seen for p in found.points) == pytest.approx(sorted(seen))
    share, error = found.coverage
    assert share == np.mean([p.low <= p.seen <= p.high for p in found.points])
    wide = (4 * share + 2) / 8  # two more hits and two more misses: all of four is no certainty
    assert error == pytest.approx(np.sqrt(wide * (1 - wide) / 8))
    (one,) = found.forecasts
    assert one.rms == pytest.approx(
        np.sqrt(np.mean([(p.seen - p.middle) ** 2 for p in one.points]))
    )
    assert not one.is_own


def test_the_tolerance_decides_what_is_near(told: Forecast) -> None:
    moved = table(seed=5).frame().with_columns(params=pl.col("params") * 1.02)
    with pytest.raises(ScoreError, match="no run is one of the 4 points that were forecast, as"):
        score(told, Runs.from_frame(moved))
    assert len(score(told, Runs.from_frame(moved), tolerance=0.03).points) == 4
    with pytest.raises(ScoreError, match="no run is one of the 4 points"):
        score(told, table().where(precision="w4"))


def test_seeds_of_a_point_count_as_one_point(told: Forecast) -> None:
    runs = table(1) + table(2) + table(3)
    found = score(told, runs)
    assert [p.runs for p in found.points] == [3] * 4
    one = found.points[0]
    losses = runs.where(precision="bf16", params=2e8, tokens=one.tokens)["loss"]
    assert one.inside == pytest.approx(np.mean([one.low <= x <= one.high for x in losses]))


def mixed(column: str, values: tuple[object, object]) -> Runs:
    """Runs at two lengths, at the first of them of two kinds, with gaps of 0.1 and 0.4."""
    rows = [
        {"params": 2e8, "tokens": d, "precision": p, "seed": seed, column: values[kind],
         "loss": 3.4 + 0.5 * kind + more * (1 + 3 * kind)}
        for d, kinds in ((1e9, (0, 1)), (2e9, (0,))) for kind in kinds for seed in (0, 1)
        for p, more in (("bf16", 0.0), ("w4", 0.1))
    ]  # fmt: skip
    return Runs.from_frame(pl.DataFrame(rows))


@pytest.mark.parametrize("quantity", ["loss", "gap"])
@pytest.mark.parametrize(
    ("column", "values"), [("schedule", ("cosine", "constant")), ("lr_peak", (0.001, 0.002))]
)
def test_runs_of_several_kinds_are_no_seeds_of_a_point(
    quantity: str, column: str, values: tuple[object, object]
) -> None:
    asked = {"loss": 3.5, "gap": 0.1}[quantity]
    made = forecast_of_quantiles(
        [2e8, 2e8, 2e8], [1e9, 2e9, 4e9], ["w4"] * 3, [asked] * 3,
        [asked + 0.01 * np.arange(-4, 4)] * 3, {"x": 1.0}, quantity=quantity,  # type: ignore[arg-type]
    )  # fmt: skip
    runs = mixed(column, values)
    found = score(made, runs)
    assert [(p.tokens, p.seen) for p in found.points] == [(2e9, pytest.approx(asked))]
    (why,) = found.forecasts[0].mixed
    told = ", ".join(sorted(map(str, values)))
    assert why.startswith(
        f"200M params on 1B tokens in 'w4' have runs that differ in {column} ({told}), "
    )
    assert why in str(found)
    assert "2 of 3 points were run" in str(found)
    assert found.forecasts[0].unseen == 1
    kept = score(made, runs.where(**{column: values[0]}))
    assert [p.seen for p in kept.points] == pytest.approx([asked, asked])
    with pytest.raises(ScoreError, match=f"differ in {column} "):
        score(made, runs.where(tokens=1e9))


def test_a_comparison_and_a_gap_are_frozen_too(tmp_path: Path) -> None:
    runs = table(gap=0.08)
    small = runs.where(params=(None, 1.5e8))
    both = compare(["chinchilla", "frantar2025"], small, draws=20, starts=4)
    made = forecast(both, "200M", "10B", "bf16")
    assert sum(made.by.values()) == pytest.approx(1.0)
    one = fit("frantar2025", small, draws=40, starts=4)
    gap = forecast(one, "200M", ["5B", "10B"], "w4", gap=True)
    found = score(gap, table(seed=9, gap=0.08, noise=0.0))
    assert [p.seen for p in found.points] == pytest.approx([0.08, 0.08], abs=1e-9)
    assert found.forecasts[0].quantity == "gap"


def test_a_folder_is_scored_in_its_order_and_told(told: Forecast, tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    folder.mkdir()
    told.save(folder / "b.json")
    forecast_of_quantiles(told.params * 7, told.tokens, told.precision, told.middle, told.quantiles,
           {"other": 1.0}).save(folder / "a.json")  # fmt: skip
    found = score(folder, table(seed=5))
    assert [(one.name, len(one.points), one.unseen) for one in found.forecasts] == [
        ("b.json", 4, 0), ("a.json", 0, 4)]  # fmt: skip
    again = load(found.save(tmp_path / "score.json"))
    assert isinstance(again, Score)
    assert again == found
    said = str(found)
    assert "4 of 8 points were run" in said
    assert "Point by point" in said
    figure = plot(found)
    axes, *_ = [each for each in figure.figure.axes if each.axison]
    marks = [x for line in axes.lines if line.get_marker() in "oX" for x in line.get_xdata()]
    assert sorted(marks) == pytest.approx(sorted(p.seen for p in found.points))


def test_the_error_of_coverage_is_that_of_forecasts_which_miss_as_one() -> None:
    """Ten points of a forecast that all miss say as much as one."""
    wide = np.tile(np.linspace(1.0, 3.0, 8), (10, 1))
    narrow = np.tile(np.linspace(1.0, 1.01, 8), (10, 1))
    sizes = np.geomspace(1e7, 1e9, 10)
    every = [forecast_of_quantiles(sizes, sizes, ["bf16"] * 10, [2.0] * 10, q, {"x": 1.0})
             for q in (wide, wide, narrow, wide)]  # fmt: skip
    rows = [{"params": n, "tokens": n, "precision": "bf16", "loss": 2.0} for n in sizes]
    share, error = score(every, Runs.from_frame(pl.DataFrame(rows))).coverage
    assert share == 0.75
    assert error == pytest.approx(0.25)  # the standard error of the mean of 1, 1, 0, 1


def test_runs_that_were_fitted_are_said(fitted: Fit) -> None:
    runs = table().where(precision="bf16", params=(None, 1.5e8))
    made = forecast(fitted, "100M", "10B", "bf16")
    assert "these runs are the table that it was fitted to" in str(score(made, runs))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("chinchilla", "1B", "20B"), "cannot freeze a forecast of 'chinchilla'; give a fit"),
        ((7, "1B", "20B"), "cannot freeze a forecast of 7; give a fit"),
    ],
)
def test_what_cannot_be_frozen(asked: tuple[object, ...], message: str) -> None:
    with pytest.raises(ScoreError) as problem:
        forecast(*asked)  # type: ignore[arg-type]
    assert str(problem.value).startswith(message)


def test_what_cannot_be_scored(told: Forecast, tmp_path: Path, fitted: Fit) -> None:
    with pytest.raises(ScoreError, match="tolerance is 2; it is a share"):
        score(told, table(), tolerance=2)
    with pytest.raises(ScoreError, match="holds a fit; give a forecast"):
        score(fitted.save(tmp_path / "fit.json"), table())
    with pytest.raises(ScoreError, match="forecasts is 7; give"):
        score(7, table())  # type: ignore[arg-type]
    other = forecast_of_quantiles(
        [1e8], [1e9], ["bf16"], [1.0], [np.arange(8.0)], {"x": 1.0}, metric="excess_risk"
    )
    with pytest.raises(ScoreError, match="is of excess_risk and the losses of the runs are nats"):
        score(other, table())


def of_points(*points: tuple[float, str], quantity: str = "loss", middle: float = 3.0) -> Forecast:
    """A forecast at 200M params, each point by its tokens and precision."""
    return forecast_of_quantiles(
        [2e8] * len(points), [d for d, _ in points], [p for _, p in points],
        [middle] * len(points), [middle + 0.01 * np.arange(-4, 4)] * len(points),
        {"x": 1.0}, quantity=quantity,  # type: ignore[arg-type]
    )  # fmt: skip


def runs_of(*rows: tuple[float, str, float]) -> Runs:
    """Runs at 200M params by tokens, precision and loss."""
    columns = ("tokens", "precision", "loss")
    return Runs.from_frame(
        pl.DataFrame([{"params": 2e8, **dict(zip(columns, r, strict=True))} for r in rows])
    )


def test_rows_that_cannot_be_used_are_said_and_are_no_points_that_were_not_run() -> None:
    made = of_points((1e9, "w4"), (2e9, "w4"), (4e9, "w4"))
    runs = runs_of((1e9, "w4", 3.0), (1e9, "w4", float("nan")), (2e9, "w4", -1.0))
    found = score(made, runs)
    (one,) = found.forecasts
    assert [(p.tokens, p.runs) for p in found.points] == [(1e9, 1)]
    assert one.unseen == 1
    (why,) = one.unusable
    assert why.startswith("200M params on 2B tokens in 'w4' were run and cannot be used: column ")
    assert "-1" in why
    assert sorted(found.left_out.values()) == [1, 1]
    said = str(found)
    assert "2 of 3 points were run" in said
    row = dict(zip(*(found.sections()[1].head, found.sections()[1].rows[0]), strict=True))
    assert (row["points"], row["not run"], row["left out"]) == ("1", "1", "1")
    assert why in said
    assert all(f"1 left out: {reason}" in said for reason in found.left_out)
    with pytest.raises(ScoreError, match="2B tokens in 'w4' were run and cannot be used"):
        score(of_points((2e9, "w4")), runs)
    with pytest.raises(ScoreError, match=r"no run is one of the 1 points .*; 1 left out: column"):
        score(of_points((8e9, "w4")), runs)


def test_a_gap_without_a_usable_partner_was_run() -> None:
    made = of_points((1e9, "w4"), (2e9, "w4"), (4e9, "w4"), quantity="gap", middle=0.1)
    runs = runs_of(
        (1e9, "bf16", 3.0), (1e9, "w4", 3.1), (2e9, "bf16", float("nan")), (2e9, "w4", 3.0)
    )
    (one,) = score(made, runs).forecasts
    assert [(p.tokens, p.seen) for p in one.points] == [(1e9, pytest.approx(0.1))]
    (why,) = one.unusable
    assert why.startswith("200M params on 2B tokens in 'w4' were run and have no gap: no usable ")
    assert one.unseen == 1


def test_a_point_that_is_forecast_several_times_counts_once() -> None:
    runs = runs_of((1e9, "w4", 3.0), (2e9, "w4", 3.5), (4e9, "w4", 3.0))
    once = score(of_points((1e9, "w4"), (2e9, "w4"), (4e9, "w4")), runs)
    several = score(
        [of_points((1e9, "w4"), (2e9, "w4"), (4e9, "w4")), of_points((1e9, "w4"))], runs
    )
    assert several.coverage == pytest.approx(once.coverage)
    assert once.coverage[0] == pytest.approx(2 / 3)
    assert (once.distinct, several.distinct, len(several.points)) == (3, 3, 4)
    assert "3 of the 4 scored points are distinct" in str(several)
    assert "distinct" not in str(once)
    # Equal losses of two sizes apart are two points.
    assert score(of_points((1e9, "w4"), (4e9, "w4")), runs).distinct == 2
    # So are a loss and a gap.
    both = [of_points((1e9, "w4")), of_points((1e9, "w4"), quantity="gap")]
    paired = runs_of((1e9, "w4", 3.0), (1e9, "bf16", 2.9))
    assert score(both, paired).distinct == 2


def test_a_forecast_has_each_point_once(fitted: Fit) -> None:
    with pytest.raises(ScoreError, match="has 200M params on 1B tokens in 'bf16' 2 times; give"):
        forecast(fitted, "200M", ["1B", "2B", "1e9"], "bf16")


@pytest.mark.parametrize("wide", ["fp", "bf16", "fp -> bf16"])
def test_the_gap_of_the_reference_is_no_forecast(wide: str) -> None:
    one = fit("frantar2025", table(gap=0.08), draws=20, starts=2)
    with pytest.raises(ScoreError, match=f"the gap of '{wide}' is zero by definition: it is the"):
        forecast(one, "200M", "10B", ["w4", wide], gap=True)


def test_what_a_law_has_no_term_for_is_named() -> None:
    one = fit("kumar2024", table(gap=0.08), draws=20, starts=2)
    with pytest.raises(
        ScoreError, match=r"in 'kv4' have no interval \(unknown: .* rests on gamma_kv"
    ):
        forecast(one, "200M", "10B", "kv4")
    with pytest.raises(ScoreError, match=r"\(unknown: kumar2024 has no part q: 'w4 q4' is 'w4' to"):
        forecast(one, "200M", "10B", "w4 q4")


def test_a_forecast_replaces_no_file(told: Forecast, tmp_path: Path) -> None:
    told.save(tmp_path / "a.json")
    with pytest.raises(FilesError, match="exists and a forecast replaces no file; give another na"):
        told.save(tmp_path / "a.json")
