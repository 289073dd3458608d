"""The mean over sketches: against what is known of isotropic problems, and sketch by sketch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from isoloss.linear import SGD, Regression, excess_risk, sketch_risk

PROBLEM, SGD_ = Regression(30, 1.5, sketch=6, seed=3), SGD(200, 2, 0.05)


def test_what_a_random_subspace_misses() -> None:
    """H = I: of w* a random M-dimensional subspace misses 1 - M/d in the mean, exactly."""
    found = sketch_risk(Regression(20, decay=0.0, sketch=5), SGD(10, step_size=0.01), sketches=60)
    missed = np.array([each.parts.approximation for each in found.risks])
    assert found.risk.parts.approximation == pytest.approx(missed.mean())
    assert missed.mean() == pytest.approx(0.5 * 20 * (1 - 5 / 20), abs=3 * missed.std() / 60**0.5)


def test_it_is_the_mean_of_each() -> None:
    found = sketch_risk(PROBLEM, SGD_, "d:add(0.02)", inputs="in use", sketches=4)
    alone = [
        excess_risk(replace(PROBLEM, seed=seed), SGD_, "d:add(0.02)", inputs="in use")
        for seed in (3, 4, 5, 6)
    ]
    values = np.array([each.value for each in alone])
    assert found.seeds == (3, 4, 5, 6)
    assert found.values.tolist() == values.tolist()
    assert (found.risk.value, found.risk.how) == (values.mean(), "exact")
    assert found.risk.parts.total == pytest.approx(found.risk.value, rel=1e-12)
    assert found.risk.standard_error == pytest.approx(stats.sem(values))
    expected = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
    assert found.interval(0.95) == pytest.approx(expected)
    assert "mean over 4 sketches (seeds 3 to 6), 90% interval over sketches" in str(found)


def test_precisions_are_paired() -> None:
    one, other = (sketch_risk(PROBLEM, SGD_, each, sketches=6) for each in ("fp", "d:vec(0.05)"))
    apart = other.minus(one)
    assert apart.value == pytest.approx(other.risk.value - one.risk.value)
    assert apart.standard_error < 0.5 * one.risk.standard_error
    assert sketch_risk(PROBLEM, SGD_, "d:coord(0.05)", sketches=2).risk.how == "closure"


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="no sketch to draw several of; give sketch=M"):
        sketch_risk(Regression(10), SGD_)
    with pytest.raises(ValueError, match="sketches is 1; accepted is a whole number of at least 2"):
        sketch_risk(PROBLEM, SGD_, sketches=1)
    found = sketch_risk(PROBLEM, SGD_, sketches=2)
    with pytest.raises(ValueError, match=r"sketches of seeds \(3, 4\) do not pair"):
        found.minus(sketch_risk(PROBLEM, SGD_, sketches=3))
    with pytest.raises(ValueError, match="level is 2; accepted is above 0 and below 1"):
        found.interval(2)
