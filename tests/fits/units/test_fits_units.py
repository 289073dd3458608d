"""What counts as one piece of evidence: cells of seeds, declared groups, evaluations of one run."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from isoloss.fits import FitError, WarningKind, as_sample, fit, load
from isoloss.fits.units.finding import intraclass
from isoloss.laws import as_law
from isoloss.runs import Runs

TRUTH = as_law("chinchilla").with_values(
    {"A": 400.0, "alpha": 0.34, "B": 410.0, "beta": 0.28, "E": 1.7, "kappa": 1.0}
)
QUICK = {"objective": "student", "draws": 20, "starts": 6}


def table(params, tokens, noise, **columns) -> Runs:
    frame = {"params": params, "tokens": tokens, "precision": "bf16", "loss": np.ones(len(params))}
    runs = Runs.from_frame(pl.DataFrame({**frame, **columns}))
    loss = as_sample(runs).x
    return runs.with_columns(loss=TRUTH.loss(loss) * np.exp(noise))


def grid(sizes: int, lengths: int, seeds: int = 1):
    n, ratio, _ = np.meshgrid(
        np.geomspace(5e7, 5e9, sizes), np.geomspace(5, 320, lengths), np.arange(seeds)
    )
    return n.ravel(), (n * ratio).ravel()


def said(found) -> set[WarningKind]:
    return {each.kind for each in found.warnings}


@pytest.fixture(scope="module")
def seeds() -> Runs:
    n, d = grid(4, 4, 3)
    rng = np.random.default_rng(3)
    own = np.repeat(rng.standard_normal(16), 3)
    return table(n, d, 0.005 * (own + 0.5 * rng.standard_normal(48)))


def checkpoints(even: bool = True, **columns) -> Runs:
    steps = np.arange(1.0, 11.0) if even else 2.0 ** np.arange(10)
    n, k = np.meshgrid(np.geomspace(5e7, 5e9, 7), steps)
    rng = np.random.default_rng(5)
    e = rng.standard_normal(7)[None, :] + 0.2 * rng.standard_normal(n.shape)
    return table(n.ravel(), (5 * n * k).ravel(), 0.005 * e.ravel(), **columns)


def test_seeds_of_a_cell_are_one_unit(seeds):
    found = fit("chinchilla", seeds, **QUICK)
    assert (found.units.kind, found.units.count, found.units.rows) == ("cells", 16, 48)
    assert found.units.correlation > 0.5
    assert found.units.p_value < 1e-3
    assert "units: 16 cells of 3 runs each" in str(found)
    assert found.resample == "fractional"  # few cells beside five constants


def test_intervals_from_cells_are_wider_than_from_rows_that_share_a_cell(seeds):
    wide, narrow = (fit("chinchilla", seeds, how=how, **QUICK) for how in (None, "runs"))
    width = [np.diff(each.interval("alpha"))[0] for each in (wide, narrow)]
    assert width[0] > 1.2 * width[1]


def test_cells_are_drawn_whole_when_asked(seeds):
    assert fit("chinchilla", seeds, how="cells", **QUICK).resample == "cells"
    n, d = grid(4, 4)
    with pytest.raises(FitError, match="no cell was run more than once"):
        fit("chinchilla", table(n, d, np.zeros(16)), how="cells", **QUICK)


def test_independent_runs_stand_alone_and_are_not_warned():
    n, d = grid(5, 6)
    noise = 0.005 * np.random.default_rng(1).standard_normal(30)
    found = fit("chinchilla", table(n, d, noise), **QUICK)
    assert str(found.units) == "30 independent runs"
    assert abs(found.units.neighbours) < 0.5
    assert WarningKind.UNDECLARED_UNITS not in said(found)


@pytest.mark.parametrize("even", [True, False])
def test_evaluations_along_runs_are_found_where_no_column_says_so(even):
    found = fit("chinchilla", checkpoints(even), **QUICK)
    assert (found.units.kind, found.units.count) == ("trajectories", 7)
    warning = next(w for w in found.warnings if w.kind == WarningKind.UNDECLARED_UNITS)
    assert "70 rows look like evaluations along 7 runs" in warning.text
    assert ("tokens rise in even steps" in warning.text) == even
    assert "name the run of each row in a column group" in warning.text


def test_the_column_that_names_the_runs_is_proposed():
    names = [f"gpt-{k}" for k in range(7)] * 10
    found = fit("chinchilla", checkpoints(run=names), **QUICK)
    text = next(w.text for w in found.warnings if w.kind == WarningKind.UNDECLARED_UNITS)
    assert "column 'run' names them: read it as group=run" in text


def test_declared_groups_are_the_units():
    found = fit("chinchilla", checkpoints(group=[f"r{k}" for k in range(7)] * 10), **QUICK)
    assert found.units.kind == "groups"
    assert WarningKind.UNDECLARED_UNITS not in said(found)


def test_intraclass_correlation_is_that_of_analysis_of_variance():
    units = np.repeat(np.arange(200), 4)
    rng = np.random.default_rng(0)
    residual = rng.standard_normal(200)[units] + rng.standard_normal(800)
    found, p_value = intraclass(units, residual, 0)
    assert found == pytest.approx(0.5, abs=0.08)
    assert p_value < 1e-6
    assert np.isnan(intraclass(np.arange(5), np.ones(5), 0)[0])


def test_units_are_kept_in_a_file(seeds, tmp_path):
    found = fit("chinchilla", seeds, **QUICK)
    again = load(found.save(tmp_path / "fit.json"))
    assert str(again.units) == str(found.units)
    assert again.units.not_used == found.units.not_used


def test_one_group_is_said_and_not_resampled(seeds):
    alone = seeds.with_columns(group=["a"] * len(seeds))
    found = fit("chinchilla", alone, **QUICK)
    low, high = found.interval("alpha")
    assert low < high
    assert any("all 48 runs are of group 'a'" in w.text for w in found.warnings)
