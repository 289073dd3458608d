"""What must not happen in silence: guesses, lost rows, too narrow intervals, raw tracebacks."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import polars as pl
import pytest
from test_fits_support import cells_with_noise

from isoloss.files import FilesError
from isoloss.fits import FitError, as_sample, compare, draw_runs, fit, gaps, load, profile
from isoloss.fits.doubt.misfit import lack_of_fit
from isoloss.fits.solve import optimum
from isoloss.fits.solve.objective import SQUARES
from isoloss.fits.solving import optimum_of
from isoloss.fits.warning import kinds
from isoloss.laws import preset
from isoloss.runs import Runs


def test_a_source_without_quantised_runs_gets_its_own_base(quantised, table):
    dense = draw_runs(
        preset("kumar2024").at(E=2.2), table, noise=0.002, seed=3, source="dense only"
    )
    found = fit("kumar2024", quantised + dense, per="source", draws=5)
    assert not any("[" in name for name in found.absent)
    assert found.values["E[dense only]"] == pytest.approx(2.2, abs=0.15)


def test_intervals_do_not_depend_on_how_many_points_are_asked(table):
    found = compare(["chinchilla", "chinchilla_tied"], table, draws=50, starts=8)
    one = found.predict(3e8, 6e9)
    many = found.predict(np.full(29, 3e8), 6e9)
    width = float(one.high[0] - one.low[0])
    assert np.median(many.high - many.low) == pytest.approx(width, rel=0.2)
    with pytest.raises(FitError, match="of is 'run' or 'mean'"):
        found.predict(3e8, 6e9, of="model")


def test_a_held_out_level_is_refused_not_guessed(quantised):
    runs = quantised.where(precision=["bf16", "w3", "w4"])
    with pytest.raises(
        FitError, match=r"'lowest_bits' depend on eff\[w3\], which no other run holds"
    ):
        fit("frantar2025", runs, holdout="lowest_bits", draws=2)
    found = compare(["frantar2025", "kumar2024"], runs, holdouts=["lowest_bits"], draws=5, starts=8)
    assert list(found.refused) == ["frantar2025"]


def test_predictions_from_constants_that_were_not_estimated_are_warned_of(quantised):
    found = fit("kumar2024", quantised.where(precision=["bf16", "w3", "w4", "w8"]), draws=5)
    said = found.predict(1e8, 2e9, "w4 a4")
    assert {"not_in_data", "extrapolation"} <= kinds(said.warnings)
    assert "gamma_a" in next(c for c in said.warnings if c.kind == "not_in_data").about
    assert kinds(found.predict(1e8, 2e9, "w4").warnings) == set()


def test_misfit_is_found_in_grouped_runs(table):
    truth = preset("busbridge2025").at(
        A=1.52e5, alpha=0.589, B=5.25e5, beta=0.544, E=1.35, kappa=0.274
    )
    twice = draw_runs(truth, table, 0.003, 1) + draw_runs(truth, table, 0.003, 2)
    grouped = twice.with_columns(group=[f"model {k % 30}" for k in range(60)])
    assert "lack_of_fit" in kinds(fit("chinchilla", grouped, draws=3).warnings)
    few = grouped.with_columns(group=[f"model {k % 4}" for k in range(60)])
    assert {"untested", "few_groups"} <= kinds(fit("chinchilla", few, draws=3).warnings)


def test_the_grouped_misfit_test_keeps_its_size(truth, table):
    law, clusters = preset("chinchilla"), np.arange(120) % 30
    p_values = []
    for seed in range(60):
        runs = draw_runs(truth, table + table + table + table, 0.003, seed)
        sample = as_sample(runs)
        optimum = optimum_of(law, sample, SQUARES, starts=2)
        p_values.append(lack_of_fit(optimum.problem, optimum.theta, clusters).p_value)
    assert np.mean(np.array(p_values) < 0.1) < 0.25


def test_profiles_refuse_groups(table):
    grouped = table.with_columns(group=[f"g{k % 6}" for k in range(30)])
    with pytest.raises(FitError, match="takes runs as independent"):
        profile(fit("chinchilla", grouped, draws=2), "alpha")


def test_gap_slopes_cover_with_few_cells():
    inside = []
    for seed in range(120):
        found = gaps(as_sample(cells_with_noise(6, seed)))
        low, high = found.tokens.interval(0.9)
        inside.append(low <= 0.2 <= high)
    assert 0.8 < np.mean(inside) <= 1.0
    assert np.isnan(gaps(as_sample(cells_with_noise(2, 0))).tokens.error)


@pytest.mark.parametrize("size", [1e7, 3.2e7, 1e8])
def test_one_size_is_said_and_withheld(truth, table, size):
    runs = draw_runs(truth, table.with_columns(params=np.full(30, size)), 0.003, 1)
    found = fit("chinchilla", runs, draws=5)
    assert "collinear_design" in kinds(found.warnings)
    assert found.withheld is not None
    ranked = compare(["chinchilla"], runs, draws=5, starts=4)
    assert ranked.rules == ("longest",)


def test_a_law_with_everything_fixed_is_evaluated(table):
    law = preset("epoch2024")
    found = fit(law.fix("A", "alpha", "B", "beta", "E"), table, draws=3)
    assert found.fitted.log_rmse == pytest.approx(0.003, rel=0.4)
    assert found.draws.shape == (3, 0)


def test_ties_to_ties_resolve():
    law = preset("busbridge2025").tie("alpha", to="kappa").tie("beta", to="alpha").at(kappa=0.5)
    assert {k.name: k.value for k in law.constants}["beta"] == 0.5
    assert law.tie("kappa", to="E").ties == {"alpha": "E", "beta": "E", "kappa": "E"}
    with pytest.raises(ValueError, match="cannot be tied to itself"):
        preset("busbridge2025").tie("alpha", to="alpha")


@pytest.mark.parametrize(
    "content",
    [
        '{"type": "fit", "schema": 1, "value": {}}',
        '{"type": "fit", "schema": 1}',
        '{"type": "fit", "schema": 1, "value": {"Fit": {}}}',
        '{"type": "law", "schema": 1, "value": {"map": {}}}',
    ],
)
def test_broken_files_are_one_sentence(content, tmp_path):
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(FilesError, match=r"says it holds a|is not a table map, law, fit") as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_bad_levels_and_thresholds(table):
    with pytest.raises(ValueError, match="level is 90; it is a share between 0 and 1"):
        fit("chinchilla", table, level=90)
    with pytest.raises(ValueError, match="1X"):
        fit("chinchilla", table, holdout="params>=1X", draws=2)
    assert fit("chinchilla", table, holdout="params>=0.5B", draws=2).held_out.errors.rows == 6
    with pytest.raises(FitError, match="draws is 0"):
        fit("chinchilla", table, draws=0)


def test_undefined_refits_are_said(quantised):
    found = fit("kumar2024", quantised, draws=40)
    assert (
        "undefined_draws" in kinds(found.predict(1e8, 1e9, "w1.58 kv3").warnings)
        or found.predict(1e8, 1e9, "w1.58 kv3").low[0] > 0
    )
    nan = np.where(np.arange(40)[:, None] < 10, np.nan, found.draws)
    said = replace(found, draws=nan).predict(1e8, 1e9, "w4")
    assert "undefined_draws" in kinds(said.warnings)
    assert np.isnan(said.low).all()


def test_partly_unknown_unique_tokens_are_refused(table):
    some = [1e9 if k else None for k in range(30)]
    with pytest.raises(FitError, match="unique_tokens is known for 29 runs and unknown for 1"):
        fit("muennighoff2023", table.with_columns(unique_tokens=some), draws=2)


def test_repetition_is_no_seed_noise(table):
    both = table.with_columns(unique_tokens=1e9) + table.with_columns(
        unique_tokens=2e9, loss=table["loss"] * 1.02
    )
    assert len(np.unique(as_sample(both).cells)) == 60


def test_copied_rows_are_said(table):
    found = fit("chinchilla", table + table, draws=3)
    said = {w.kind: w.text for w in found.warnings}["duplicate_rows"]
    assert found.units.kind == "cells"
    assert f"{len(table)} runs repeat another" in said
    assert "cells are resampled whole, so copies do not narrow intervals" in said


def test_copies_in_groups_of_their_own_narrow_intervals(table):
    names = [f"run{i % 15}" for i in range(len(table))]
    first, again = (table.with_columns(group=pl.Series([n + x for n in names])) for x in "ab")
    said = {w.kind: w.text for w in fit("chinchilla", first + again, draws=3).warnings}
    assert "copies among groups that are resampled apart" in said["duplicate_rows"]


def test_two_laws_of_one_name_are_refused(table):
    with pytest.raises(FitError, match="two laws are named 'chinchilla'"):
        compare(["chinchilla", preset("chinchilla").at(E=1.0)], table, draws=2)


@pytest.mark.parametrize("law", ["farseer2025", "frantar2023"])
def test_laws_that_cannot_have_a_base_per_source_say_so(law, quantised):
    sparse = quantised.with_columns(
        sparsity=["2:4" if k % 3 else None for k in range(len(quantised))]
    )
    with pytest.raises(FitError, match="base"):
        fit(law, sparse + sparse.with_columns(source="other"), per="source", draws=2)


def test_rows_without_a_source_cannot_have_a_base(table):
    some = table.with_columns(source=["a" if k % 2 else None for k in range(30)])
    with pytest.raises(FitError, match="column 'source' is missing in 15 of 30 runs"):
        fit("chinchilla", some, per="source", draws=2)


def test_simulated_runs_keep_the_columns_of_their_design(table):
    design = table.with_columns(seed=list(range(30)), unique_tokens=1e8, lr_peak=1e-3)
    drawn = draw_runs("muennighoff2023", design, 0.0)
    assert list(drawn["seed"]) == list(range(30))
    plain = draw_runs("muennighoff2023", table, 0.0)
    assert (drawn["loss"] > plain["loss"]).any()


def test_constants_without_value_and_without_runs_stay_unknown(quantised, tmp_path):
    found = fit("kumar2024", quantised, draws=5)
    assert np.isnan(found.values["C_w"])
    again = load(found.save(tmp_path / "fit.json"))
    assert str(again) == str(found)
    unknown = again.predict(1e8, 2e9, ["w8 -> w4", "w8"])
    assert unknown.standing == ("unknown", "seen")
    assert any("C_w" in each.about for each in unknown.warnings)
    assert np.isfinite(again.predict(1e8, 2e9, "w8").loss).all()


def test_a_part_that_is_never_rounded_is_not_fitted_even_where_starts_leave_the_domain(quantised):
    runs = quantised.where(precision=["bf16", "w3", "w4", "a4"])
    found = fit("kumar2024", runs, draws=5)
    assert {"gamma_kv", "n_kv"} <= set(found.absent)
    assert not {"gamma_w", "gamma_a"} & set(found.absent)


def test_a_constant_that_another_is_tied_to_can_be_fixed(table):
    found = fit("chinchilla_tied", table, fixed={"alpha": 0.35}, draws=5)
    assert found.values["beta"] == 0.35
    assert "beta" in str(found)


def test_fit_reads_what_is_no_runs(table, tmp_path):
    path = table.save(tmp_path / "runs.csv")
    assert (
        fit("chinchilla", path or tmp_path / "runs.csv", draws=3).values
        == fit("chinchilla", table, draws=3).values
    )
    assert fit("chinchilla", table.frame(), draws=3).facts.runs == 30


def test_excluded_rows_are_counted_by_kind(table):
    loss = np.where(np.arange(30) < 4, np.nan, table["loss"])
    found = fit("chinchilla", table.with_columns(loss=loss), draws=3)
    assert list(found.facts.excluded.values()) == [4]
    assert "4 excluded: column 'loss' has nan" in str(found)


def test_an_interval_cut_by_a_bound_is_marked(table):
    free = fit("chinchilla", table, draws=60)
    edge = free.values["E"] + 1e-3
    assert free.interval("E")[1] > edge
    cut = fit(preset("chinchilla").bounded(E=(0.0, edge)), table, draws=60)
    assert cut.interval("E")[1] == np.inf
    assert "NOT HELD" in str(cut)
    assert "AT BOUND" not in str(cut)
    assert "NOT HELD" not in str(free)


def test_a_level_whose_label_says_too_little_has_no_gap_and_stops_nothing():
    """Chen's labels leave the group size out, which the law needs for a gap."""
    cells = [
        (n, r * n, p)
        for n in (1e8, 3e8, 6e8)
        for r in (20, 60, 160)
        for p in ("bf16", "w4/32 a4/32", "w4/128 a4/128")
    ]
    frame = pl.DataFrame(
        cells, schema=["params", "tokens", "precision"], orient="row"
    ).with_columns(loss=3.0)
    runs = draw_runs("chen2025", Runs.from_frame(frame), 0.003, seed=1)
    found = fit("chen2025", runs, draws=5, starts=4)
    assert found.efficiencies is not None
    assert all(np.isnan(gap).all() for gap in found.efficiencies.gaps.values())


def test_a_walk_that_ends_where_the_law_has_no_loss_is_not_the_optimum(quantised, monkeypatch):
    """Two factors below zero make a positive product where the law is not defined."""
    honest = optimum.descend

    def led_astray(problem, theta, tolerance=1e-9):
        problem, walks = honest(problem, theta, tolerance)
        names = [k.name for k in problem.coordinates.free]
        astray = walks.theta[:1].copy()
        for name in ("n_w", "n_a"):
            astray[0, names.index(name)] = 7.9
        parts = {f.name: getattr(walks, f.name) for f in fields(walks)}
        longer = {name: np.concatenate([part, part[:1]]) for name, part in parts.items()}
        return problem, replace(
            walks,
            **longer
            | {
                "theta": np.concatenate([walks.theta, astray]),
                "value": np.concatenate([walks.value, [0.0]]),
            },
        )

    monkeypatch.setattr(optimum, "descend", led_astray)
    found = optimum_of(preset("kumar2024"), as_sample(quantised), SQUARES, starts=6)
    assert found.certificate.objective > 0
    assert np.isfinite(found.law.loss(found.problem.x)).all()
