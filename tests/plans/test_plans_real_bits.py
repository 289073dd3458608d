"""The optimum over real bits against the closed forms and the numbers of Kumar et al. 2024."""

import numpy as np
import pytest
from scipy.optimize import brentq

from isoloss.laws import preset
from isoloss.plans import PlanError, best_bits

KUMAR = preset("kumar2024")


@pytest.mark.parametrize("flop", [1e18, 1e22, 1e26])
def test_the_best_bits_of_factors_are_the_argmax_of_f_over_p_at_every_budget(flop) -> None:
    v = KUMAR.values
    bits = np.linspace(3.2, 16, 2_000_001)
    f = np.prod(
        [1 - np.exp(-bits / v[f"gamma_{x}"] + v[f"n_{x}"]) for x in ("w", "a", "kv")], axis=0
    )
    found = best_bits(KUMAR, flop)
    assert found.bits == pytest.approx(bits[np.argmax(f / bits)], abs=1e-3)
    assert found.bits == pytest.approx(7.002, abs=1e-3)
    assert 6 * found.params * found.tokens * found.bits / 16 == pytest.approx(flop, rel=1e-9)


def test_one_gamma_and_offset_for_all_parts_moves_the_best_to_7_64_bits() -> None:
    """With these, x = P / gamma solves e^(x - n) - 1 = 3 x."""
    v, parts = KUMAR.values, ("w", "a", "kv")
    gamma, n = (np.mean([v[f"{k}_{x}"] for x in parts]) for k in ("gamma", "n"))
    tied = KUMAR.at(**{f"gamma_{x}": gamma for x in parts}, **{f"n_{x}": n for x in parts})
    x = brentq(lambda x: np.expm1(x - n) - 3 * x, 1, 10)
    assert best_bits(tied, 1e20).bits == pytest.approx(gamma * x, abs=1e-3)
    assert gamma * x == pytest.approx(7.64, abs=5e-3)


@pytest.mark.parametrize(("size", "bits"), [(8e9, 13.55), (70e9, 10.50), (405e9, 8.18)])
def test_best_bits_of_a_held_size_at_15t_tokens(size, bits) -> None:
    def short(log_flop: float) -> float:
        return float(np.log(best_bits("kumar2024", np.exp(log_flop), params=size).tokens / 15e12))

    ends = (np.log(6 * size * 15e12 * p / 16) for p in (5, 18))
    found = best_bits("kumar2024", np.exp(brentq(short, *ends, xtol=1e-4)), params=size)
    assert found.bits == pytest.approx(bits, abs=5e-3)


def test_best_bits_of_weights_as_served() -> None:
    """Equation 29 at N P = 1e10 bits: 6.86 bits, 1.46e9 params."""
    found = best_bits("kumar2024", "1e10 bits", "memory-bits", precision="fp -> w4", within=(2, 12))
    assert found.bits == pytest.approx(6.86, abs=5e-3)
    assert found.params == pytest.approx(1.46e9, rel=2e-3)
    assert "6.859 bits" in str(found)


@pytest.mark.parametrize(
    ("best", "others"),
    [
        ("e2m1", ["e1m2", "e3m0"]),
        ("e4m3", ["e2m5", "e3m4", "e5m2"]),
        ("e8m7", ["e5m10", "e6m9", "e7m8"]),
    ],
)
def test_suns_layouts(best, others) -> None:
    """Mantissa bits nu P / (delta + nu) - 1/2 give E2M1, E4M3 and E8M7."""
    law = preset("sun2025")
    total = 1 + int(best[1]) + int(best[3:])
    nu, delta = law.values["nu"], law.values["delta"]
    assert round(nu * total / (delta + nu) - 0.5) == int(best[3:])
    loss = {name: law(1e9, 1e11, f"w:{name}/128") for name in (best, *others)}
    assert min(loss, key=loss.get) == best


def test_bad_input_is_said_in_one_sentence() -> None:
    with pytest.raises(
        PlanError, match="real bits need a cost linear in bits; h100 computes in formats"
    ):
        best_bits("kumar2024", 1e20, "h100")
    with pytest.raises(
        PlanError, match="kumar2024 is not defined in 'int8' at any bits from 1 to 2"
    ):
        best_bits("kumar2024", 1e20, within=(1, 2))
    with pytest.raises(PlanError, match="nothing limits tokens"):
        best_bits("kumar2024", 1e10, "memory-bits", precision="fp -> w4")
