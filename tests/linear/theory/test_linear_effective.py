"""Effective model size, samples and additive error: the definition by an independent recursion, and
what it promises.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from isoloss.linear import (
    SGD,
    EffectiveSizes,
    Regression,
    effective_data_size,
    effective_model_size,
    effective_sizes,
    excess_risk,
    first_coordinates,
    size_constant,
)

Array = NDArray[np.float64]
PROBLEM, DESCENT = Regression(200), SGD(10_000, step_size=0.05)


# ---- the definition, worked out without the engine
def trained_by_steps(
    lam: Array, noise: float, data: str, eps: float, gamma: float, scale: float
) -> tuple[Array, float]:
    """What is left to learn of the averaged iterate, read as scale w, after 1..10,000 steps, and
    the risk of w as it stands in the end; w* = 1.

    Recursion of the notes, section 4.2, batch 1, with the running sums E (sum w_k)^2 and
    E (sum w_k) w_t.
    """
    added = data == "add"
    h = lam + eps if added else (1 + eps) * lam
    fourth = (
        (3 * lam**2 + lam * eps, 3 * lam**2 + 3 * lam * eps, 3 * h**2)
        if added
        else tuple(3 * lam**2 * each for each in (1 + eps, 1 + 3 * eps, 1 + 6 * eps + 3 * eps**2))
    )
    # E of one factor between two coordinates: apart for added noise, shared for a vector.
    apart = (1.0, 1.0, 1.0) if added else (1.0, (1 + 3 * eps) / (1 + eps), fourth[2] / lam**2 / 3)
    last = 1.0 if added else (1 + eps) ** -2 * apart[2]
    c, steps, signal = lam, 10_000, np.sum(lam)
    least = 0.5 * np.sum(lam * (1 - scale * lam / h) ** 2)
    m, s, x, square, total = (np.zeros(len(lam)) for _ in range(5))
    means, seconds = np.empty(steps), np.empty(steps)
    for t in range(steps):
        square, total = square + 2 * x + s, total + m
        means[t], seconds[t] = lam @ total / (t + 1), lam @ square / (t + 1) ** 2
        x = (x + s) * (1 - gamma * h) + gamma * c * total
        labels = h * (signal - c + noise) + fourth[0]
        mixed = apart[1] * h * (c @ m - c * m) + m * fourth[1]
        own = last * h * (h @ s - h * s) + s * fourth[2]
        s = s + 2 * gamma * (c * m - h * s) + gamma**2 * (labels - 2 * mixed + own)
        m = m + gamma * (c - h * m)
    read = 0.5 * (scale**2 * seconds - 2 * scale * means + signal) - least
    return read, float(0.5 * (seconds[-1] - 2 * means[-1] + signal))


def by_hand(data: str, eps: float, size: int) -> tuple[float, float, float]:
    """M_eff, N_eff and the error of PROBLEM and DESCENT, by the recursion."""
    lam, gamma = np.arange(1.0, 201) ** -2, 0.05
    missed = np.append(np.cumsum(lam[::-1])[::-1], 0.0) / 2  # A(0), A(1), ...
    here = lam[:size]
    h = here + eps if data == "add" else (1 + eps) * here
    scale = h[0] / here[0]
    hidden = 0.5 * np.sum(here * (1 - scale * here / h) ** 2)
    aim = missed[size] + hidden
    low = int(np.sum(missed > aim + 1e-15)) - 1
    model = low + (missed[low] - aim) / (missed[low] - missed[low + 1])

    def run(count: int, word: str, level: float, step: float, read: float) -> tuple[Array, float]:
        return trained_by_steps(lam[:count], 1.0 + 2 * missed[count], word, level, step, read)

    left, risk = run(size, data, eps, gamma, scale)
    full = (low + 1 - model) * run(low, "add", 0.0, gamma * scale, 1.0)[0]
    if model > low:
        full += (model - low) * run(low + 1, "add", 0.0, gamma * scale, 1.0)[0]
    return model, float(np.argmax(full <= left[-1])), float(risk + missed[size] - aim - left[-1])


@pytest.mark.parametrize(
    ("precision", "size", "hand"),
    [("d:add(0.1)", 200, ("add", 0.1)), ("d:vec(0.01)", 100, ("vec", 0.01))],
)
def test_the_settings_that_equal_risk_reads_wrongly(
    precision: str, size: int, hand: tuple[str, float]
) -> None:
    """297,200 of 10,000 samples and 58 of 100 coordinates, were their risks matched."""
    model, samples, error = by_hand(*hand, size)
    found = effective_sizes(PROBLEM, DESCENT, precision, size=size)
    assert found.model_size == pytest.approx(model, rel=1e-9)
    assert samples <= found.samples <= samples + 1
    assert found.additive_error == pytest.approx(error, rel=1e-6)
    assert (found.model_size, found.samples) == pytest.approx(
        (4.0656, 2404.0) if size == 200 else (100.0, 9979.2), abs=0.5
    )


def test_the_parts_sum_to_the_risk_and_full_precision_has_them() -> None:
    """What is left to learn is that of full precision of 32 and 33 coordinates, between steps."""
    problem, sgd = Regression(5000, 2.0, 0.25), SGD(8000, 1, 0.1)
    found = effective_sizes(problem, sgd, "d:add(1e-3)", size=400)
    low, steps = int(found.model_size), int(found.samples)
    missed = [first_coordinates(problem, low + each) for each in (0, 1)]
    shares = np.array([low + 1 - found.model_size, found.model_size - low])
    around = [
        shares @ [excess_risk(seen, SGD(n, 1, 0.1 * 1.001)).value for seen, _ in missed]
        for n in (steps, steps + 1)
    ]
    assert around[0] >= found.trained >= around[1]
    assert found.approximation == pytest.approx(shares @ [each for _, each in missed])
    seen, beside = first_coordinates(problem, 400)
    assert found.risk == pytest.approx(excess_risk(seen, sgd, "d:add(1e-3)").value + beside)
    parts = found.approximation + found.trained + found.additive_error
    assert found.risk == pytest.approx(parts, rel=1e-12)


# ---- what it promises
def test_full_precision_is_worth_itself() -> None:
    found = effective_sizes(PROBLEM, DESCENT, "fp", size=80)
    assert (found.model_size, found.samples, found.scale) == pytest.approx((80, 10_000, 1.0))
    assert found.additive_error == pytest.approx(0.0, abs=1e-15)


@pytest.mark.parametrize("iterate", ["average", "tail", "last"])
@pytest.mark.parametrize(
    "precision",
    [
        "l:add(0.3) a:vec(0.1)",
        "w:add(1e-3) g:coord(0.2)",
        "d:vec(0.3)",
        "d:coord(0.1) a:add(0.1)",
        "d:vec(1e-4)",
    ],
)
def test_relative_noise_and_noise_on_other_parts_keep_the_model_and_cost_samples(
    precision: str, iterate: str
) -> None:
    problem = Regression(3000, 1.6, 0.5, "source 1.3")
    found = effective_sizes(
        problem, SGD(3000, 8, "0.3 limit", momentum=0.5), precision, size=300, iterate=iterate
    )
    assert found.model_size == 300
    assert 0 < found.samples <= found.nominal_samples == 24_000
    if "d:" not in precision:
        assert found.additive_error == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(("decay", "source"), [(1.2, 1.2), (1.5, 1.3), (2.0, 2.0), (3.0, 3.5)])
def test_added_noise_leaves_a_power_of_eps(decay: float, source: float) -> None:
    problem = Regression(100_000, decay, target=f"source {source}")
    levels = (30 / 100_000) ** decay * np.array([1.0, 10.0, 100.0])
    sizes = [effective_sizes(problem, SGD(100), f"d:add({float(eps)!r})") for eps in levels]
    slope = np.polyfit(np.log(levels), np.log([each.model_size for each in sizes]), 1)[0]
    assert slope == pytest.approx(-1 / decay, abs=0.005)
    closed = size_constant(decay, "clean", source) * levels[0] ** (-1 / decay)
    assert sizes[0].model_size == pytest.approx(closed, rel=0.02)
    assert sizes[0].closed_size == pytest.approx(closed)


def test_the_sizes_are_those_of_clean_inputs_and_the_error_is_not() -> None:
    clean, used = (
        effective_sizes(PROBLEM, DESCENT, "d:vec(0.1)", size=50, inputs=inputs)
        for inputs in ("clean", "in use")
    )
    assert (clean.model_size, clean.samples) == (used.model_size, used.samples)
    risks = [
        excess_risk(first_coordinates(PROBLEM, 50)[0], DESCENT, "d:vec(0.1)", inputs=inputs).value
        for inputs in ("clean", "in use")
    ]
    assert used.additive_error - clean.additive_error == pytest.approx(risks[1] - risks[0])
    assert risks[1] > risks[0]


@pytest.mark.parametrize("precision", ["d:vec(0.1)", "d:coord(0.3) w:add(1e-3)"])
def test_the_error_in_use_of_relative_noise(precision: str) -> None:
    """(1 - 1/s) (R(0) - R(s w)): R_use(w) = s |w|^2 / 2 - w'Hw* + |w*|^2 / 2, with |.| of H."""
    found = effective_sizes(PROBLEM, DESCENT, precision, inputs="in use")
    gained = np.sum(PROBLEM.lam) / 2 - found.trained
    assert found.additive_error == pytest.approx((1 - 1 / found.scale) * gained)


