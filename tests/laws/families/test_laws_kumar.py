"""Certified: every number of Kumar et al. 2024 that the law alone gives, with and without the
offsets.
"""

from __future__ import annotations

import numpy as np
import pytest

from isoloss.laws import preset

FACTORS = """
3   0.558689 -0.051121 0.510161
4   0.696358 0.331414  0.827565 0.190988
5   0.791081 0.574733  0.939299 0.427062
6   0.856254 0.729501  0.978632 0.611291
7   0.901097 0.827944  0.992478 0.740445
8   0.931950 0.890560  0.997352 0.827760
12  0.984749 0.982086  0.999959 0.967069
16  0.996582 0.997068  0.999999 0.993659
"""
ROWS = [line.split() for line in FACTORS.strip().splitlines()]
TOKENS = (1.5e9, 3e9, 6e9, 13e9, 26e9)


def rho(precision: str, name: str = "kumar2024") -> float:
    return float(preset(name).factors(precision)[0][0])


def every(bits: float) -> str:
    return f"w{bits} a{bits} kv{bits}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
@pytest.mark.parametrize(("part", "column"), [("w", 1), ("a", 2), ("kv", 3)])
def test_the_factor_of_a_part(row: list[str], part: str, column: int) -> None:
    if float(row[column]) <= 0:
        with pytest.raises(
            ValueError, match=r"factor of -0\.05112: the law holds only above 3\.11 bits"
        ):
            rho(f"{part}{row[0]}")
    else:
        assert rho(f"{part}{row[0]}") == pytest.approx(float(row[column]), abs=5e-7)


@pytest.mark.parametrize("row", ROWS[1:], ids=lambda row: row[0])
def test_the_factor_of_all_parts(row: list[str]) -> None:
    assert rho(every(float(row[0]))) == pytest.approx(float(row[4]), abs=5e-7)


@pytest.mark.parametrize(
    ("precision", "factor"),
    [("w:e2m0", 0.6106), ("w:e3m0", 0.7272), ("w:e3m1", 0.8088), ("w:e3m2", 0.8661), ("w:e4m2",
    0.9062),
     ("w:e5m2", 0.9342), ("w:e5m6", 0.9842)],
)  # fmt: skip
def test_the_factor_of_weights_in_floating_point(precision: str, factor: float) -> None:
    assert rho(precision, "kumar2024_float") == pytest.approx(factor, abs=5e-5)


@pytest.mark.parametrize(
    ("params", "losses"),
    [
        (30e6, "4.101 3.954 3.851 3.770 3.720"),
        (60e6, "3.858 3.712 3.608 3.528 3.478"),
        (110e6, "3.704 3.558 3.454 3.374 3.324"),
        (220e6, "3.577 3.431 3.327 3.247 3.197"),
    ],
)
def test_the_base(params: float, losses: str) -> None:
    assert preset("kumar2024")(params, TOKENS) == pytest.approx(
        [float(v) for v in losses.split()], abs=5e-4
    )


@pytest.mark.parametrize(
    ("bits", "first", "last", "digits"),
    [(3, 0.138, 0.586, 3), (4, 0.0254, 0.1078, 4), (5, 0.0047, 0.0198, 4), (6, 0.0009, 0.0036, 4)],
)
def test_the_loss_in_serving(bits: int, first: float, last: float, digits: int) -> None:
    gaps = preset("kumar2024").gap(30e6, [1.5e9, 26e9], f"fp -> w{bits}")
    assert gaps == pytest.approx([first, last], abs=0.5 * 10.0**-digits)


def test_the_offset_of_serving_is_a_factor_of_three() -> None:
    law, bare = (
        preset(name).gap(30e6, TOKENS, "fp -> w4") for name in ("kumar2024", "kumar2024_printed")
    )
    assert law / bare == pytest.approx(
        3.089, abs=5e-4
    )  # exp(b), the same at every number of tokens


def test_three_bits_in_serving_turn_up_with_tokens_only_with_the_offset() -> None:
    law, bare = (
        preset(name)(30e6, [1.5e9, 6e9, 26e9], "fp -> w3")
        for name in ("kumar2024", "kumar2024_printed")
    )
    assert law == pytest.approx([4.24, 4.13, 4.31], abs=0.01)
    assert bare[[0, -1]] == pytest.approx([4.15, 3.91], abs=0.01)


@pytest.mark.parametrize(
    ("bits", "loss"),
    [(4, 3.171), (6, 3.092), (8, 3.091), (16, 3.140), (32, 3.230)],
    ids=lambda v: str(v),
)
def test_figure_6_left(bits: int, loss: float) -> None:
    precision = " ".join(f"{part}:int{bits}" for part in ("w", "a", "kv"))
    assert preset("kumar2024")(7.04e9 / bits, 16e9, precision) == pytest.approx(loss, abs=5e-4)


@pytest.mark.parametrize(("name", "bits"), [("kumar2024", 7.002), ("kumar2024_printed", 3.47)])
def test_the_best_bits_of_training_need_no_base(name: str, bits: float) -> None:
    """At a cost of N D P the best P is where f(P)/P is largest, f the product of the factors."""
    law, grid = preset(name), np.arange(3.3 if name == "kumar2024" else 1.0, 16.0, 0.0005)
    c = law.values
    f = np.prod(
        [1 - np.exp(-grid / c[f"gamma_{x}"] + c.get(f"n_{x}", 0.0)) for x in ("w", "a", "kv")],
        axis=0,
    )
    at = int(np.searchsorted(grid, 8.0))
    assert f[at] == pytest.approx(rho(every(8), name), rel=1e-3)
    assert grid[np.argmax(f / grid)] == pytest.approx(bits, abs=0.005)


