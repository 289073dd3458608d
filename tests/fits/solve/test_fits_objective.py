"""Objectives: each residual loss against its derivatives, and one of a user's own."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from isoloss.fits import OBJECTIVES, RESIDUAL_LOSSES, FitError, Objective, ResidualLoss, fit


@pytest.mark.parametrize("kind", RESIDUAL_LOSSES)
def test_slope_curvature_and_weight_are_those_of_the_value(kind):
    objective = Objective(kind, delta=0.02)
    r = np.array([-0.5, -0.03, -0.011, 0.004, 0.013, 0.4])
    step = 1e-6
    rise = objective.value(r + step) - objective.value(r - step)
    np.testing.assert_allclose(rise / (2 * step), objective.slope(r), rtol=1e-6, atol=1e-9)
    bend = objective.slope(r + step) - objective.slope(r - step)
    np.testing.assert_allclose(bend / (2 * step), objective.curvature(r), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(objective.weight(r) * r, objective.slope(r), rtol=1e-12)
    assert objective.value(np.zeros(1)) == 0


@pytest.mark.parametrize("unit", [1.0, 1e-6])
def test_the_scale_found_is_the_most_likely(unit):
    r = unit * np.random.default_rng(0).standard_t(4, size=400)
    found = Objective("student").at(r)
    grid = found.scale * np.exp(np.linspace(-0.5, 0.5, 101))
    likely = [stats.t.logpdf(r / s, 4).sum() - len(r) * np.log(s) for s in grid]
    assert np.argmax(likely) == 50
    assert found.residual_loss.deviance(found, r) == pytest.approx(-2 * max(likely))


def test_a_scale_is_given_or_found_and_never_below_the_floor():
    r = np.zeros(20)
    assert Objective("student").at(r, floor=1e-9).scale == 1e-9
    assert Objective("student", delta=0.1).at(r) == Objective("student", delta=0.1)
    assert Objective("huber").scale == 1e-3
    with pytest.raises(FitError, match="found by a fit"):
        Objective("student").value(r)


def test_a_loss_of_ones_own_is_fitted(table):
    """log cosh r / delta: between Huber and squares, written here from its derivatives."""
    RESIDUAL_LOSSES.register(
        "cosh",
        ResidualLoss(
            value=lambda o, r: o.delta**2 * np.log(np.cosh(np.clip(r / o.delta, -300, 300))),
            slope=lambda o, r: o.delta * np.tanh(r / o.delta),
            curvature=lambda o, r: 1 / np.cosh(np.clip(r / o.delta, -300, 300)) ** 2,
            weight=lambda o, r: np.where(r == 0, 1.0, o.delta * np.tanh(r / o.delta) / r),
            title=lambda o, on: f"log cosh({o.delta:g}) on {on}",
        ),
    )
    OBJECTIVES.register("cosh", Objective("cosh", delta=1.0))
    try:
        found = fit("chinchilla", table, objective="cosh", draws=2)
        squares = fit("chinchilla", table, objective="squares", draws=2)
        assert found.values == pytest.approx(squares.values, rel=1e-3)
        assert "log cosh(1) on log loss" in str(found)
    finally:
        RESIDUAL_LOSSES.remove("cosh")
        OBJECTIVES.remove("cosh")
    with pytest.raises(FitError, match="accepted are huber, squares, student"):
        Objective("cosh")