def test_the_error_may_be_negative() -> None:
    """Relative noise shrinks the result by 1 + eps, which helps one that is mostly noise."""
    problem = Regression(100, 1.5, 50.0, 0.1)
    found = effective_sizes(problem, SGD(2000, step_size="0.3 limit"), "d:vec(0.2)", iterate="last")
    assert found.additive_error < 0
    assert f"- {-found.additive_error:.4g}" in str(found)


# ---- where there is none
def test_a_run_with_less_left_than_all_samples_leave_has_no_effective_samples() -> None:
    problem = Regression(979, 2.29, 2.5, "source 2.09")
    found = effective_data_size(
        problem,
        SGD(350_509, 32, "0.111 limit", "geometric"),
        "d:add(0.0011)",
        size=13,
        iterate="last",
    )
    assert math.isnan(found.value)
    assert "left to learn after all samples" in found.reason
    assert f"none of {350_509 * 32:.6g}: full precision of size 12" in str(found)


def test_a_run_that_is_worse_than_no_training_is_worth_no_samples() -> None:
    """Labels of noise 100 and a target of 0.01: every step does harm."""
    problem, sgd = Regression(20, 1.5, 100.0, 0.01), SGD(500)
    found = effective_sizes(problem, sgd, "a:add(0.05)", iterate="last")
    assert found.trained > 1e-4 * np.sum(problem.lam) / 2
    assert (found.samples, found.reason) == (0.0, "")


