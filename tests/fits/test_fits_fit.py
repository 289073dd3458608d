"""The verb fit: certified numbers, recovery, warnings, report."""

from __future__ import annotations

import numpy as np
import pytest

from isoloss.fits import FitError, draw_runs, fit, gaps
from isoloss.fits.sample import as_sample
from isoloss.fits.warning import kinds
from isoloss.laws import DomainError, preset

TRUTH = {"A": 482.006, "alpha": 0.34781, "B": 2085.434, "beta": 0.36585, "E": 1.81686}


@pytest.fixture(scope="module")
def fitted(table):
    return fit("chinchilla", table, holdout="largest", draws=100)


def test_constants_are_recovered_inside_their_intervals(fitted):
    inside = [low <= TRUTH[k] <= high for k in TRUTH for low, high in [fitted.interval(k, 0.98)]]
    assert all(inside)
    assert fitted.fitted.log_rmse == pytest.approx(0.003, rel=0.4)
    assert kinds(fitted.warnings).isdisjoint(
        {"at_bound", "lack_of_fit", "starts_disagree", "not_in_data"}
    )


def test_held_out_rows_are_not_fitted(fitted, table):
    assert fitted.held_out.errors.rows == 6
    changed = table.with_columns(loss=np.where(table["params"] > 5e8, 9.0, table["loss"]))
    again = fit("chinchilla", changed, holdout="largest", draws=2)
    assert again.values == fitted.values
    assert "held_out" in kinds(again.warnings)
    assert "not_covered" in kinds(again.warnings)


def test_prediction_of_a_run_is_wider_than_of_the_mean(fitted):
    run = fitted.predict("300M", "6B", of="run")
    mean = fitted.predict(3e8, 6e9, of="mean")
    assert run.loss == mean.loss
    assert run.high[0] - run.low[0] > mean.high[0] - mean.low[0] > 0
    assert not run.warnings
    with pytest.raises(FitError, match="cannot predict the interval of 'model'"):
        fitted.predict(1e8, 1e9, of="model")


def test_extrapolation_is_said(fitted):
    far = fitted.predict(1e11, 1e13)
    assert kinds(far.warnings) == {"extrapolation"}
    assert "by a factor" in str(far)


def test_exponent_of_params_is_beta_over_the_sum(fitted):
    v = fitted.values
    assert fitted.exponent[0] == pytest.approx(v["beta"] / (v["alpha"] + v["beta"]), abs=1e-3)
    assert fitted.exponent[1] < fitted.exponent[0] < fitted.exponent[2]


def test_allocation_spends_the_budget_and_is_best(fitted):
    found = fitted.compute_split(1e21)
    assert found.params * found.tokens * 6 == pytest.approx(np.full(len(found.params), 1e21))
    n = found.params[0]
    here, less, more = (fitted.law(n * f, 1e21 / 6 / (n * f)) for f in (1.0, 0.97, 1.03))
    assert here < min(less, more)


def test_fixed_constants_stay(table):
    found = fit("chinchilla", table, fixed={"E": 1.8, "alpha": 0.35}, draws=10)
    assert found.values["E"] == 1.8
    assert found.values["alpha"] == 0.35
    with pytest.raises(FitError, match="'E' was not estimated"):
        found.interval("E")


def test_a_base_per_source_shares_precision_constants(quantised):
    shifted = draw_runs(
        preset("kumar2024").at(E=2.2), quantised, noise=0.002, seed=5, source="other"
    )
    found = fit("kumar2024", quantised + shifted, per="source", draws=10)
    assert found.values["E[other]"] == pytest.approx(2.2, abs=0.15)
    assert found.values["E[simulated from kumar2024]"] == pytest.approx(2.7648, abs=0.15)
    assert sum(k.name.startswith("gamma_w") for k in found.law.constants) == 1
    assert (
        found.predict(1e8, 1e9, "w4", group="other").loss
        < found.predict(1e8, 1e9, "w4", group="simulated from kumar2024").loss
    )
    with pytest.raises(DomainError, match="no base"):
        found.predict(1e8, 1e9, "w4")


def test_constants_that_no_run_touches_are_named(quantised):
    found = fit("kumar2024", quantised, draws=10)
    assert {"C_T", "gamma_post"} <= set(found.absent)
    assert "not in the data" in str(found)
    assert "not in the data" in str(found)


