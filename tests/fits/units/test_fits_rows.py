"""Rows and columns that need a word: odd rows, split cells, standard errors, counts, accuracies."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from isoloss.fits import FitError, WarningKind, as_sample, fit
from isoloss.fits.units.standard_errors import relative_errors, scatter_beyond
from isoloss.laws import as_law
from isoloss.runs import Runs

TRUTH = as_law("chinchilla").with_values(
    {"A": 400.0, "alpha": 0.34, "B": 410.0, "beta": 0.28, "E": 1.7, "kappa": 1.0}
)
QUICK = {"objective": "student", "draws": 20, "starts": 6}
SIZES, RATIOS = np.meshgrid(np.geomspace(5e7, 5e9, 5), np.geomspace(5, 320, 6))
N, D = SIZES.ravel(), (SIZES * RATIOS).ravel()
NOISE = 0.004 * np.random.default_rng(2).standard_normal(30)


def table(params, tokens, noise, **columns) -> Runs:
    frame = {"params": params, "tokens": tokens, "precision": "bf16", "loss": 1.0, **columns}
    runs = Runs.from_frame(pl.DataFrame(frame))
    return runs.with_columns(loss=TRUTH.loss(as_sample(runs).x) * np.exp(noise))


def said(found) -> set[WarningKind]:
    return {each.kind for each in found.warnings}


def warning_of(found, kind):
    return next((w.text for w in found.warnings if w.kind == kind), None)


def test_one_row_far_from_all_others_is_named():
    noise = NOISE.copy()
    noise[7] += 0.2
    text = warning_of(fit("chinchilla", table(N, D, noise), **QUICK), WarningKind.ODD_ROW)
    assert text.startswith("one run lies far from all others")
    assert "500M params on 5.74B tokens in bf16" in text


def test_healthy_exact_and_scattered_tables_have_no_odd_row():
    for noise in (NOISE, np.zeros(30), 0.1 * np.sign(NOISE)):
        assert WarningKind.ODD_ROW not in said(fit("chinchilla", table(N, D, noise), **QUICK))


def halves(shift: float, **columns):
    both = np.concatenate([NOISE, NOISE + shift + 1e-3 * np.cos(np.arange(30))])
    return table(np.tile(N, 2), np.tile(D, 2), both, **columns)


def test_a_column_that_splits_cells_into_two_units_is_refused():
    with pytest.raises(FitError, match=r"'condition' splits .*where\(condition='exp_loss'\)"):
        fit("chinchilla", halves(1.0, condition=["raw"] * 30 + ["exp_loss"] * 30), **QUICK)


def test_a_column_of_bits_is_asked_to_be_the_precision():
    with pytest.raises(FitError, match=r"if it is the precision, .* precision='w\{bits\}'"):
        fit("chinchilla", halves(1.0, bits=[8] * 30 + [4] * 30), **QUICK)


def test_a_column_that_shifts_the_loss_of_cells_is_warned():
    found = fit("chinchilla", halves(0.02, norm=["pre"] * 30 + ["post"] * 30), **QUICK)
    assert "runs of equal cells differ in norm (post and pre)" in warning_of(
        found, WarningKind.SPLIT_CELLS
    )


@pytest.mark.parametrize("column", ["seed", "trial"])
def test_seeds_split_no_cells(column):
    noise = 0.004 * np.random.default_rng(4).standard_normal(60)
    runs = table(np.tile(N, 2), np.tile(D, 2), noise, **{column: [0] * 30 + [1] * 30})
    assert WarningKind.SPLIT_CELLS not in said(fit("chinchilla", runs, **QUICK))


def test_standard_errors_weight_rows_and_bring_the_estimate_nearer():
    rng = np.random.default_rng(6)
    se = np.where(np.arange(30) % 3 == 0, 0.03, 0.002)
    misses = []
    for _ in range(6):
        noise = se * rng.standard_normal(30)
        plain = table(N, D, noise)
        loss = TRUTH.loss(as_sample(plain).x)
        told = plain.with_columns(loss_se=se * loss)
        pair = [
            fit("chinchilla", runs, objective="squares", draws=2, starts=6).law.loss(
                as_sample(plain).x
            )
            for runs in (plain, told)
        ]
        misses.append([np.sqrt(np.mean(np.log(each / loss) ** 2)) for each in pair])
    before, after = np.mean(misses, axis=0)
    assert after < 0.6 * before


def test_the_report_says_how_rows_are_weighted():
    se = np.where(np.arange(30) % 2 == 0, 0.02, 0.001)
    found = fit("chinchilla", table(N, D, NOISE, loss_se=se), **QUICK)
    assert found.units.weighted == pytest.approx(0.004, rel=0.6)
    assert "rows weighted by 1 / (scatter^2 + loss_se^2)" in str(found)
    assert found.sample.weights.mean() == pytest.approx(1)


def test_equal_or_unknown_errors_change_nothing():
    plain = table(N, D, NOISE)
    equal = plain.with_columns(loss_se=0.01 * plain["loss"])
    some = plain.with_columns(loss_se=[0.01, None] * 15)
    assert relative_errors(as_sample(equal), True) is None
    assert relative_errors(as_sample(some), True) is None
    assert "loss_se" in fit("chinchilla", some, **QUICK).units.not_used


@pytest.mark.parametrize(
    ("se", "said"),
    [
        (
            [9.0] * 2 + [0.01] * 28,
            "loss_se is as large as the loss or larger in 2 of 30 runs (up to 9",
        ),
        ([1e-12] * 30, "loss_se is at most 1e-12 in all 30 runs that have one"),
        ([0.0] * 30, None),
        ([0.01] * 30, None),
    ],
)
def test_standard_errors_that_cannot_be_such_are_said(se, said):
    found = fit("chinchilla", table(N, D, NOISE, loss_se=np.array(se)), **QUICK)
    texts = [w.text for w in found.warnings if "loss_se" in w.about]
    assert [said in text for text in texts] == ([] if said is None else [True])


def test_a_column_weight_weights_rows():
    noise = NOISE + np.where(np.arange(30) == 7, 0.1, 0.0)
    without = np.arange(30) != 7
    options = {"objective": "squares", "draws": 2, "starts": 6}
    weight = np.where(without, 2.0, 2e-9)
    found = fit("chinchilla", table(N, D, noise, weight=weight), **options)
    alone = fit("chinchilla", table(N[without], D[without], noise[without]), **options)
    assert found.values["alpha"] == pytest.approx(alone.values["alpha"], rel=1e-4)
    assert "rows weighted by column weight" in str(found)


@pytest.mark.parametrize("weight", [0.0, -1.0, None, "heavy"])
def test_weights_that_are_no_numbers_above_zero_are_refused(weight):
    good = "2" if weight == "heavy" else 2.0
    runs = table(N, D, NOISE, weight=[weight] * 3 + [good] * 27)
    with pytest.raises(FitError, match=r"column 'weight' is .* in 3 of 30 runs; weights of rows"):
        fit("chinchilla", runs, **QUICK)


def test_scatter_beyond_errors_is_found():
    rng = np.random.default_rng(0)
    errors = rng.uniform(0.5, 2, 4000)
    residual = rng.standard_normal(4000) * np.sqrt(1 + errors**2)
    assert scatter_beyond(residual, errors, 0) == pytest.approx(1, rel=0.1)
    assert scatter_beyond(errors * rng.standard_normal(4000), errors, 0) < 0.3


def test_columns_without_use_are_listed():
    columns = {"cost": np.arange(30.0), "kernels": "real", "lr_peak": 1e-3, "unique_tokens": D}
    runs = table(N, D, NOISE, **columns)
    found = fit("chinchilla", runs, **QUICK)
    assert found.units.not_used == ("unique_tokens", "kernels", "cost")
    assert "columns not used: unique_tokens, kernels, cost" in str(found)
    apart = runs.with_columns(lr_peak=[1e-3, 2e-3] * 15)
    assert fit("chinchilla", apart, **QUICK).units.tell_apart == ("lr_peak",)
    repeats = fit("muennighoff2023", runs, **QUICK)
    assert "unique_tokens" not in repeats.units.not_used


def test_a_loss_that_rises_with_params_is_asked_about():
    runs = table(N, D, NOISE)
    accuracy = runs.with_columns(loss=1 - 0.2 * runs["loss"])
    text = warning_of(fit("chinchilla", accuracy, **QUICK), WarningKind.RISING_LOSS)
    assert text.startswith("the loss rises with params in ")
    assert "is it an accuracy?" in text
    assert text in (fit("chinchilla", accuracy, **QUICK).withheld or "")
    assert warning_of(fit("chinchilla", runs, **QUICK), WarningKind.RISING_LOSS) is None


@pytest.mark.parametrize(
    ("params", "tokens", "said"),
    [(1e-6, 1, "params=1e6 * runs"), (1, 1e-9, "tokens=1e9 * runs"), (1, 1, None)],
)
def test_counts_in_millions_or_billions_are_said(params, tokens, said):
    runs = table(N, D, NOISE)
    scaled = runs.with_columns(params=params * N, tokens=tokens * D)
    text = warning_of(fit("chinchilla", scaled, **QUICK), WarningKind.ODD_COUNTS)
    assert (text is None) if said is None else (said in text)
