"""The bounds against the exact risk: the settings of the notes, and many drawn at random."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from isoloss.linear import (
    SGD,
    Regression,
    bound_tightness,
    excess_risk,
    rate_conditions,
    risk_bound,
    risk_by_direction,
)
from isoloss.linear.exact.solving import point_of, stack
from isoloss.linear.quantisers import DEFAULT_SCALES
from isoloss.linear.theory.lower_bound import _delayed, _early


def test_the_bound_holds_in_the_settings_of_the_notes() -> None:
    """Section 3.1 of the notes: alpha 3, 18 settings, the bound exceeds the exact risk by 2.5 to
    10.5.
    """
    rows = bound_tightness()
    loose = [row.looseness for row in rows]
    assert len(rows) == 18
    assert (round(min(loose), 1), round(max(loose), 1)) == (2.5, 10.5)
    assert all(0 < row.reach < 1 for row in rows)


def drawn(seed: int) -> tuple[Regression, SGD, str]:
    """A problem, a descent and a precision of some ideal noises, of one kind or mixed."""
    rng = np.random.default_rng(seed)
    parts = [part for part in "dlwag" if rng.random() < 0.5]
    kind = str(rng.choice(["add", "vec", "coord", "mixed"]))
    kinds = [str(rng.choice(["add", "vec", "coord"])) if kind == "mixed" else kind for _ in parts]
    spelled = " ".join(
        f"{part}:{kind}({10 ** rng.uniform(-4, 0)!r})"
        for part, kind in zip(parts, kinds, strict=True)
    )
    problem = Regression(
        int(rng.integers(1, 300)),
        rng.uniform(0.5, 3),
        float(rng.choice([0.0, 0.01, 1.0])),
        float(rng.choice([0.3, 1.0, 10.0])),
        kurtosis=float(rng.choice([1.0, 1.8, 3.0, 6.0])),
    )
    sgd = SGD(
        int(10 ** rng.uniform(0, 4.5)),
        int(rng.choice([1, 2, 8, 64, 512])),
        f"{10 ** rng.uniform(-2.5, -0.05)!r} limit",
    )
    return problem, sgd, spelled or "fp"


@pytest.mark.parametrize("inputs", ["clean", "in use"])
def test_no_drawn_setting_lies_outside_its_bounds(inputs: str) -> None:
    finite = 0
    for seed in range(150):
        problem, sgd, precision = drawn(seed)
        bound = risk_bound(problem, sgd, precision, inputs)  # type: ignore[arg-type]
        exact = excess_risk(problem, sgd, precision, inputs=inputs).value  # type: ignore[arg-type]
        assert bound.lower <= exact * (1 + 1e-9), (seed, problem, sgd, precision)
        assert exact <= bound.upper * (1 + 1e-9), (seed, problem, sgd, precision)
        finite += math.isfinite(bound.upper)
    assert finite > 50


@pytest.mark.parametrize("momentum", [0.1, 0.5, 0.9, 0.99])
def test_the_lower_bound_carries_over_to_momentum(momentum: float) -> None:
    """Random settings, in both readings; complex poles are left out, so it may be far below."""
    reached = []
    for seed in range(25):
        problem, sgd, precision = drawn(seed)
        sgd = replace(sgd, steps=min(sgd.steps, 1000), momentum=momentum)
        inputs = ("clean", "in use")[seed % 2]
        bound = risk_bound(problem, sgd, precision, inputs)  # type: ignore[arg-type]
        exact = excess_risk(problem, sgd, precision, inputs=inputs).value  # type: ignore[arg-type]
        assert bound.lower <= exact * (1 + 1e-9), (seed, problem, sgd, precision)
        assert math.isinf(bound.upper)
        reached.append(bound.lower / exact if exact else 0.0)
    assert np.median(reached) > 0.1
    assert f"no upper bound is known with momentum {momentum:g}" in str(bound)


def test_momentum_tends_to_none_and_acts_as_a_longer_step() -> None:
    problem = Regression(50, noise_var=1.0)
    for momentum, size in ((1e-9, 0.02), (0.9, 0.0005)):
        found = risk_bound(problem, SGD(20_000, 1, size, momentum=momentum))
        plain = risk_bound(problem, SGD(20_000, 1, size / (1 - momentum)))
        assert (found.head, found.bias) == pytest.approx((plain.head, plain.bias), rel=1e-6)
        # The term of the bias's noise, a3, is claimed without momentum only.
        assert 0.5 * plain.lower < found.lower < plain.lower
    for b in (0.0, 0.5, 0.9, 0.999):
        delay = np.arange(1, 301)[:, None] - np.arange(301)  # j - i
        seen = np.where(delay >= 0, (1 - b) * b ** np.arange(301) * -np.expm1(-delay / 301), 0.0)
        assert _delayed(301, b) == pytest.approx(np.sum(seen.sum(axis=1) ** 2) / 301, rel=1e-9)
    assert _delayed(10**9, 0.9) == pytest.approx(_early(10**9), rel=1e-6)
    assert _delayed(100_001, 0.99) == pytest.approx(_delayed(100_000, 0.99), rel=1e-4)


@pytest.mark.parametrize("seed", range(1000, 1040))
def test_alpha_and_the_noise_level_are_above_those_of_the_exact_recursion(seed: int) -> None:
    problem, sgd, precision = drawn(seed)
    point = point_of(problem, sgd, precision, "average", DEFAULT_SCALES, False)
    _, op, _ = stack([point])
    noise = risk_bound(problem, sgd, precision).noise
    assert np.max(op.k[0] / op.h[0]) <= noise.level * (1 + 1e-9)
    assert op.rho[0, 0] + np.max(op.d[0] / op.h[0] ** 2) <= noise.alpha * (1 + 1e-9)
    assert noise.fixed <= np.min(op.k[0] / op.h[0]) * (1 + 1e-9)


def test_alpha_of_normal_features_is_one_and_two_over_the_batch() -> None:
    found = [risk_bound(Regression(50), SGD(100, batch, 0.01)).noise.alpha for batch in (1, 4, 64)]
    assert found == pytest.approx([3.0, 1.5, 1 + 2 / 64])


def test_the_noise_level_by_its_sources() -> None:
    """Added noise: (sigma_q^2 + eps_l + eps_a + eps_o) / B + alpha_B eps_p tr H_q."""
    problem, sgd = Regression(100), SGD(1000, 4, 0.05)
    bound = risk_bound(problem, sgd, "d:add(0.01) l:add(0.02) w:add(0.03) a:add(0.04) g:add(0.05)")
    floor = np.sum(0.01 * problem.lam / (problem.lam + 0.01))
    assert bound.floor == pytest.approx(floor / 2)
    trace = np.sum(problem.lam) + 100 * 0.01
    expected = (0.25, floor / 4, 0.005, 1.5 * 0.03 * trace, 0.01, 0.0125)
    assert tuple(bound.noise.sources) == pytest.approx(expected)
    assert bound.noise.level == pytest.approx(sum(expected))


def test_a_shared_factor_does_not_fall_with_the_batch_and_one_by_element_does() -> None:
    levels = {
        noise: [
            risk_bound(Regression(100), SGD(1000, batch, 0.05), f"a:{noise}(0.3)").noise.sources.a
            for batch in (1, 4096)
        ]
        for noise in ("add", "vec", "coord")
    }
    falls = {noise: small / large for noise, (large, small) in levels.items()}
    assert falls == pytest.approx({"add": 1 / 4096, "vec": 1 / 3, "coord": 1 / 4096}, rel=1e-3)


def test_head_and_effective_dimension_by_hand() -> None:
    bound = risk_bound(Regression(200), SGD(3000, 1, 0.05), "d:add(1e-3)", "in use")
    h = np.arange(1.0, 201) ** -2 + 1e-3
    head = h >= 1 / 150
    assert bound.head == head.sum() == 13
    assert bound.effective_dim == pytest.approx(13 + 150**2 * np.sum(h[~head] ** 2))
    c = (h - 1e-3) / h
    bias = np.sum((c**2 / h)[head]) / 150**2 + np.sum((h * c**2)[~head])
    assert bound.bias == pytest.approx(bias)
    assert bound.upper == pytest.approx(2 * bound.bias + 2 * bound.variance + bound.floor)


def test_a_step_beyond_the_condition_has_no_upper_bound_and_says_so() -> None:
    bound = risk_bound(Regression(200), SGD(3000, 1, 0.4))
    assert bound.upper == math.inf
    assert 0 < bound.lower < excess_risk(Regression(200), SGD(3000, 1, 0.4)).value
    assert "no upper bound: the step size 0.4 is not below 1/(alpha tr H_q) = 0.2033" in str(bound)


@pytest.mark.parametrize("site", ["after", "before"])
def test_nothing_rounded_has_no_floor(site: Any) -> None:
    bound = risk_bound(Regression(20, sketch=5, site=site), SGD(100, step_size=0.05), "a:add(0.1)")
    assert bound.floor == 0
    assert "floor" not in str(bound)


def test_a_bound_prints_itself() -> None:
    assert str(risk_bound(Regression(50), SGD(3000, 1, 0.05), "d:add(0.01) w:add(0.01)")) == (
        "excess risk (clean inputs) >= 0.030924, <= 0.156385 = 2 x bias 0.008619 + 2 x variance "
        "0.03644 + "
        "floor 0.06627\n  k* 50, effective dimension 50, alpha 3, sigma_G^2 1.196 (labels 1, d "
        "0.1325, w 0.06375)"
    )


def test_real_grids_on_data_are_bounded_too() -> None:
    for precision in ("d:int8~sr", "d:e8m1~sr"):
        problem, sgd = Regression(50), SGD(3000, 1, 0.02)
        bound, exact = (
            risk_bound(problem, sgd, precision),
            excess_risk(problem, sgd, precision).value,
        )
        assert bound.lower < exact < bound.upper < math.inf


@pytest.mark.parametrize(
    ("precision", "given", "message"),
    [
        ("w:int4", {}, "real grids on data only, not 'w:int4'"),
        ("fp -> w:int4", {}, "the rounding of the result"),
        ("fp", {"schedule": "geometric"}, "schedule 'geometric'"),
    ],
)
def test_what_has_no_bound_is_refused(
    precision: str, given: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        risk_bound(Regression(10), SGD(100, 1, 0.1, **given), precision)  # type: ignore[arg-type]


def test_conditions_side_by_side() -> None:
    """Section 3.4 of the notes."""
    problem, sgd = Regression(200, noise_var=0.5), SGD(3000, 8, 0.1)
    found = {
        (each.part, k): each
        for spelled in ("d:add(1e-4) w:add(0.01) a:add(0.01) g:add(0.6)", "l:vec(0.1)")
        for k, each in enumerate(rate_conditions(problem, sgd, spelled))
    }
    trace = np.sum(problem.lam)
    left = {key: each.left for key, each in found.items()}
    assert left[("d", 0)] == pytest.approx(np.sum(1e-4 * problem.lam / (problem.lam + 1e-4)))
    assert found[("d", 0)].right == pytest.approx(excess_risk(problem, sgd).value)
    assert (left[("d", 1)], found[("d", 1)].right) == pytest.approx((1e-4, 1 / 300))
    assert (left[("d", 2)], found[("d", 2)].right) == pytest.approx((183 * 0.03**2, 17))
    assert found[("w", 3)].right == pytest.approx(0.5 / (8 * trace))
    assert (found[("a", 4)].holds, found[("g", 5)].holds) == (True, False)
    assert found[("l", 0)].right == pytest.approx(0.5 / (8 * trace))
    assert str(found[("g", 5)]) == "g: eps <= sigma^2: 0.6 > 0.5, fails (notes)"


def test_conditions_print_themselves() -> None:
    found = rate_conditions(Regression(50), SGD(1000, 8, 0.1), "a:add(2) g:add(0.5)")
    lines = str(found).splitlines()
    assert lines[0].startswith("conditions under which 'a:add(2.0) g:add(0.5)' keeps the rate")
    assert lines[0].endswith("1 of 2 hold, constants taken as 1")
    assert lines[1] == "  a: eps <= sigma^2: 2 > 1, fails (notes)"
    assert (len(found), found[1].part, found.hold) == (2, "g", False)
    assert found.reference == excess_risk(Regression(50), SGD(1000, 8, 0.1)).value


def test_other_results_print_themselves() -> None:
    problem, sgd = Regression(20), SGD(500, step_size=0.05)
    lines = str(risk_by_direction(problem, sgd)).splitlines()
    assert lines[0].startswith(f"risk {excess_risk(problem, sgd).value:.6g} by direction, bias")
    assert (len(lines), lines[-1]) == (15, "and 8 more directions")
    assert str(excess_risk(problem, sgd).parts).startswith("bias 0.")
    (row,) = bound_tightness((20,), (0.0,), (100,))
    assert str([row]).startswith("[dim 20, 100 steps, batch 1, noise none: excess risk 0.2043")
    noise = risk_bound(problem, sgd, "d:add(0.1)").noise
    assert str(noise).startswith("gradient noise: alpha 3, sigma_G^2 ")


def test_batches_tighten_the_condition_of_a_shared_factor_only() -> None:
    def right(noise: str, batch: int) -> float:
        (found,) = rate_conditions(Regression(50), SGD(1000, batch, 0.1), f"a:{noise}(0.1)")
        return found.right

    ratio = {noise: right(noise, 16) / right(noise, 1) for noise in ("add", "vec", "coord")}
    assert ratio == pytest.approx({"add": 1.0, "vec": 1 / 16, "coord": 1.0})


def test_conditions_refuse_what_they_do_not_know() -> None:
    with pytest.raises(ValueError, match="those of ideal noise, not of 'd:int4'"):
        rate_conditions(Regression(10), SGD(100, 1, 0.1), "d:int4")
    with pytest.raises(ValueError, match="without sketch"):
        rate_conditions(Regression(10, sketch=5), SGD(100, 1, 0.1), "d:add(0.1)")
    with pytest.raises(ValueError, match="unknown part 'x'"):
        bound_tightness(parts="dx")


def test_bounds_speak_of_the_heavy_ball_only() -> None:
    with pytest.raises(ValueError, match="for the heavy ball, not for the rule 'nesterov'"):
        risk_bound(Regression(20), SGD(100, step_size=0.02, momentum=0.5, rule="nesterov"))
    plain = risk_bound(Regression(20), SGD(100, step_size=0.02, rule="nesterov"))
    assert plain.upper == risk_bound(Regression(20), SGD(100, step_size=0.02)).upper