def test_wrong_base_is_found_and_the_exponent_withheld(table):
    truth = preset("busbridge2025").at(
        A=1.52e5, alpha=0.589, B=5.25e5, beta=0.544, E=1.35, kappa=0.274
    )
    found = fit("chinchilla", draw_runs(truth, table, noise=0.003, seed=0), draws=20)
    assert "lack_of_fit" in kinds(found.warnings)
    assert found.withheld is not None
    assert "withheld" in str(found)
    right = fit("busbridge2025", draw_runs(truth, table, noise=0.003, seed=0), draws=20)
    assert "lack_of_fit" not in kinds(right.warnings)


def test_flat_designs_and_bounds_are_warned_of(table):
    ratio = table["tokens"] / table["params"]
    flat = table.take(np.flatnonzero(ratio < 6)) + table.take(
        np.flatnonzero(ratio < 6)
    ).with_columns(seed=1)
    found = fit("chinchilla_tied", flat, draws=5)
    assert {"collinear_design", "few_runs"} & kinds(found.warnings)
    bounded = fit(preset("chinchilla").bounded(E=(0.0, 1.0)), table, draws=5)
    assert "at_bound" in kinds(bounded.warnings)
    assert "AT BOUND" in str(bounded)


def test_seed_noise_is_parted_from_misfit(truth, table):
    repeats = (
        draw_runs(truth, table, 0.003, 7)
        + draw_runs(truth, table, 0.003, 8)
        + draw_runs(truth, table, 0.003, 9)
    )
    found = fit("chinchilla", repeats, draws=5)
    assert found.noise.seed == pytest.approx(0.003, rel=0.2)
    assert found.noise.p_value > 0.01
    wrong = fit(preset("chinchilla").fix(E=0.5), repeats, draws=5)
    assert wrong.noise.p_value < 1e-6
    assert wrong.noise.misfit > 0.001


def test_paired_gaps_recover_known_exponents(table):
    gap = 5 * table["tokens"] ** 0.2 / table["params"] ** 0.35
    base = table.with_columns(seed=0)
    found = gaps(as_sample(base + base.with_columns(precision="w4", loss=table["loss"] + gap)))
    assert found.pairs == 30
    assert found.tokens.value == pytest.approx(0.2, abs=1e-6)
    assert found.params.value == pytest.approx(-0.35, abs=1e-6)
    assert found.together is None
    assert found.levels[0].mean == pytest.approx(np.exp(np.log(gap).mean()))


def test_gaps_at_constant_tokens_per_param_have_one_exponent(table):
    line = table.take(np.isclose(table["tokens"] / table["params"], 5.0))
    gap = 0.5 * line["tokens"] ** -0.1
    found = gaps(as_sample(line + line.with_columns(precision="w4", loss=line["loss"] + gap)))
    assert found.tokens is None
    assert found.params is None
    assert found.together.value == pytest.approx(-0.1, abs=1e-6)


def test_negative_gaps_are_counted(table):
    lower = table.with_columns(
        precision="w8", loss=table["loss"] + np.where(np.arange(len(table)) < 4, -0.01, 0.01)
    )
    found = gaps(as_sample(table + lower))
    assert found.negative == 4
    assert found.levels[0].negative == 4


def test_efficiencies_come_with_their_floor(quantised):
    found = fit("frantar2025", quantised.where(precision=["bf16", "w4", "w3"]), draws=5)
    assert found.efficiencies.floors == (0.0, 1.0, 1.5)
    low, middle, high = found.efficiencies.values["eff[w3]"]
    assert low != middle != high
    assert "gap at E = 1.5" in str(found)


def test_report_says_what_a_reader_needs(fitted):
    said = str(fitted)
    for part in (
        "30 runs (24 fitted, 6 held out)",
        "Student-t(4), scale",
        "starts agree",
        "fast loss falls with params",
        "least squares on log loss",
        "Compute-optimal exponent",
        "Warnings",
        fitted.facts.hash[:12],
    ):
        assert part in said
    assert "<table>" in fitted._repr_html_()


def test_law_undefined_on_a_precision_is_one_sentence(quantised):
    broken = quantised + quantised.where(precision="a8").with_columns(precision="w:add(0.1)")
    with pytest.raises((FitError, DomainError)) as caught:
        fit("kumar2024", broken, draws=2)
    assert "\n" not in str(caught.value)
