"""Profiles against the linear interval, brute force, and refits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from isoloss.fits import FitError, compare, fit, profile_prediction
from isoloss.fits.doubt import points, profile_of_constant, profile_of_loss
from isoloss.fits.sample import as_sample
from isoloss.fits.solve.objective import HUBER, SQUARES
from isoloss.fits.solving import optimum_of
from isoloss.laws import preset


@pytest.fixture(scope="module")
def squares(table):
    sample = as_sample(table)
    return sample, optimum_of(preset("chinchilla"), sample, SQUARES)


def linear_error(optimum, gradient):
    """The textbook standard error of a linear combination."""
    jacobian = optimum.problem.jacobian(optimum.theta)
    r = optimum.problem.residuals(optimum.theta[None, :])[0]
    variance = np.sum(r**2) / (len(r) - jacobian.shape[1])
    return float(np.sqrt(gradient @ np.linalg.inv(jacobian.T @ jacobian) @ gradient * variance))


def test_a_constant_agrees_with_the_linear_interval(squares):
    sample, optimum = squares
    found = profile_of_constant(optimum, sample, "alpha", 0.9)
    assert found.high - found.low == pytest.approx(
        2 * 1.645 * linear_error(optimum, np.eye(5)[1]), rel=0.1
    )
    assert found.objective.min() >= optimum.certificate.objective * (1 - 1e-9)


def test_a_prediction_agrees_with_the_linear_interval(squares):
    sample, optimum = squares
    found = profile_of_loss(optimum, sample, points("200M", "4B", "fp"), "loss", 0.9)
    at = as_sample(sample.runs.take(np.array([0])).with_columns(params=2e8, tokens=4e9))
    gradient = replace(optimum.problem, x=at.x, observed=at.loss).jacobian(optimum.theta)[0]
    assert np.log(found.high / found.low) == pytest.approx(
        2 * 1.645 * linear_error(optimum, gradient), rel=0.05
    )
    assert found.low < float(optimum.law(2e8, 4e9)) < found.high
    assert found.kind == "prediction"


def test_held_predictions_are_held(squares):
    sample, optimum = squares
    found = profile_of_loss(optimum, sample, points(2e8, 4e9, "fp"), "loss", 0.9, points=5)
    assert (np.diff(found.values) > 0).all()
    assert found.objective[2] == pytest.approx(optimum.certificate.objective, rel=1e-6)
    assert (np.diff(found.objective[2:]) > 0).all()
    assert (np.diff(found.objective[:3]) < 0).all()


def test_a_prediction_under_huber_is_like_its_refits(table):
    found = fit("chinchilla", table, draws=300)
    by_profile = profile_prediction(found, 2e8, 4e9)
    by_refits = found.predict(2e8, 4e9, of="mean")
    ratio = (by_profile.high - by_profile.low) / (by_refits.high - by_refits.low)[0]
    assert 0.5 < ratio < 1.7


def test_a_constant_is_reported_on_its_own_scale(table):
    sample = as_sample(table)
    optimum = optimum_of(preset("chinchilla"), sample, HUBER)
    found = profile_of_constant(optimum, sample, "A", 0.9)
    assert found.values[0] <= found.low < optimum.law.values["A"] < found.high <= found.values[-1]
    assert str(found).startswith("A: ")


def test_a_fixed_constant_has_no_profile(squares):
    with pytest.raises(FitError, match="'kappa' is not free in this fit; free are A"):
        profile_of_constant(squares[1], squares[0], "kappa", 0.9)


def test_a_precision_outside_the_fitted_levels_can_be_profiled(quantised):
    sample = as_sample(quantised)
    optimum = optimum_of(preset("kumar2024"), sample, SQUARES, starts=8)
    found = profile_of_loss(optimum, sample, points(1e8, 2e9, "w6"), "loss", 0.9, points=9)
    assert found.low < float(optimum.law(1e8, 2e9, "w6")) < found.high


def test_rollout_in_a_comparison(table):
    found = compare(
        ["chinchilla", "chinchilla_tied"], table, holdouts=["rollout=params"], draws=10, starts=8
    )
    assert len(found.rules) == 2
    assert all(len(e.held_out) == 2 for e in found.entries)
    with pytest.raises(FitError, match="makes several splits; use it in compare"):
        fit("chinchilla", table, holdout="rollout=params", draws=2)
    with pytest.raises(FitError, match="by is params or tokens"):
        compare(["chinchilla"], table, holdouts=["rollout=bits"], draws=2)
