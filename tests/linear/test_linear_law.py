"""The law preset of the theory fitted to exact risks: how well it holds, and which constants come
out.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import polars as pl
import pytest

from isoloss.fits import Fit, fit
from isoloss.laws import preset
from isoloss.linear import SGD, Regression, excess_risks, first_coordinates
from isoloss.runs import Runs

PROBLEM = Regression(1_000_000, noise_var=0.25)
SIZES, STEPS = (8, 16, 32, 64, 128, 256), (2000, 8000, 32_000, 128_000, 512_000)
ADDED = ("fp", "d:add(1e-4)", "d:add(3e-4)", "d:add(1e-3)", "d:add(3e-3)", "d:add(1e-2)")
RELATIVE = ("fp", "d:vec(1e-3)", "d:vec(1e-2)", "d:vec(3e-2)", "d:vec(0.1)")


@lru_cache
def exact_runs(precisions: tuple[str, ...], inputs: str) -> Runs:
    """Runs over sizes, steps and precisions; the loss is the exact risk, with the floor of
    features rounded in use.
    """
    cells = [(size, steps, each) for each in precisions for size in SIZES for steps in STEPS]
    seen = {size: first_coordinates(PROBLEM, size) for size in SIZES}
    points = [(seen[size][0], SGD(steps, 1, 0.1), each) for size, steps, each in cells]
    risks = excess_risks(points, inputs=inputs)  # type: ignore[arg-type]
    return Runs.from_frame(
        pl.DataFrame(
            {
                "params": [float(size) for size, _, _ in cells],
                "tokens": [float(steps) for _, steps, _ in cells],
                "precision": [each for _, _, each in cells],
                "loss": [
                    risk.value + seen[size][1]
                    for (size, _, _), risk in zip(cells, risks, strict=True)
                ],
                "metric": ["excess_risk"] * len(cells),
            }
        )
    )


@lru_cache
def fitted(precisions: tuple[str, ...], inputs: str) -> Fit:
    return fit("zhang2026", exact_runs(precisions, inputs), draws=2, starts=12)


@pytest.mark.parametrize(
    ("precisions", "inputs", "rmse"),
    [
        (("fp",), "clean", 0.010),
        (RELATIVE, "in use", 0.015),
        (RELATIVE, "clean", 0.020),
        (ADDED, "clean", 0.055),
        (ADDED, "in use", 0.080),
    ],
)
def test_the_law_holds_to_a_few_percent(
    precisions: tuple[str, ...], inputs: str, rmse: float
) -> None:
    found = fitted(precisions, inputs)
    assert found.fitted.log_rmse < rmse
    constants = {k.name: float(k.value or 0.0) for k in found.law.constants}
    # In the theory kappa alpha = a - 1 and kappa beta = (a - 1) / a, with a = 2.
    assert constants["kappa"] * constants["alpha"] == pytest.approx(1.0, abs=0.04)
    assert constants["kappa"] * constants["beta"] == pytest.approx(0.5, abs=0.02)


def test_the_floor_of_relative_noise_is_of_first_order_in_use_and_of_second_on_clean_inputs() -> (
    None
):
    signal = float(np.sum(PROBLEM.lam)) / 2
    for inputs, power, near in (("in use", 1.0, 0.02), ("clean", 2.0, 0.2)):
        law = fitted(RELATIVE, inputs).law
        found = {k.name: float(k.value or 0.0) for k in law.constants}
        assert found["p"] == pytest.approx(power, abs=near)
        assert found["F"] == pytest.approx(signal, rel=0.3)


@pytest.mark.parametrize(("inputs", "constant"), [("clean", 4 / np.pi), ("in use", 2 / np.pi)])
def test_the_cap_comes_out_as_derived(inputs: str, constant: float) -> None:
    found = {k.name: float(k.value or 0.0) for k in fitted(ADDED, inputs).law.constants}
    assert found["a"] == pytest.approx(2.0, abs=0.05)
    assert found["c"] == pytest.approx(constant, rel=0.1)


def test_a_plain_sum_of_the_two_powers_fits_worse() -> None:
    """Why kappa is free: the exact risk is nearer to the larger of the two terms than to
    their sum.
    """
    runs = exact_runs(("fp",), "clean")
    plain = fit(preset("zhang2026").fix(kappa=1.0), runs, draws=2, starts=12)
    assert plain.fitted.log_rmse > 0.1


def test_noise_of_other_parts_costs_samples_as_the_theory_orders_it() -> None:
    """Labels, activations and gradients alike; parameters by the trace of H and its kurtosis."""
    precisions = ("fp", *(f"{part}:add({eps})" for part in "lagw" for eps in (1, 10)))
    runs = exact_runs(precisions, "clean")
    known = {"alpha": 2.94, "beta": 1.5, "kappa": 0.335, "E": 0.0}
    found = fit(preset("zhang2026_parts").fix(**known), runs, draws=2, starts=2)
    assert found.fitted.log_rmse < 0.025
    k = found.values
    assert k["k_a"] == pytest.approx(k["k_l"], rel=1e-3)
    assert k["k_g"] == pytest.approx(k["k_l"], rel=1e-3)
    trace = float(np.sum(PROBLEM.lam))
    assert trace < k["k_w"] / k["k_l"] < trace + 2
    blind = fit(preset("zhang2026").fix(**known), runs, draws=2, starts=2)
    assert blind.fitted.log_rmse > 0.1
    assert "zhang2026 has no parts l, a, g, w: 240 of 270 runs are full precision to it" in {
        w.text for w in blind.warnings
    }
