"""Checks on exact risks against the recursion written again and against formulas."""

import numpy as np
import pytest
from risk_by_hand import clean_risk

from isoloss.linear import Difference
from isoloss.papers import CHECKS, Laboratory, claims, reproduce
from isoloss.papers.checks.risk import batch, figure1, sizes

ALL = dict.fromkeys("dlwag", 0.01)


def found(name, **given):
    return {key: each.value for key, each in CHECKS[name](Laboratory(), **given).ours.items()}


@pytest.mark.parametrize(
    ("noise", "eps"),
    [("full precision", {}), ("additive 0.01", ALL), ("shared factor 0.01", ALL)],
)
def test_figure_1_is_the_recursion(noise, eps, monkeypatch):
    monkeypatch.setattr(figure1, "_simulated", lambda *_: [])
    ours = found("risk_over_samples", noise=["additive", "shared factor"], eps=[0.01], dims=[200])
    kind = "additive" if "additive" in noise else "multiplicative"
    for steps in (100, 1000):
        known = clean_risk(200, steps, 0.1, eps=eps, kind=kind)
        assert ours[f"{noise}, d 200, N {steps}"] == pytest.approx(known, rel=1e-9)


@pytest.mark.parametrize(("noise", "kind"), [("additive", "additive"), ("shared factor", "mul")])
def test_gaps_against_batch_are_the_recursion(noise, kind, monkeypatch):
    monkeypatch.setattr(batch, "simulated_gaps", lambda _, points: [Difference(0, 0)] * 2)
    ours = found("gap_over_batches")
    for size in (1, 16):
        rounded, full = (
            clean_risk(100, 1000, 0.1, size, eps, kind) for eps in ({"a": 0.3, "g": 0.3}, {})
        )
        assert ours[f"{noise}, batch {size}"] == pytest.approx(rounded - full, rel=1e-7)


def test_gap_of_parts_is_the_recursion():
    ours = found("gap_of_parts")
    full = clean_risk(200, 3000, 0.1)
    for part, letter in (("data", "d"), ("parameter", "w"), ("activations", "a")):
        gap = clean_risk(200, 3000, 0.1, eps={letter: 0.01}) - full
        assert ours[f"{part}, additive"] == pytest.approx(gap, rel=1e-6)


def test_floor_slopes_are_those_of_sums():
    ours = found("floor_slopes")
    lam, levels = np.arange(1.0, 10**6 + 1) ** -2.0, np.array([1e-5, 1e-4, 1e-3])
    used = [np.sum(lam * e / (lam + e)) for e in levels]
    clean = [np.sum(lam * (e / (lam + e)) ** 2) for e in levels]
    for reading, floors in (("in use", used), ("clean", clean)):
        slope = np.polyfit(np.log(levels), np.log(floors), 1)[0]
        assert ours[f"additive, a 2, many dimensions, {reading}"] == pytest.approx(slope, abs=1e-4)


def test_noise_of_integers_is_that_of_drawn_ones():
    ours = found("noise_by_coordinate")
    rng, step = np.random.default_rng(0), 0.06**0.5
    for i in (1, 10, 100):
        x = rng.standard_normal(400_000) / i / step
        low = np.floor(x)
        rounded = low + (rng.random(len(x)) < x - low)
        noise = step**2 * np.mean((rounded - x) ** 2)
        assert ours[f"i {i}"] == pytest.approx(noise, rel=0.02)


def test_kinds_of_noise_below_the_step_have_the_power_of_one_whole_step():
    ours = found("kinds_of_noise")
    # E |x| step: the square root of the variance.
    assert ours["stochastic int8, below"] == pytest.approx(0.5, abs=0.02)
    assert ours["stochastic e4m3, above"] == pytest.approx(1.0, abs=0.01)


def test_bits_at_the_rule_equal_for_the_hardest_target():
    ours = found("rule_of_bits")
    # Floors in use alone: eps_mul at the rule is eps_add d^a, and lam = d^-a.
    assert ours["float over integer at the rule, a 2, hardest target"] == pytest.approx(1, abs=0.02)
    even = np.arange(1.0, 101) ** -2.0
    added, factor = 4.0**-8, 4.0**-8 * 100**2
    known = factor / (1 + factor) * even.sum() / np.sum(even * added / (even + added))
    name = "float over integer at the rule, a 2, even target"
    assert ours[name] == pytest.approx(known, rel=0.02)


def test_conditions_of_the_corollary_are_met_as_equalities():
    from isoloss.linear import SGD, Regression
    from isoloss.papers.checks.risk.conditions import _allowed

    problem = Regression(200)
    assert _allowed(problem, SGD(100, 4, 0.05), "a", "additive") == pytest.approx(1.0)
    assert _allowed(problem, SGD(100, 4, 0.05), "w", "additive") == pytest.approx(
        1 / (4 * problem.lam.sum())
    )
    assert _allowed(problem, SGD(100, 4, 0.05), "a", "shared factor") == pytest.approx(
        1 / (4 * problem.lam.sum())
    )


def test_sizes_include_what_a_model_never_learns(monkeypatch):
    monkeypatch.setattr(sizes, "_simulated", lambda *_: [])
    ours = found("risk_over_sizes", iterate="average", schedule="constant")
    missed = 0.5 * np.sum(np.arange(6.0, 20_001) ** -2.0)
    # The label noise of a small model has the rest of the target in it.
    lam = np.arange(1.0, 6) ** -2.0
    assert missed < ours["full precision, M 5"] < missed + 0.5 * lam.sum() * 0.01


def test_a_factor_leaves_its_formula():
    ours = found("error_of_a_factor")
    assert all(value == pytest.approx(1.0, abs=1e-3) for value in ours.values())


def test_additive_slopes_are_minus_one():
    finding = CHECKS["additive_batch_slopes"](Laboratory())
    assert finding.ours["activations, additive, last"].value == pytest.approx(-1, abs=0.01)
    assert set(finding.figure.table["x"]) == set(batch.LARGE)


def test_every_row_of_the_theory_papers_has_a_claim():
    rows = {row for paper in ("zhang2025", "zhang2026") for c in claims(paper) for row in c.rows}
    wanted = [f"{letter}{k}" for letter, count in (("R", 6), ("S", 3), ("Q", 5)) for k in
              range(1, count + 1)]  # fmt: skip
    wanted += ["F5", "F6", *(f"L{k}" for k in range(5, 10)), *(f"X{k}" for k in range(6, 11))]
    assert set(wanted) <= rows
    known = {each.check for paper in ("zhang2025", "zhang2026") for each in claims(paper)}
    assert known - {""} <= set(CHECKS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("figure 1, shapes", "holds only if the risk is read on clean inputs"),
        ("approximation error", "holds only if features are rounded in use too"),
        ("multiplicative risk and the dimension", "holds"),
        ("theorem 4.1", "holds"),
        ("figure 1, their curves", "not testable here"),
    ],
)
def test_verdicts(name, value):
    assert reproduce("zhang2025", name).sentence.split(":")[0].split(";")[0] == value


def test_simulated_gaps_lie_on_the_exact_ones():
    from isoloss.linear import SGD, Regression
    from isoloss.papers.checks.risk.points import gaps, rounded, simulated_gaps

    points = [(Regression(20), SGD(200, 1, 0.1), rounded("dlwag", "additive", 0.05))]
    (found,), (known,) = simulated_gaps(Laboratory(), points), gaps(points)
    assert abs(found.value - known) < 4 * found.standard_error
    assert known > 4 * found.standard_error
