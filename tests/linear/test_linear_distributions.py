"""Noise other than normal: exact against an enumeration of all paths, and against the sampler."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest

from isoloss.linear import SGD, Regression, excess_risk, risk_bound, sample_risk

LAM, TARGET, SIZE, STEPS = np.array([1.0, 0.4]), np.array([1.0, -0.5]), 0.3, 3


def signs(count: int) -> Iterator[np.ndarray]:
    return (np.array(each) for each in product((-1.0, 1.0), repeat=count))


def noises(kind: str, eps: float, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Factors and shifts of a vector of `count` numbers, all equally likely."""
    root, zero = np.sqrt(eps), np.zeros(count)
    if kind == "add":
        return [(zero, root * each) for each in signs(count)]
    if kind == "vec":
        return [(np.full(count, root * sign), zero) for sign in (-1.0, 1.0)]
    return [(root * each, zero) for each in signs(count)]


def enumerated(part: str, kind: str, eps: float) -> float:
    """The clean risk of the last iterate over all signs of features and of noise, one by one."""
    ways = noises(kind, eps, 2 if part in "dw" else 1)
    points = np.zeros((1, 2))
    for _ in range(STEPS):
        found = []
        for sign, (s, n) in product(signs(2), ways):
            x = np.sqrt(LAM) * sign
            u = x + n + s * x if part == "d" else x
            used = points + n + s * points if part == "w" else points
            label = np.full(len(points), x @ TARGET)
            label = label + n[0] + s[0] * label if part == "l" else label
            seen = used @ u
            seen = seen + n[0] + s[0] * seen if part == "a" else seen
            error = label - seen
            error = error + n[0] + s[0] * error if part == "g" else error
            found.append(points + SIZE * error[:, None] * u)
        points = np.concatenate(found)
    return float(0.5 * np.mean((points - TARGET) ** 2 @ LAM))


@pytest.mark.parametrize("kind", ["add", "vec", "coord"])
@pytest.mark.parametrize("part", ["d", "l", "w", "a", "g"])
def test_two_points_are_exact(part: str, kind: str) -> None:
    """Features and noise of two points each: the whole distribution of w is a list."""
    problem = Regression(2, spectrum=LAM, target=TARGET, noise_var=0.0, kurtosis=1.0)
    precision = f"{part}:{kind}_two_point(0.2)"
    risk = excess_risk(problem, SGD(STEPS, step_size=SIZE), precision, "last")
    assert risk.how == "exact"
    assert risk.value == pytest.approx(enumerated(part, kind, 0.2), rel=1e-12)


@pytest.mark.parametrize("noise", ["d:add_uniform(0.5)", "d:vec_two_point(0.4)"])
def test_the_sampler_draws_them(noise: str) -> None:
    problem, sgd = Regression(12, decay=1.0), SGD(60, 3, 0.1)
    exact = excess_risk(problem, sgd, noise, "last")
    drawn = sample_risk(problem, sgd, noise, "last", replicates=6000)
    assert drawn.value == pytest.approx(exact.value, abs=3.5 * drawn.standard_error)
    assert drawn.standard_error < 0.02 * exact.value


def test_only_the_data_feel_the_kurtosis() -> None:
    problem, sgd = Regression(20), SGD(500, 2, 0.05)
    for part in "lwag":
        one, other = (
            excess_risk(problem, sgd, f"{part}:{kind}(0.1)") for kind in ("add", "add_two_point")
        )
        assert one.value == other.value
    one, other = (excess_risk(problem, sgd, f"d:{kind}(0.1)") for kind in ("add", "add_two_point"))
    assert other.value < one.value


def test_a_sketch_and_a_bound() -> None:
    problem, sgd = Regression(40, sketch=8), SGD(200, step_size=0.05)
    assert excess_risk(problem, sgd, "d:vec_uniform(0.1)").how == "exact"
    assert excess_risk(problem, sgd, "d:add_uniform(0.1)").how == "closure"
    bound = risk_bound(Regression(20), sgd, "d:add_two_point(0.01)")
    exact = excess_risk(Regression(20), sgd, "d:add_two_point(0.01)").value
    assert bound.lower < exact < bound.upper
