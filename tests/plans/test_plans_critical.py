"""Critical data sizes against the papers' and the closed form."""

import pytest

from isoloss.laws import preset
from isoloss.plans import PlanError, critical_tokens


@pytest.mark.parametrize(
    ("params", "bits", "tokens"),
    [
        ("30M", 3, 5.3e9),
        ("30M", 4, 2.9e10),
        ("30M", 5, 1.6e11),
        ("30M", 6, 8.4e11),
        ("30M", 8, 2.5e13),
        ("220M", 3, 1.05e10),
        ("220M", 4, 5.7e10),
        ("8B", 4, 2.0e11),
    ],
)
def test_kumars_critical_tokens(params, bits, tokens) -> None:
    assert critical_tokens("kumar2024", params, f"fp -> w{bits}") == pytest.approx(tokens, rel=0.03)


@pytest.mark.parametrize(
    ("law", "precision", "tokens"),
    [
        ("sun2025", "w:e8m7/128", 1730e12),
        ("sun2025", "w:e4m3/128", 27e12),
        ("sun2025", "w:e2m1/128", 0.39e12),
        ("ouyang2024", "fp -> w4", 0.17e12),
        ("chen2025", "w4/128 a4/128", 385e12),
    ],
)
def test_critical_tokens_of_a_1b_model_differ_over_laws(law, precision, tokens) -> None:
    assert critical_tokens(law, "1B", precision) == pytest.approx(tokens, rel=0.04)


def test_the_closed_form() -> None:
    v, n = preset("kumar2024").values, 1e9
    k = v["C_T"] * 2.718281828459045 ** (-4 / v["gamma_post"] + v["b"])
    exact = (v["alpha"] * v["B"] * n ** v["gamma_N"] / (v["gamma_D"] * k)) ** (
        1 / (v["gamma_D"] + v["alpha"])
    )
    assert critical_tokens("kumar2024", n, "fp -> w4") == pytest.approx(exact, rel=1e-9)


def test_capacity_alone_has_no_critical_tokens() -> None:
    assert critical_tokens("quest2025", "1B", "w4+had@quest a4+had@quest") == float("inf")


def test_outside_the_domain_is_an_error() -> None:
    with pytest.raises(PlanError, match=r"holds only above 3\.11 bits"):
        critical_tokens("kumar2024", "1B", "a3")
