"""The verb compare, stacking, and what is saved."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.optimize import minimize_scalar

from isoloss.files import FilesError
from isoloss.fits import FitError, compare, draw_runs, fit, load, predict, save
from isoloss.fits.compare_laws.stacking import Evidence, excess, jackknife, stack
from isoloss.fits.warning import kinds
from isoloss.laws import preset


@pytest.fixture(scope="module")
def curved(table):
    """Runs whose base has an outer exponent."""
    truth = preset("busbridge2025").at(
        A=1.52e5, alpha=0.589, B=5.25e5, beta=0.544, E=1.35, kappa=0.274
    )
    return draw_runs(truth, table, noise=0.003, seed=11)


@pytest.fixture(scope="module")
def compared(curved):
    return compare(
        ["chinchilla", "busbridge2025", "chinchilla_tied", "quartet2025"],
        curved,
        draws=40,
        starts=12,
    )


def test_the_true_form_ranks_first_and_carries_the_weight(compared):
    assert compared.best.law.name in ("busbridge2025", "quartet2025")
    assert compared.weights["chinchilla_tied"] < 0.3
    assert sum(compared.weights.values()) == pytest.approx(1)
    errors = [e.held_out_rmse for e in compared.entries]
    assert errors == sorted(errors)
    assert all(e.low <= e.held_out_rmse <= e.high for e in compared.entries)
    assert sum(e.win_rate for e in compared.entries) == pytest.approx(1)


def test_average_lies_between_laws_and_its_interval_spans_them(compared):
    losses = [float(e.fit.law(5e9, 1e11)) for e in compared.entries if e.weight > 0]
    average = compared.predict("5B", "100B", of="mean")
    assert min(losses) <= average.loss[0] <= max(losses)
    assert average.low[0] < average.loss[0] < average.high[0]
    assert kinds(average.warnings) == {"extrapolation", "lack_of_fit"}  # of some law of weight
    value, low, high = compared.exponent()
    assert low <= value <= high


def test_wrong_laws_alone_are_said_to_be_wrong(curved):
    found = compare(["chinchilla", "chinchilla_tied"], curved, draws=20, starts=8)
    assert "lack_of_fit" in kinds(found.warnings)
    assert "every law of weight leaves a curve" in str(found)


def test_laws_that_do_not_apply_are_listed_with_the_reason(quantised):
    found = compare(["kumar2024", "sun2025"], quantised, draws=5, starts=12)
    assert list(found.refused) == ["sun2025"]
    assert "sun2025" in str(found)
    with pytest.raises(FitError, match="no law can be fitted to these runs: sun2025:"):
        compare(["sun2025"], quantised, draws=5)


def test_report_shows_where_each_law_misses(quantised):
    found = compare(["kumar2024", "chinchilla"], quantised, draws=5, starts=8)
    assert found.best.law.name == "kumar2024"
    assert "Mean residual by precision" in str(found)
    assert "<table>" in found._repr_html_()


def test_stacking_finds_the_mixture_that_made_the_data():
    rng = np.random.default_rng(0)
    from_first = rng.random(4000) < 0.7
    y = np.where(from_first, rng.normal(0, 1, 4000), rng.normal(5, 1, 4000))
    density = np.array([-0.5 * (y - 0) ** 2, -0.5 * (y - 5) ** 2, -0.5 * (y - 40) ** 2])
    assert stack(density, np.full(3, 1 / 3), 0.0) == pytest.approx([0.7, 0.3, 0.0], abs=0.02)


def test_laws_that_predict_alike_keep_their_prior():
    prior = np.array([0.5, 0.3, 0.2])
    np.testing.assert_allclose(stack(np.zeros((3, 12)), prior, 8.0), prior, atol=1e-9)
    np.testing.assert_allclose(stack(np.zeros((3, 0)), prior, 8.0), prior, atol=1e-9)


def test_the_weights_are_the_maximum_that_an_optimiser_finds():
    """Against a general optimiser on the same score: two laws, seven units, a prior of four."""
    density = np.random.default_rng(1).normal(0, 1, (2, 7))
    prior = np.array([0.6, 0.4])

    def score(w: float) -> float:
        mixed = np.log(w * np.exp(density[0]) + (1 - w) * np.exp(density[1])).sum()
        return -(mixed + 4.0 * (prior[0] * np.log(w) + prior[1] * np.log(1 - w)))

    best = minimize_scalar(score, bounds=(1e-6, 1 - 1e-6), method="bounded").x
    assert stack(density, prior, 4.0)[0] == pytest.approx(best, abs=1e-4)


@pytest.mark.parametrize(("excess", "least", "most"), [(1.0, 0.85, 0.95), (50.0, 0.5, 0.6)])
def test_fitted_runs_decide_where_unseen_ones_cannot_as_far_as_they_are_right(excess, least, most):
    found = Evidence(np.zeros((2, 5)), np.array([0.0, 20.0]), np.array([6.0, 6.0]), 60, excess)
    assert least < found.weights[0] < most


def test_a_law_that_both_kinds_of_runs_refute_has_no_weight():
    unseen = np.vstack([np.zeros(5), np.full(5, -2.0)])
    refuted = Evidence(unseen, np.array([0.0, 40.0]), np.array([6.0, 6.0]), 60, 1.0)
    kept = Evidence(0 * unseen, np.array([0.0, 40.0]), np.array([6.0, 6.0]), 60, 1.0)
    assert refuted.weights[1] == 0
    assert 0.05 < kept.weights[1] < 0.2


def test_the_excess_of_residuals_that_a_size_shares():
    """Four sizes of sixteen runs each: shared residuals count sixteen times, independent once."""
    rng = np.random.default_rng(0)
    sizes = np.repeat([1e8, 2e8, 4e8, 8e8], 16)
    shared = np.repeat(rng.choice([-1.0, 1.0], 4), 16)
    assert excess(shared, 0, sizes, [np.ones(3)]) == pytest.approx(16)
    alone = [excess(rng.normal(size=64), 0, sizes, [np.ones(3)]) for _ in range(200)]
    assert 1.0 <= np.mean(alone) < 1.5
    assert excess(shared, 0, sizes, [np.full(4, 3.0)] * 3) == pytest.approx(16 * 9)


def test_the_jackknife_gives_the_error_of_a_mean():
    """Means without each value: the jackknife is then exactly the standard error of the mean."""
    values = np.random.default_rng(0).normal(size=(9, 2))
    without = (values.sum(axis=0) - values) / 8
    expected = values.std(axis=0, ddof=1) / 3
    np.testing.assert_allclose(jackknife(without), expected, rtol=1e-12)
    assert np.isnan(jackknife(without[:1])).all()


def test_a_seed_moves_no_weight(table):
    laws = ["chinchilla", "chinchilla_tied", "busbridge2025"]
    one, two = (compare(laws, table, draws=10, starts=8, seed=s) for s in (0, 5))
    assert one.weights == pytest.approx(two.weights, abs=0.01)
    assert all(0 < e.weight_error < 0.5 for e in one.entries)


def test_laws_of_one_form_are_fitted_once_and_share_a_weight(table):
    found = compare(["chinchilla", "kumar2024", "epoch2024"], table, draws=10, starts=8)
    alone = compare(["chinchilla", "kumar2024"], table, draws=10, starts=8)
    by_name = {e.fit.law.name: e for e in found.entries}
    one, other = by_name["chinchilla"], by_name["epoch2024"]
    assert one.same_form == ("epoch2024",)
    assert one.weight == other.weight == pytest.approx(alone.weights["chinchilla"] / 2)
    assert one.fit.values == other.fit.values
    np.testing.assert_array_equal(one.fit.draws, other.fit.draws)
    assert "chinchilla, epoch2024" in str(found)


def test_a_form_under_another_name_is_fitted_as_it_would_be_alone(quantised):
    """quest2025 and frantar2025 list the same efficiencies in different orders."""
    found = compare(["frantar2025", "quest2025"], quantised, draws=10, starts=6)
    alone = fit("quest2025", quantised, draws=10, starts=6)
    moved = next(e.fit for e in found.entries if e.fit.law.name == "quest2025")
    assert moved.values == pytest.approx(alone.values, rel=1e-3)
    assert list(moved.constant_draws) == list(alone.constant_draws)
    assert moved.predict(1e9, 2e10, "w4").loss == pytest.approx(
        alone.predict(1e9, 2e10, "w4").loss, rel=1e-5
    )


@pytest.mark.parametrize("law", ["chinchilla", "busbridge2025"])
def test_a_fit_survives_a_file(law, table, tmp_path):
    found = fit(law, table, holdout="largest", draws=10)
    path = found.save(tmp_path / "fit.json")
    again = load(path)
    assert str(again) == str(found)
    one, two = (f.predict(1e9, 1e11) for f in (found, again))
    np.testing.assert_array_equal(one.low, two.low)
    content = json.loads(path.read_text())
    assert (content["type"], content["schema"]) == ("fit", 1)
    with pytest.raises(FilesError, match="exists; give another name or force=True"):
        found.save(path)


def test_tables_and_bases_per_source_survive_a_file(quantised, tmp_path):
    other = draw_runs(preset("kumar2024").at(E=2.2), quantised, 0.002, 5, source="other")
    found = fit("frantar2025", quantised + other, per="source", draws=5)
    again = load(found.save(tmp_path / "fit.json"))
    assert again.values == found.values
    assert (
        again.predict(1e8, 1e9, "w4", group="other").loss
        == found.predict(1e8, 1e9, "w4", group="other").loss
    )


def test_a_comparison_and_a_law_survive_files(compared, tmp_path):
    assert str(load(compared.save(tmp_path / "laws.json"))) == str(compared)
    law = preset("kumar2024").at(E=2.5)
    assert load(save(law, tmp_path / "law.json")) == law


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("not json", "is not a [a-z ]*, .*fit"),
        ('{"a": 1}', "is not a [a-z ]*, .*fit"),
        ('{"type": "fit", "schema": 99, "value": {}}', "has schema 99 but this isoloss"),
        (
            '{"type": "risk", "schema": 1, "value": {}}',
            "unknown kind of file 'risk'; accepted are .*law.*, fit, comparison",
        ),
    ],
)
def test_files_that_cannot_be_read_say_why(content, message, tmp_path):
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(FilesError, match=message):
        load(path)


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(FilesError, match="there is no file"):
        load(tmp_path / "none.json")


def test_predict_takes_a_name_a_law_or_a_fit(table):
    bare = predict("epoch2024", "1B", "20B")
    assert bare.loss[0] == pytest.approx(float(preset("epoch2024")(1e9, 2e10)))
    assert np.isnan(bare.low).all()
    assert "no_interval" in kinds(bare.warnings)
    found = fit("chinchilla", table, draws=20)
    assert predict(found, 1e9, 2e10).low[0] < predict(found, 1e9, 2e10).high[0]


def test_laws_that_set_the_exponent_by_form_do_not_vote_on_it(table):
    found = compare(["chinchilla", "chinchilla_tied"], table, draws=40, starts=8)
    tied = next(e.fit for e in found.entries if e.fit.law.name == "chinchilla_tied")
    free = next(e.fit for e in found.entries if e.fit.law.name == "chinchilla")
    assert tied.exponent_by_form
    assert "the form of the law sets it to 0.5" in tied.withheld
    assert not free.exponent_by_form
    assert found.exponent()[0] == pytest.approx(free.exponent[0])
    for weight, withheld in ((0.7, False), (0.3, True)):
        share = {"chinchilla": weight, "chinchilla_tied": 1 - weight}
        entries = tuple(replace(e, weight=share[e.fit.law.name]) for e in found.entries)
        weighed = replace(found, entries=entries)
        assert (weighed.withheld is not None) == withheld
        assert f"law chinchilla, {100 * weight:.0f}% of the weight" in str(weighed)
    alone = compare(["chinchilla_tied"], table, draws=5, starts=4)
    assert np.isnan(alone.exponent()).all()


def test_a_law_undefined_at_one_point_stops_no_other(quantised):
    both = compare(["chinchilla", "kumar2024"], quantised, draws=10, starts=6)
    entries = []
    for entry in both.entries:
        law = entry.fit.law
        if law.name == "kumar2024":  # defined from w4 on
            law = law.at(gamma_w=2.0, n_w=2.0)
        entries.append(replace(entry, weight=0.5, fit=replace(entry.fit, law=law)))
    found = replace(both, entries=tuple(entries)).predict(1e8, 2e9, ["w8", "w1"], of="mean")
    assert np.isfinite(found.loss).all()
    assert found.standing == ("seen", "at least")


def test_rows_that_cannot_be_used_are_said(table):
    frame = draw_runs(preset("hoffmann2022"), table, noise=0.003, seed=1).frame()
    bad = frame.head(1).with_columns(loss=-1.0)
    found = compare(["chinchilla", "chinchilla_tied"], pl.concat([frame, bad]), draws=5, starts=2)
    (said,) = [line for line in found.sections()[0].lines if "left out" in line]
    assert said.startswith("1 left out: column 'loss' has -1; accepted is a finite number above 0")