def test_less_than_one_step_is_a_share_of_it() -> None:
    """Noise that undoes nearly all: left to learn lies between none and one step of 4 samples."""
    problem, sgd = Regression(20, 1.5, 0.1), SGD(500, 4, 0.3)
    found = effective_sizes(problem, sgd, "a:add(20)", iterate="last")
    start, once = np.sum(problem.lam) / 2, excess_risk(problem, SGD(1, 4, 0.3), "fp", "last").value
    assert once < found.trained < start
    assert found.samples == pytest.approx(4 * (start - found.trained) / (start - once))


# ---- sketches, real grids, views
def test_a_sketch_counts_its_own_directions() -> None:
    problem = Regression(1000, sketch=40)
    shared, added = (
        effective_sizes(problem, DESCENT, each, model="sketch")
        for each in ("d:vec(0.05)", "d:add(0.01)")
    )
    assert shared.model_size == shared.nominal_size == 40
    assert added.model_size == pytest.approx(added.closed_size, rel=0.15)
    for found in (shared, added):
        assert found.samples < 10_000
        assert found.how == "exact"


def test_a_real_grid_acts_as_the_noise_of_its_size() -> None:
    """Stochastic rounding of a step of 0.1: step^2 / 6 on large features, less on small ones."""
    problem, sgd = Regression(1000), SGD(10_000, 1, 0.05)
    fine = effective_sizes(problem, sgd, "d:int7~sr")
    noise = effective_sizes(problem, sgd, f"d:add({(8 / 127) ** 2 / 6!r})")
    assert noise.model_size < fine.model_size < 2 * noise.model_size
    assert effective_sizes(problem, sgd, "d:int4").samples <= 10_000


def test_the_views_show_one_size() -> None:
    both: EffectiveSizes = effective_sizes(PROBLEM, DESCENT, "d:add(0.1)")
    assert effective_model_size(PROBLEM, 200, DESCENT, "d:add(0.1)") == both.size
    assert effective_data_size(PROBLEM, DESCENT, "d:add(0.1)") == both.data
    assert both.data.ratio == pytest.approx(both.samples / 10_000)
    assert str(both.size) == (
        "effective model size at 'd:add(0.1)': 4.066 of 200 (closed form 4.026)"
    )
    assert str(both).splitlines() == [
        "effective sizes at 'd:add(0.1)' (exact)",
        "  model size      4.066 of 200 (closed form 4.026)",
        "  samples         2404 of 10000 (closed form 9647)",
        "  additive error  +0.01487",
        "  risk 0.1236 (clean inputs) = approximation 0.1069 + trained 0.001907 + 0.01487",
    ]


def test_features_rounded_in_use_are_said_in_words() -> None:
    found = effective_sizes(PROBLEM, DESCENT, "d:add(0.1)", inputs="in use")
    assert f"risk {found.risk:.4g} (features rounded in use) = approximation" in str(found)


WRONG: Any = "all"
THREE: Any = 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: effective_sizes(PROBLEM, DESCENT, "fp", size=0), "size is 0"),
        (lambda: effective_sizes(PROBLEM, DESCENT, "fp", size=201), "larger than dim 200"),
        (lambda: effective_sizes(PROBLEM, DESCENT, "fp", model=WRONG), "unknown model 'all'"),
        (lambda: effective_sizes(PROBLEM, DESCENT, "fp", iterate="best"), "iterate"),
        (lambda: effective_sizes(PROBLEM, SGD(10, step_size=9.0), "fp"), "unstable"),
        (lambda: effective_data_size(PROBLEM, DESCENT, THREE), "precision is 3"),
        (lambda: effective_model_size(Regression(9, sketch=3), 3, DESCENT, "fp"), "without sketch"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
