"""Update rules are an open set: a registered one is stepped, jumped over, judged stable and sampled
from three numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import by_hand
import numpy as np
import pytest
from numpy.typing import NDArray

from isoloss.linear import (
    SGD,
    UPDATE_RULES,
    Regression,
    UpdateRule,
    excess_risk,
    risk_bound,
    risk_by_direction,
    sample_risk,
    simulate,
    stability_limit,
)
from isoloss.linear.exact import point_of, stack
from isoloss.linear.quantisers import DEFAULT_SCALES

PROBLEM, PRECISION = Regression(12, 1.2, 0.5), "d:add(0.05) w:vec(0.1) a:vec(0.2) g:coord(0.3)"
OURS = ("nesterov", "ema", "quasi", "two-handed")
Array = NDArray[np.float64]


@pytest.fixture(autouse=True)
def own() -> Iterator[None]:
    """Quasi-hyperbolic momentum (Ma and Yarats 2019), and a rule with a large direct part."""
    quasi = UpdateRule("0.7 of the mean gradient", lambda b: (b, 0.7 * (1 - b), 0.3))
    UPDATE_RULES.register("quasi", quasi)
    UPDATE_RULES.register("two-handed", UpdateRule("both", lambda b: (b / 2, 0.2, 1.5)))
    yield
    UPDATE_RULES.remove("quasi")
    UPDATE_RULES.remove("two-handed")


def one_step(sgd: SGD, gamma: float) -> tuple[Array, Array]:
    """The step of E zz' for z = (v, u), around the optimum of labels that are all noise, as a
    matrix (4n, 4n) and what is added; written with the companion matrix of each coordinate.
    """
    point = point_of(Regression(12, 1.2, 0.5, target=0.0), sgd, PRECISION, "last",
                     DEFAULT_SCALES, False)  # fmt: skip
    op, (b, c, d) = stack([point])[1], sgd.coefficients
    n = op.h.shape[1]
    into = np.array([-(c + d), -1.0])
    size = np.kron(into, into)
    step, added = np.zeros((4 * n, 4 * n)), np.zeros(4 * n)
    for i, h in enumerate(op.h[0]):
        here = slice(4 * i, 4 * i + 4)
        one = np.array([[1, c * b], [0, b]]) + gamma * h * np.outer(into, [1.0, 0.0])
        step[here, here] += np.kron(one, one)
        step[here, 4 * i] += gamma**2 * (op.d[0, i] - h * h) * size
        step[here, ::4] += gamma**2 * op.rho[0, 0] * h * np.outer(size, op.h[0])
        added[here] = gamma**2 * op.k[0, i] * size
    return step, added


@pytest.mark.parametrize("rule", ["heavy ball", *OURS])
@pytest.mark.parametrize("momentum", [0.5, 0.9])
def test_stepping_is_the_companion_matrix(rule: str, momentum: float) -> None:
    sgd = SGD(40, 3, 0.05, "constant", momentum, rule)
    step, added = one_step(sgd, 0.05)
    moments = np.zeros(len(added))
    for _ in range(40):
        moments = step @ moments + added
    got = risk_by_direction(Regression(12, 1.2, 0.5, target=0.0), sgd, PRECISION, "last")
    expected = 0.5 * got.eigenvalue * moments[::4]
    np.testing.assert_allclose(got.variance, expected, rtol=1e-11)


@pytest.mark.parametrize("rule", ["heavy ball", *OURS])
@pytest.mark.parametrize("momentum", [0.5, 0.95])
@pytest.mark.parametrize("batch", [1, 30, 10**7])
def test_the_limit_is_where_an_eigenvalue_is_one(rule: str, momentum: float, batch: int) -> None:
    sgd = SGD(1, batch, momentum=momentum, rule=rule)
    limit = stability_limit(PROBLEM, sgd, PRECISION)
    sizes = [
        np.max(np.abs(np.linalg.eigvals(one_step(sgd, share * limit)[0])))
        for share in (1 - 1e-4, 1 + 1e-4)
    ]
    assert sizes[0] < 1 < sizes[1] < 1.01


@pytest.mark.parametrize("rule", OURS)
@pytest.mark.parametrize(("momentum", "share"), [(0.5, 0.99), (0.9, 0.5), (0.97, 0.1)])
@pytest.mark.parametrize("iterate", ["last", "tail"])
def test_jumping_is_stepping(rule: str, momentum: float, share: float, iterate: str) -> None:
    for batch, schedule in ((1, "constant"), (10**6, "geometric")):
        sgd = SGD(900, batch, f"{share} limit", schedule, momentum, rule)
        one, other = (
            excess_risk(PROBLEM, sgd, PRECISION, iterate, method=m).value for m in ("full", "steps")
        )
        assert abs(one - other) <= 1e-10 * max(other, 1e-3)


@pytest.mark.parametrize("rule", OURS)
def test_exact_is_a_plain_loop(rule: str) -> None:
    """Against numpy, many replicates at once: last iterate and average."""
    keep, carry, direct = UPDATE_RULES[rule].coefficients(0.7)
    lam = np.arange(1.0, 7) ** -1.5
    sim = by_hand.Simulation(
        lam, np.ones(6), 0.25, np.full(60, 0.1), 2, keep, {"d": ("add", 0.01)},
        carry=carry, direct=direct,
    )  # fmt: skip
    sgd = SGD(60, 2, 0.1, momentum=0.7, rule=rule)
    for got, iterate in zip(by_hand.both_iterates(sim, 4000, 1), ("last", "average"), strict=True):
        expected = excess_risk(Regression(6, 1.5, 0.25), sgd, "d:add(0.01)", iterate).value
        assert abs(by_hand.score(0.5 * (got - 1) ** 2 @ lam, expected)) < 3.5


@pytest.mark.parametrize("rule", OURS)
def test_exact_is_sampled(rule: str) -> None:
    pytest.importorskip("numba")
    sgd = SGD(80, 2, "0.4 limit", momentum=0.8, rule=rule)
    got = sample_risk(PROBLEM, sgd, PRECISION, replicates=3000)
    expected = excess_risk(PROBLEM, sgd, PRECISION).value
    assert abs(got.value - expected) < 3.5 * got.standard_error


def test_without_momentum_all_that_ship_are_plain_descent() -> None:
    plain = excess_risk(PROBLEM, SGD(100), PRECISION)
    for rule in ("heavy ball", "nesterov", "ema", "quasi"):
        assert excess_risk(PROBLEM, SGD(100, rule=rule), PRECISION) == plain


def test_a_rule_without_state_is_plain_descent_of_another_size() -> None:
    UPDATE_RULES.register("double", UpdateRule("twice", lambda b: (0.0, 0.5, 1.5)), replace=True)
    try:
        one, other = SGD(100, 1, 0.1), SGD(100, 1, 0.05, rule="double")
        assert stability_limit(PROBLEM, other) == pytest.approx(stability_limit(PROBLEM, one) / 2)
        for way in ("full", "steps"):
            assert excess_risk(PROBLEM, other, method=way).value == pytest.approx(
                excess_risk(PROBLEM, one, method=way).value, rel=1e-11
            )
    finally:
        UPDATE_RULES.remove("double")


def test_an_exponential_mean_is_a_heavy_ball_of_another_size() -> None:
    heavy = SGD(300, 1, 0.02, momentum=0.9)
    mean = SGD(300, 1, 0.2, momentum=0.9, rule="ema")
    assert excess_risk(PROBLEM, mean, PRECISION).value == pytest.approx(
        excess_risk(PROBLEM, heavy, PRECISION).value, rel=1e-10
    )


def test_tables_say_the_rule() -> None:
    grid = {"steps": [10], "momentum": [0.0, 0.9], "rule": ["heavy ball", "nesterov"]}
    assert simulate(PROBLEM, grid)["optimizer"].tolist() == [
        "sgd", "sgd", "sgd, momentum 0.9", "sgd, nesterov, momentum 0.9",
    ]  # fmt: skip


@pytest.mark.parametrize("made", [(1.0, 1.0, 0.0), (0.5, -0.1, 1.0), (0.5, 0.0, 0.0), (0.5, 1.0)])
def test_numbers_that_make_no_rule_are_refused(made: Any) -> None:
    UPDATE_RULES.register("wrong", UpdateRule("none", lambda b: made), replace=True)
    try:
        with pytest.raises(ValueError, match=r"^the update rule 'none' made .*; accepted are keep"):
            SGD(8, rule="wrong")
    finally:
        UPDATE_RULES.remove("wrong")


def test_an_unknown_rule_and_a_bound_of_one_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"unknown rule .adam.; accepted are .heavy ball., .nesterov., .ema."
    ):
        SGD(8, rule="adam")
    with pytest.raises(ValueError, match="for the heavy ball, not for the rule 'nesterov'"):
        risk_bound(PROBLEM, SGD(8, 1, 0.01, momentum=0.5, rule="nesterov"), "fp")