@pytest.mark.parametrize(("name", "wide", "times"), [
    ("kumar2024", 16, 5.20), ("kumar2024", 8, 4.33), ("kumar2024_printed", 16, 1.56),
])  # fmt: skip
def test_how_many_more_params_four_bits_need(name: str, wide: int, times: float) -> None:
    assert rho(every(wide), name) / rho(every(4), name) == pytest.approx(times, abs=5e-3)


@pytest.mark.parametrize(
    ("bits", "params", "tokens", "reducible"),
    [
        (4, 4.562, 0.877, 1.067),
        (6, 2.082, 1.281, 0.884),
        (8, 1.549, 1.291, 0.881),
        (32, 0.705, 0.709, 1.186),
    ],
)
def test_the_best_size_at_fixed_bits(
    bits: int, params: float, tokens: float, reducible: float
) -> None:
    """Against 16 bits at equal N D P, where alpha = beta: N by (f P)^-1/2, D by (f/P)^1/2, loss
    by (f/P)^-alpha/2.
    """
    f, p = rho(every(bits)) / rho(every(16)), bits / 16
    assert (f * p) ** -0.5 == pytest.approx(params, abs=5e-4)
    assert (f / p) ** 0.5 == pytest.approx(tokens, abs=5e-4)
    assert (f / p) ** (-0.4965 / 2) == pytest.approx(reducible, abs=5e-4)


@pytest.mark.parametrize(
    ("params", "bits", "tokens"),
    [
        (30e6, 3, "5.3e9"),
        (30e6, 4, "2.9e10"),
        (30e6, 5, "1.6e11"),
        (30e6, 6, "8.4e11"),
        (30e6, 8, "2.5e13"),
        (220e6, 3, "1.05e10"),
        (220e6, 4, "5.7e10"),
        (8e9, 4, "2.0e11"),
    ],
)
def test_tokens_stop_helping_a_served_model(params: float, bits: int, tokens: str) -> None:
    """The critical tokens of eq. 13 are where the loss of the served model is least."""
    grid = float(tokens) * np.exp(np.linspace(-0.2, 0.2, 4001))
    least = grid[np.argmin(preset("kumar2024")(params, grid, f"fp -> w{bits}"))]
    digits = len(tokens.partition("e")[0]) - 1
    assert float(f"{least:.{digits - 1}e}") == float(tokens)


@pytest.mark.parametrize(("part", "bits"), [("w", 0.81), ("a", 3.11), ("kv", 2.32)])
def test_where_a_factor_is_zero(part: str, bits: float) -> None:
    c = preset("kumar2024").values
    assert c[f"gamma_{part}"] * c[f"n_{part}"] == pytest.approx(bits, abs=5e-3)


def test_keys_and_values_cross_weights() -> None:
    assert rho("kv3") < rho("w3")
    assert rho("kv8") > rho("w8")


@pytest.mark.parametrize(
    "precision",
    [
        "w4 -> w4",
        "w4 -> w8",
        "w3 a8 -> w4",
        "w8 a4 kv4 -> w4",
        "w8 -> w:fp",
        "w8",
        "w:bf16 -> w:fp16",
    ],
)
def test_serving_in_as_many_bits_as_training_costs_exactly_nothing(precision: str) -> None:
    law = preset("kumar2024").at(C_w=1.0, C_a=1.0, C_kv=1.0)
    trained = precision.partition(" ->")[0]
    assert law(1e8, 1e10, precision) == law(1e8, 1e10, trained)


def test_two_parts_below_the_served_bits_do_not_make_a_positive_product() -> None:
    law = preset("kumar2024").at(C_w=1.0, C_a=1.0, C_kv=1.0)
    assert law(1e8, 1e10, "w4 a4 -> w6") == law(1e8, 1e10, "w4 a4")


def test_the_loss_in_serving_after_low_precision_training() -> None:
    """Eq. 9 by hand: effective params in the denominator, one bracket for each part that was
    trained narrow.
    """
    law = preset("kumar2024").at(C_w=0.3, C_a=0.2, C_kv=0.1)
    n_eff = 1e8 * rho("w8 a6")
    delta = 0.0598 * 1e10**0.5068 / n_eff**0.3439 * np.exp(-4 / 0.5907 + 1.1277)
    delta *= (1 - np.exp(-0.3 * 4)) * (1 - np.exp(-0.2 * 2))
    assert law.gap(1e8, 1e10, "w8 a6 -> w4", "w8 a6") == pytest.approx(delta, rel=1e-10)


@pytest.mark.parametrize(("wide", "narrow"), [("fp", "bf16"), ("w:bf16", "w:fp32")])
def test_the_bracket_is_open_after_training_in_sixteen_bits(wide: str, narrow: str) -> None:
    law = preset("kumar2024")
    served = [law.gap(1e8, 1e10, f"{each} -> w4", each) for each in (wide, narrow)]
    assert served[0] == pytest.approx(
        served[1], rel=5e-3
    )  # but for the 0.4% of params that 16 bits cost
