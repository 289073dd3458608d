"""Doors: every verb of fits takes the same kinds, and refuses the rest in one sentence."""

from __future__ import annotations

import numpy as np
import pytest

from isoloss.fits import (
    Objective,
    compare,
    draw_runs,
    fit,
    gap_table,
    gaps,
    predict,
    profile,
    profile_prediction,
    rollout,
    split,
)
from isoloss.laws import preset
from isoloss.runs import Runs

QUICK = {"draws": 2, "starts": 2}


@pytest.fixture(scope="module")
def fitted(table):
    return fit("chinchilla", table, **QUICK)


@pytest.fixture(scope="module")
def laws(fitted):
    return {"name": "chinchilla", "law": preset("chinchilla"), "fit": fitted}


@pytest.fixture(scope="module")
def tables(table, tmp_path_factory):
    path = table.save(tmp_path_factory.mktemp("runs") / "runs.csv")
    return {
        "runs": table,
        "text": str(path),
        "path": path,
        "polars": table.frame(),
        "pandas": pytest.importorskip("pandas").DataFrame(table.frame().to_dict(as_series=False)),
        "list": list(table),
    }


@pytest.mark.parametrize("kind", ["name", "law", "fit"])
def test_a_law_is_a_name_a_law_or_a_fit(kind, laws, table, fitted):
    law = laws[kind]
    assert fit(law, table, **QUICK).values == fitted.values
    assert compare([law], table, **QUICK).best.law.name == "chinchilla"
    assert compare(law, table, **QUICK).best.law.name == "chinchilla"
    assert len(draw_runs(fitted if kind == "fit" else preset("epoch2024"), table)) == 30


@pytest.mark.parametrize("kind", ["runs", "text", "path", "polars", "pandas", "list"])
def test_runs_are_whatever_is_read(kind, tables, fitted):
    runs = tables[kind]
    assert fit("chinchilla", runs, **QUICK).values == pytest.approx(fitted.values, rel=1e-6)
    assert len(split(runs, "largest").test) == 6
    assert len(list(rollout(runs))) == 2
    assert gaps(runs) is None
    assert len(draw_runs("epoch2024", runs)) == 30


def test_a_fit_is_fitted_again_with_its_absent_constants_free(quantised):
    some = fit("kumar2024", quantised.where(precision=["bf16", "w3", "w4", "w8"]), **QUICK)
    assert "gamma_a" in some.absent
    assert "gamma_a" not in fit(some, quantised, **QUICK).absent


def test_the_level_of_a_fit_is_that_of_its_predictions(table):
    found = fit("chinchilla", table, level=0.5, **QUICK)
    assert predict(found, 1e8, 1e9).level == 0.5
    assert profile(found, "alpha", grid=5).level == 0.5


