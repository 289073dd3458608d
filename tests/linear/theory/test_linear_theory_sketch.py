"""Bounds, effective sizes and allocation of real random sketches."""

from __future__ import annotations

import math

import pytest

from isoloss.linear import (
    SGD,
    Allowance,
    Regression,
    allocate,
    equal_risk_size,
    excess_risk,
    risk_bound,
)


@pytest.mark.parametrize("site", ["after", "before"])
@pytest.mark.parametrize("inputs", ["clean", "in use"])
@pytest.mark.parametrize(
    "precision", ["fp", "d:add(1e-2)", "d:vec(0.02)", "d:add(1e-3) a:vec(0.05) w:add(1e-3)"]
)
def test_bounds_hold_for_a_sketch(precision: str, inputs: str, site: str) -> None:
    problem, sgd = Regression(400, 1.5, 0.5, sketch=48, site=site), SGD(3000, 2, 0.03)
    bound = risk_bound(problem, sgd, precision, inputs)  # type: ignore[arg-type]
    assert (
        bound.lower
        < excess_risk(problem, sgd, precision, inputs=inputs).value
        < bound.upper
        < math.inf
    )  # type: ignore[arg-type]
    assert bound.approximation > 0


def test_a_shared_factor_keeps_what_the_last_doubling_gains() -> None:
    """0.98 at eps 0.02 in dynamics.md, claim C4."""
    problem, sgd = Regression(1000, 1.5, 0.25), SGD(200_000, 1, 0.05)
    found = equal_risk_size(problem, 128, sgd, "d:vec(0.02)", model="sketch", inputs="in use")
    assert found.doubling / found.full_doubling == pytest.approx(1 / 1.02, abs=0.01)
    assert found.closed == 128


def test_a_sketch_has_no_closed_form_where_it_mixes_the_noise() -> None:
    problem, sgd = Regression(200, 1.5, 0.25, site="before"), SGD(2000, 1, 0.05)
    for precision in ("d:coord(0.02)", "d:add(1e-3)"):
        assert math.isnan(equal_risk_size(problem, 16, sgd, precision, model="sketch").closed)


def test_a_real_sketch_may_be_allocated() -> None:
    problem, precisions = Regression(200, 1.5, 0.25), ["fp", "d:add(1e-2)", "d:vec(0.02)"]
    found = allocate(problem, Allowance(compute=2e4), precisions, model="sketch", sizes=8)
    assert [each.precision for each in found.choices] == ["fp", "d:vec(0.02)", "d:add(0.01)"]
    assert "of a random sketch of M rows" in str(found)
