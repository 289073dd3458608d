"""Weights for averaging over laws, each part by a value worked out by hand."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from isoloss.fits.compare_laws.stacking import (
    Evidence,
    by_unit,
    excess,
    jackknife,
    log_density,
    moments,
    penalty,
    size_units,
    stack,
)


def held(low: list[float], high: list[float], observed: list[float], level: float = 0.9) -> Any:
    """A hold-out of an older file: intervals alone."""
    interval = SimpleNamespace(low=np.array(low), high=np.array(high), level=level)
    return SimpleNamespace(
        mean=None, variance=None, prediction=interval, observed=np.array(observed)
    )


def test_an_interval_stands_for_the_normal_that_has_it() -> None:
    # 90% of a normal of mean 1 and standard deviation 0.5 lie within 1.6449 deviations.
    reach = 0.5 * 1.6448536269514722
    mean, variance = moments(held([math.exp(1 - reach)], [math.exp(1 + reach)], [math.e]))
    assert (mean[0], variance[0]) == pytest.approx((1.0, 0.25))


@pytest.mark.parametrize("given", [("mean", None), (None, "variance")])
def test_half_of_the_moments_is_none(given: tuple[str | None, str | None]) -> None:
    found = held([1.0], [4.0], [2.0])
    found.mean, found.variance = (None if each is None else np.array([9.0]) for each in given)
    assert moments(found)[0][0] == pytest.approx(math.log(2.0))
    found.mean = found.variance = np.array([9.0])
    assert (moments(found)[0][0], moments(found)[1][0]) == (9.0, 9.0)


def test_the_density_is_a_student_law_of_that_mean_and_variance() -> None:
    found = held([1.0], [1.0], [math.exp(1.5)])
    found.mean, found.variance = np.array([1.0]), np.array([0.5])
    # Four degrees of freedom have twice the variance of their scale: 0.5 = 2 s^2, so z = 1.
    # The density of z is 3/8 (1 + z^2/4)^-2.5.
    assert log_density(found)[0] == pytest.approx(math.log(0.375 * 1.25**-2.5 / 0.5))


def test_the_penalty_of_constants_grows_without_bound_as_runs_run_out() -> None:
    # 2k + 2k(k+1)/(n-k-1) at n = 8.
    found = penalty(np.array([3.0, 6.0, 7.0, 9.0]), 8)
    np.testing.assert_allclose(found, [6 + 24 / 4, 12 + 84 / 1, np.inf, np.inf])


def test_prior_and_weights_of_a_small_case() -> None:
    found = Evidence(np.zeros((2, 3)), np.array([0.0, 4.0]), np.array([3.0, 3.0]), 8, 2.0)
    np.testing.assert_allclose(found.aicc, [0.0, 2.0])
    # A quarter of the prior is equal, the rest goes as exp(-aicc/2).
    assert found.prior[0] == pytest.approx(0.25 * 0.5 + 0.75 / (1 + math.exp(-1)))
    np.testing.assert_allclose(found.weights, found.prior)
    none = Evidence(np.zeros((2, 0)), np.zeros(2), np.array([9.0, 9.0]), 8, 1.0)
    np.testing.assert_allclose(none.aicc, [0.0, 0.0])


@pytest.mark.parametrize(("deviance", "shortfall"), [(13.0, 4.0), (20.0, 2.0)])
def test_a_law_keeps_its_equal_share_unless_both_kinds_of_runs_refute_it(
    deviance: float, shortfall: float
) -> None:
    # Odds of 1000 are 13.8 of deviance, of 20 are 3.0 of log density: one of both is not enough.
    both = Evidence(np.array([[0.0], [-4.0]]), np.array([0.0, 20.0]), np.ones(2), 40, 1.0)
    one = Evidence(np.array([[0.0], [-shortfall]]), np.array([0.0, deviance]), np.ones(2), 40, 1.0)
    assert both.prior[1] == pytest.approx(0.75 * math.exp(-10) / (1 + math.exp(-10)))
    assert one.prior[1] > 0.125


def test_weights_below_one_in_ten_thousand_are_none_and_the_rest_sums_to_one() -> None:
    found = stack(np.zeros((3, 0)), np.array([0.9, 0.1 - 5e-5, 5e-5]), 8.0)
    np.testing.assert_allclose(found, [0.9 / (1 - 5e-5), (0.1 - 5e-5) / (1 - 5e-5), 0.0])
    assert stack(np.zeros((2, 3)), np.array([0.0, 1.0]), 8.0).tolist() == [0.0, 1.0]


def test_excess_is_the_design_effect_of_sizes_times_the_middle_law() -> None:
    sizes, residual = np.array([1e7, 1e7, 2e7, 2e7]), np.array([1.0, 1.0, -1.0, -1.0])
    # Sums of sizes are 2 and -2: 8 over 4, and one constant of four is taken by the fit.
    assert excess(residual, 1, sizes, [np.ones(3)]) == pytest.approx(2 / 0.75)
    # Of four laws, the lower middle one: mean squares 1, 4, 9, 16.
    laws = [np.full(3, z) for z in (1.0, 2.0, 3.0, 4.0)]
    assert excess(residual, 1, sizes, laws) == pytest.approx(2 / 0.75 * 4)
    assert excess(np.array([1.0, -1.0]), 0, np.ones(2), [np.full(2, 0.5)]) == 1.0
    # As many constants as runs: one degree of freedom more is reckoned with.
    assert excess(residual, 4, sizes, [np.ones(1)]) == pytest.approx(2 / (1 / 5))


def test_sizes_within_a_percent_are_one_unit() -> None:
    found = size_units(np.array([1e7, 1.004e7, 2e7, 1e7, 2.5e7]))
    assert (found[0], found[3]) == (found[1], found[0])
    assert len({*found.tolist()}) == 3


def test_means_of_units_and_the_jackknife_of_weights() -> None:
    density = np.array([[1.0, 3.0, 5.0], [0.0, 2.0, 8.0]])
    assert by_unit(density, np.array([0, 0, 1])).tolist() == [[2.0, 5.0], [1.0, 8.0]]
    # Two blocks: deviations of 0.1 from the mean, times 1/2.
    weights = np.array([[0.4, 0.6], [0.6, 0.4]])
    np.testing.assert_allclose(jackknife(weights), [0.1, 0.1])
    np.testing.assert_allclose(jackknife(np.vstack([weights, weights])), np.sqrt(0.04 * 3 / 4))
    assert np.isnan(jackknife(weights[:1])).all()