REFUSED = [
    (lambda t, f: fit(t, "chinchilla"), "cannot take a Runs for a law; accepted are a law's name"),
    (lambda t, f: fit("chinchilla", preset("chinchilla")), "runs is the law 'chinchilla'"),
    (lambda t, f: fit("chinchilla", f), "cannot read runs from an object of type Fit"),
    (lambda t, f: fit(None, t), "cannot take None for a law"),
    (lambda t, f: fit("chinchila", t), "did you mean 'chinchilla'"),
    (lambda t, f: fit("chinchilla", []), "no source to read"),
    (lambda t, f: fit("chinchilla", Runs()), "the table has no rows"),
    (lambda t, f: fit("chinchilla", "x" * 300), "File name too long"),
    (lambda t, f: fit("chinchilla", "/tmp/" + "x" * 300 + ".csv"), "File name too long"),
    (lambda t, f: fit("chinchilla", t, draws=float("nan")), "draws is nan; it is a whole"),
    (lambda t, f: fit("chinchilla", t, draws=0), "draws is 0; it is a whole number of at least 2"),
    (lambda t, f: fit("chinchilla", t, draws=True), "draws is True"),
    (lambda t, f: fit("chinchilla", t, draws="40"), "draws is '40'"),
    (lambda t, f: fit("chinchilla", t, starts=0),
     "starts is 0; it is a whole number of at least 1"),
    (lambda t, f: fit("chinchilla", t, level=2), "level is 2; it is a share between 0 and 1"),
    (lambda t, f: fit("chinchilla", t, level=float("nan")), "level is nan"),
    (lambda t, f: fit("chinchilla", t, level="0.9"), "level is '0.9'"),
    (lambda t, f: fit("chinchilla", t, seed=-1), "seed is -1"),
    (lambda t, f: fit("chinchilla", t, holdout=3), "hold-out is 3; it is a function"),
    (lambda t, f: fit("chinchilla", t, holdout="format"), "unknown hold-out 'format'; accepted"),
    (lambda t, f: fit("chinchilla", t, holdout="random=3"), "unknown hold-out 'random=3'"),
    (lambda t, f: fit("chinchilla", t, holdout="source=x"), "needs the column|holds out 0"),
    (lambda t, f: fit("chinchilla", t, holdout=lambda s: [1, 2]), "gave int64 of shape"),
    (lambda t, f: fit("chinchilla", t, how="jackknife"), "unknown resample 'jackknife'"),
    (lambda t, f: fit("chinchilla", t, how=[]), r"unknown resample \[\]"),
    (lambda t, f: fit("chinchilla", t, objective=3), "objective is 3; it is an Objective"),
    (lambda t, f: fit("chinchilla", t, objective="l7"), "unknown objective 'l7'; accepted are"),
    (lambda t, f: fit("chinchilla", t, fixed={"A": "x"}), "fixed holds 'A' at 'x'"),
    (lambda t, f: fit("chinchilla", t, fixed=[1]), r"fixed is \[1\]"),
    (lambda t, f: fit("chinchilla", t, callback=3), "callback is 3"),
    (lambda t, f: fit("chinchilla", t, per="colour"), "runs have no column 'colour' for per"),
    (lambda t, f: fit("chinchilla", t, per=3), "per is 3; it is text as 'source'"),
    (lambda t, f: fit("chinchilla", t, draws=10**12), "draws is 1000000000000; it is a whole"),
    (lambda t, f: f.compute_split("x"), "flop is 'x'; it is a number of FLOPs above 0"),
    (lambda t, f: f.compute_split(-1), "flop is -1"),
    (lambda t, f: predict(f, 1e9, 1e9, sparsity=3), "sparsity is 3; it is text as '2:4'"),
    (lambda t, f: predict(f, 1e9, 1e9, group=3), "group is 3"),
    (lambda t, f: predict(f, 1e9, 1e9, of=["run"]), "of is 'run' or 'mean'"),
    (lambda t, f: draw_runs("epoch2024", t, source=3), "source is 3"),
    (lambda t, f: compare([], t), "laws is empty"),
    (lambda t, f: compare(3, t), "laws is 3; it is a list of laws"),
    (lambda t, f: compare([t], t), "cannot take a Runs for a law"),
    (lambda t, f: compare(t, ["chinchilla"]), "cannot take a Run for a law"),
    (lambda t, f: compare(["chinchilla"], t, holdouts=3), "holdouts is 3; it is a rule"),
    (lambda t, f: compare(["chinchilla"], t, holdouts=[3]), "hold-out is 3"),
    (lambda t, f: compare(["chinchilla"], t, draws=0), "draws is 0"),
    (lambda t, f: predict([], 1e9, 1e9), r"cannot predict from \[\]; give a fit"),
    (lambda t, f: predict(t, 1e9, 1e9), "cannot predict from a table of 30 runs"),
    (lambda t, f: predict(f, [], 1e9), "params is empty; give at least one count"),
    (lambda t, f: predict(f, None, 1e9), "params is None"),
    (lambda t, f: predict(f, {"a": 1}, 1e9), "params is {'a': 1}"),
    (lambda t, f: predict(f, "big", 1e9), "cannot read 'big' as a number"),
    (lambda t, f: predict(f, [1e8, 1e9], [1e9] * 3),
     "there are 2 params, 3 tokens and 1 precisions"),
    (lambda t, f: predict(f, 1e9, 1e9, []), r"precision is \[\]"),
    (lambda t, f: predict(f, 1e9, 1e9, 4), "precision is 4; it is a spelling"),
    (lambda t, f: predict(f, 1e9, 1e9, level=2), "level is 2"),
    (lambda t, f: predict("chinchilla", 1e9, 1e9, of="model"), "of is 'run' or 'mean'"),
    (lambda t, f: predict(f, -1, 1e9), "params is -1"),
    (lambda t, f: f.predict(1e9, 1e9, level=float("nan")), "level is nan"),
    (lambda t, f: f.interval("A", 2), "level is 2"),
    (lambda t, f: profile("chinchilla", "A"), "cannot profile 'chinchilla'; give a fit"),
    (lambda t, f: profile(f, "A", 2), "level is 2"),
    (lambda t, f: profile(f, "A", grid=1), "grid is 1; it is a whole number of at least 3"),
    (lambda t, f: profile(f, "A", reach=0), "reach is 0"),
    (lambda t, f: profile_prediction(f, [1e8, 1e9], 1e9), "a profile is of one point, and 2"),
    (lambda t, f: gap_table(t, level=2), "level is 2"),
    (lambda t, f: gap_table(f), "cannot read runs from an object of type Fit"),
    (lambda t, f: gaps(3), "cannot read runs from an object of type int"),
    (lambda t, f: rollout(t, "bits"), "cannot roll out by 'bits'; by is params or tokens"),
    (lambda t, f: rollout(t, least=0), "least is 0"),
    (lambda t, f: split(t, "largest", seed="x"), "seed is 'x'"),
    (lambda t, f: draw_runs("epoch2024", t, noise=float("nan")), "noise is nan; it is a number"),
    (lambda t, f: draw_runs("epoch2024", t, seed=0.5), "seed is 0.5"),
    (lambda t, f: Objective("huber", delta=0.0), "delta of an objective is 0.0; it is above 0"),
    (lambda t, f: Objective("cauchy"), "unknown kind of objective 'cauchy'; accepted are huber"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_the_rest_is_refused_in_one_sentence(call, message, table, fitted):
    with pytest.raises(ValueError, match=message) as caught:
        call(table, fitted)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_bad_settings_are_refused_before_runs_are_read():
    with pytest.raises(ValueError, match="draws is 0"):
        fit("chinchilla", "no_such_file.csv", draws=0)
    with pytest.raises(ValueError, match="hold-out is 3"):
        compare(["chinchilla"], "no_such_file.csv", holdouts=[3])


def test_a_loaded_fit_has_no_profile(fitted, tmp_path):
    from isoloss.fits import load

    loaded = load(fitted.save(tmp_path / "fit.json"))
    with pytest.raises(ValueError, match="was loaded from a file without its runs"):
        profile(loaded, "A")
    assert np.isfinite(predict(loaded, 1e8, 1e9).low).all()
