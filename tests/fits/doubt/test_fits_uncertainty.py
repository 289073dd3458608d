"""Intervals: resampling against a plain loop, profiles against bootstrap, coverage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from isoloss.fits import FitError, fit
from isoloss.fits.doubt.resampling import weights, wild
from isoloss.fits.doubt.uncertainty import replicates, resample
from isoloss.fits.sample import as_sample
from isoloss.fits.solve.objective import HUBER, SQUARES
from isoloss.fits.solving import optimum_of
from isoloss.laws import as_inputs, preset
from isoloss.runs import Run


@pytest.fixture(scope="module")
def best(table):
    sample = as_sample(table)
    return sample, optimum_of(preset("chinchilla"), sample, HUBER)


def plain_objective(theta, n, d, log_loss, weight):
    """Written again from the definition, in other coordinates: the oracle of replicates."""
    a, alpha, b, beta, e = theta
    r = np.logaddexp(np.logaddexp(a - alpha * n, b - beta * d), e) - log_loss
    rows = np.where(np.abs(r) < 1e-3, r * r / 2, 1e-3 * (np.abs(r) - 5e-4))
    return 1e4 * float((weight * rows).sum())


def test_refits_agree_with_a_scipy_loop(best):
    sample, optimum = best
    rng = np.random.default_rng(0)
    drawn = weights("runs", np.arange(len(sample)), 12, rng)
    begun = np.tile(optimum.theta, (12, 1))
    ours = replicates(replace(optimum.problem, weights=drawn), begun, "runs").theta
    start = optimum.theta * [1, 1, 1, 1, 0] + [0, 0, 0, 0, np.log(optimum.theta[4])]
    for weight, theta in zip(drawn, ours, strict=True):
        given = (sample.x.log_params, sample.x.log_tokens, np.log(sample.loss), weight)
        polished = minimize(
            plain_objective,
            start,
            given,
            method="Nelder-Mead",
            options={"maxiter": 8000, "maxfev": 8000, "fatol": 1e-10, "xatol": 1e-8},
        )
        mine = plain_objective(np.append(theta[:4], np.log(theta[4])), *given)
        assert mine <= polished.fun * (1 + 1e-6)


@pytest.mark.parametrize("how", ["runs", "groups", "cells", "fractional"])
@pytest.mark.parametrize("spread", [1.0, 2.5])
def test_weights_have_mean_one(how, spread):
    units = np.repeat(np.arange(20), 3)
    drawn = weights(how, units, 4000, np.random.default_rng(0), spread)
    assert drawn.sum(axis=1) == pytest.approx(np.full(4000, 60.0))
    assert drawn.mean(axis=0) == pytest.approx(np.ones(60), abs=0.1)
    assert (drawn[:, 0::3] == drawn[:, 1::3]).all()
    if how == "fractional":  # of weights that sum to a fixed number
        assert drawn.var() == pytest.approx(spread * 19 / (20 + spread), rel=0.1)


@pytest.mark.parametrize("exponent", [False, True])
def test_wild_flips_whole_groups(exponent):
    residual = np.arange(1.0, 7.0) / 100
    groups = np.array([0, 0, 1, 1, 2, 2])
    drawn = wild(np.full(6, 2.0), residual, groups, 50, np.random.default_rng(0), exponent)
    signs = np.round(((np.log(drawn) if exponent else drawn) - 2.0) / residual, 9)
    assert set(signs.ravel()) == {-1.0, 1.0}
    assert (signs[:, 0] == signs[:, 1]).all()


def test_the_default_resample_follows_the_runs(table):
    law = preset("chinchilla")
    assert fit(law, table, draws=2).resample == "fractional"  # 30 runs for five constants are few
    assert fit(law.fix(alpha=0.34, beta=0.36), table, draws=2).resample == "runs"
    grouped = table.with_columns(group=[f"model {k % 15}" for k in range(len(table))])
    assert fit(law, grouped, draws=2).resample == "groups"
    assert (
        fit(
            law, grouped.with_columns(group=[f"model {k % 3}" for k in range(30)]), draws=2
        ).resample
        == "fractional"
    )
    with pytest.raises(FitError, match="runs are not grouped"):
        fit(law, table, how="groups", draws=2)


def test_few_runs_are_drawn_as_wide_as_least_squares_says():
    """The oracle: a linear law whose constants have a known covariance, s^2 (X'X)^-1 over n - p."""
    rng = np.random.default_rng(2)
    n, d = (v.ravel() for v in np.meshgrid(np.geomspace(5e7, 1e9, 4), np.geomspace(1e9, 5e10, 4)))
    law = preset("chinchilla").fix(alpha=0.34, beta=0.36)
    truth = law.at(A=420.0, B=1900.0, E=1.75)
    loss = truth.loss(as_inputs(n, d)) * np.exp(0.003 * rng.standard_normal(16))
    rows = zip(n.tolist(), d.tolist(), loss.tolist(), strict=True)
    sample = as_sample([Run(params=a, tokens=b, loss=c, precision="bf16") for a, b, c in rows])
    optimum = optimum_of(law, sample, SQUARES, 4)
    jacobian = optimum.problem.jacobian(optimum.theta)
    residual = optimum.problem.residuals(optimum.theta[None, :])[0]
    wide = np.sqrt(np.diag(np.linalg.inv(jacobian.T @ jacobian)) * (residual @ residual) / 13)
    found = resample(sample, optimum, 400)
    assert found.how == "fractional"
    assert found.theta.std(axis=0) / wide == pytest.approx(np.ones(3), abs=0.3)
    drawn = weights("fractional", np.arange(16), 400, np.random.default_rng(0))
    begun = np.tile(optimum.theta, (400, 1))
    alone = replicates(replace(optimum.problem, weights=drawn), begun, "fractional")
    grown = found.theta.std(axis=0) / alone.theta.std(axis=0)
    assert grown == pytest.approx(np.full(3, np.sqrt(16 / 13)), rel=0.1)


def test_unknown_resample(best):
    with pytest.raises(FitError, match="unknown resample 'jackknife'; accepted are runs"):
        resample(*best, draws=2, how="jackknife")


def test_seed_makes_draws(best):
    one, two = (resample(*best, draws=5, seed=3).theta for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, resample(*best, draws=5, seed=4).theta)


def test_absent_levels_survive_fractional_weights(quantised):
    found = fit(
        "frantar2025", quantised.where(precision=["bf16", "w4"]).take(np.arange(0, 32, 1)), draws=20
    )
    assert found.resample in ("fractional", "runs")
    assert np.isfinite(found.draws).all()


@pytest.mark.parametrize("how", [None, "fractional", "wild"])
def test_the_order_of_rows_changes_nothing(table, how):
    mixed = table.take(np.random.default_rng(4).permutation(len(table)))
    one, two = (
        fit("chinchilla", runs, draws=8, starts=4, how=how, holdout="random")
        for runs in (table, mixed)
    )
    assert two.draws == pytest.approx(one.draws, rel=1e-6)
    points = ("1B", "30B")
    assert two.predict(*points).low == pytest.approx(one.predict(*points).low, rel=1e-5)
