"""What runs and bounds say of the constants of a fit, and the units in which runs are chosen."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from isoloss.fits import Fit, draw_runs, fit, log_slopes
from isoloss.formats import Precision
from isoloss.plans import Budget, as_machine
from isoloss.plans.design.candidates import Region, grid
from isoloss.plans.design.refit_gradients import (
    Replicates,
    Target,
    inputs_of,
    noise_of,
    replicates_of,
)
from isoloss.runs import Runs

NOISE = 0.005


@pytest.fixture(scope="module")
def fitted() -> Fit:
    cells = list(itertools.product((2e7, 4e7, 8e7, 1.6e8), (4e8, 1e9, 2.5e9, 6e9)))
    columns = {name: [c[k] for c in cells] for k, name in enumerate(("params", "tokens"))}
    rest = {"precision": ["bf16"] * len(cells), "loss": 1.0}
    runs = draw_runs("epoch2024", Runs.from_frame(pl.DataFrame({**columns, **rest})), NOISE, seed=1)
    return fit("chinchilla", runs, draws=30, starts=4, holdout="largest")


@pytest.fixture(scope="module")
def replicates(fitted: Fit) -> Replicates:
    bf16 = (Precision.parse("bf16"),)
    target = Target(fitted, Budget("1e21 flop"), as_machine("h100"), bf16, None)
    return replicates_of(target, NOISE, 5)


def test_information_is_that_of_the_runs_and_of_the_bounds(fitted, replicates) -> None:
    # A uniform value between two bounds has the variance width^2 / 12.
    width = fitted.coordinates.upper - fitted.coordinates.lower
    slopes = log_slopes(fitted.law, replicates.theta, inputs_of(fitted)) / NOISE
    for known, own in zip(replicates.information, slopes, strict=True):
        np.testing.assert_allclose(known, own.T @ own + np.diag(12 / width**2), rtol=1e-12)


def test_replicates_are_spread_evenly_over_the_params_that_they_plan(fitted, replicates) -> None:
    order = np.sort(replicates.log_params)
    assert len(order) == len(fitted.draws)
    wanted = order[((np.arange(5) + 0.5) / 5 * len(order)).astype(int)]
    rows = [
        int(np.flatnonzero((fitted.draws == theta).all(axis=1))[0]) for theta in replicates.theta
    ]
    np.testing.assert_array_equal(replicates.log_params[rows], wanted)


def test_constants_are_in_units_of_what_runs_and_candidates_say_of_them(fitted, replicates) -> None:
    region = Region((2e7, 4e8), (4e8, 2e10), (0, np.inf))
    bf16 = (Precision.parse("bf16"),)
    taken, problem = replicates.of(grid(region, 3, 3, as_machine("h100"), bf16))
    assert len(taken) == 9
    slopes = log_slopes(fitted.law, replicates.theta, taken.inputs(None)) / NOISE
    for k, known in enumerate(replicates.information):
        unit = 1 / np.sqrt(np.square(slopes[k]).mean(axis=0) + np.diag(known))
        np.testing.assert_allclose(problem.slopes[k], slopes[k] * unit, rtol=1e-12)
        np.testing.assert_allclose(problem.aims[k], replicates.aims[k] * unit, rtol=1e-12)
        wanted = known * np.outer(unit, unit) + 1e-10 * np.eye(len(unit))  # for rounding
        np.testing.assert_allclose(problem.known[k], wanted, rtol=0, atol=1e-14)


def test_a_saved_fit_tells_the_same_runs_and_noise_as_one_with_its_table(fitted) -> None:
    kept = ~fitted.points.held_out
    assert (kept.sum(), len(kept)) == (12, 16)
    saved = inputs_of(replace(fitted, sample=None))
    np.testing.assert_array_equal(saved.params, fitted.points.params[kept])
    np.testing.assert_array_equal(saved.tokens, inputs_of(fitted).tokens)
    # Twelve runs spend five constants.
    squares = np.square(fitted.points.residual[kept])
    assert fitted.draws.shape[1] == 5
    assert noise_of(fitted) == pytest.approx(np.sqrt(squares.sum() / 7))
