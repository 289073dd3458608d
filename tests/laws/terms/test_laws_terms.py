"""Each term of the algebra against its formula written by hand, and the identities between
terms.
"""

from __future__ import annotations

import numpy as np
import pytest

from isoloss.formats import Precision, relative_error
from isoloss.laws import (
    Cap,
    Composed,
    Constant,
    DomainError,
    Law,
    Level,
    Levels,
    Link,
    Penalty,
    Rounded,
    Sparse,
    Table,
    alternatives,
    amplitude,
    as_inputs,
    bits_power,
    decaying,
    halving,
    power,
    preset,
    scale,
    tanh_error,
)

BASE = {"A": 400.0, "alpha": 0.34, "B": 2000.0, "beta": 0.37, "E": 1.8, "kappa": 1.0}
#: log_1/4 of 0.03744, the error of three bits in QuEST's notebook.
X3 = -np.log(0.03744) / np.log(4)
N, D = np.array([1e8, 3e9]), np.array([2e10, 1e12])


def number(name: str) -> Constant:
    return scale(name, "a number", 1e-6, 1e6, (0.1, 10.0))


def factor(link: Link, precision: str, **values: float) -> float:
    own = {k.name: values[k.name] for k in link.constants}
    return float(Law("test", Composed(params_factor=(link,)), BASE | own).factors(precision)[0][0])


@pytest.mark.parametrize(
    ("link", "precision", "expected"),
    [
        (halving("w", number("k")), "w3", 2**-1.5),
        (halving("w", number("k"), "serve"), "w8 -> w3", 2**-1.5),
        (bits_power("a", number("k"), "train"), "a:e4m3", 8**-0.5),
        (decaying("w", number("k")), "fp -> w3", np.exp(-6.0)),
        (decaying("w", number("k"), number("b")), "fp -> w3", np.exp(-6.0 + 0.25)),
        (
            tanh_error("w", number("L"), number("F"), number("C")),
            "w3",
            0.9 * np.tanh(0.2 * X3**1.5),
        ),
    ],
)
def test_a_link_is_its_formula(link: Link, precision: str, expected: float) -> None:
    found = factor(link, precision, k=0.5, b=0.25, L=0.9, F=0.2, C=1.5)
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("precision", ["fp", "a4", "g4", "fp -> w4"])
def test_a_link_is_one_where_its_part_is_unset(precision: str) -> None:
    assert factor(halving("w", number("k")), precision, k=0.5) == 1.0


def test_the_error_link_takes_any_format() -> None:
    link = tanh_error("w", number("L"), number("F"), number("C"))
    names = ["binary", "ternary", "int3", "nvfp4", "int8", "bf16"]
    rho = [factor(link, f"w:{name}", L=1.0, F=0.2, C=1.4) for name in names]
    assert rho == sorted(rho)
    x = -np.log(relative_error("nvfp4")) / np.log(4)
    assert rho[3] == pytest.approx(np.tanh(0.2 * x**1.4))


@pytest.mark.parametrize(
    ("precision", "log2"),
    [
        ("w4/128 a4/32", 7),
        ("w:bf16 a4/32", 5),
        ("a4/256", 8),
        ("w:mxfp4", 5),
        ("w:nvfp4", 4),
        ("w4", 10),
        ("a4", 10),
    ],
)
def test_the_size_of_a_group(precision: str, log2: float) -> None:
    """The group of the weights where they are narrow, else of the activations; whole rows as
    told.
    """
    law = preset("chen2025").bind(as_inputs(1e8, 1e10, precision).levels).at(log2G_whole=10.0)
    own = {
        k.name: {"k": 0.2, "gN": 0.3, "gD": 0.1, "gG": 0.7}[k.name.partition("[")[0]]
        for k in law.constants
        if "[" in k.name
    }
    delta = 0.2 * 1e10**0.1 / 1e8**0.3 * log2**0.7
    assert law.with_values(own).gap(1e8, 1e10, precision) == pytest.approx(delta)


@pytest.mark.parametrize(
    ("precision", "log2"),
    [("w:e2m1", 13.1567), ("w:e2m1/64", 6), ("w:mxfp4", 5), ("w:e2m1/tensor", 20)],
)
def test_the_size_of_a_block_of_floats(precision: str, log2: float) -> None:
    delta = (1e10**0.5162 / 1e8**0.2368) * log2 / (11334.5197 * 2.5**3.1926 * 1.5**2.9543)
    assert preset("sun2025").at(log2B_tensor=20.0).gap(1e8, 1e10, precision) == pytest.approx(delta)


@pytest.mark.parametrize(
    ("pattern", "left"), [("2:4", 0.5), ("1:4", 0.25), ("50%", 0.5), ("0.75", 0.25)]
)
def test_sparsity(pattern: str, left: float) -> None:
    link = Sparse(number("s"), number("p"), number("alpha"))
    law = Law("test", Composed(params_factor=(link,)), BASE | {"s": 0.4, "p": 0.7})
    rho = law.factors("w4", sparsity=pattern)[0]
    assert rho == pytest.approx(left * (1 - 0.4 + 0.4 * left**0.7) ** (-1 / 0.34))
    dense = law.at(
        A=400.0 * (1 - 0.4 + 0.4 * left**0.7)
    )  # the paper's reading: non-zero weights and a smaller A
    assert law(1e9, 1e11, "w4", sparsity=pattern) == pytest.approx(dense(left * 1e9, 1e11))


@pytest.mark.parametrize(
    ("precision", "most"),
    [("d4", 7.0 * 2 ** (2 * 4 / 2.5)), ("d:add(0.001)", 7.0 * 0.001 ** (-1 / 2.5)),
    ("d:vec(0.001)", np.inf),
     ("d:e4m3", np.inf), ("w4", np.inf)],
)  # fmt: skip
def test_additive_noise_caps_params(precision: str, most: float) -> None:
    law = Law(
        "test", Composed(maps=(Cap("d", number("c"), number("a")),)), BASE | {"c": 7.0, "a": 2.5}
    )
    params = np.array([3.0, 1e3])
    assert law(params, 1e10, precision) == pytest.approx(law(np.minimum(params, most), 1e10))


@pytest.mark.parametrize(
    ("precision", "floor"),
    [
        ("d:vec(0.25)", 0.2),
        ("d:e2m1", 0.2),
        ("d:coord(0.25)", 0.2),
        ("d:add(0.25)", 0.0),
        ("d2", 0.0),
    ],
)
def test_multiplicative_noise_leaves_a_floor(precision: str, floor: float) -> None:
    law = preset("zhang2026").at(**BASE, c=1.0, a=2.0, F=3.0, p=1.0)
    assert law(1e-3, 1e10, precision) - law(1e-3, 1e10) == pytest.approx(3.0 * floor)
    squared = law.at(p=2.0)
    assert squared(1e-3, 1e10, precision) - squared(1e-3, 1e10) == pytest.approx(3.0 * floor**2)


def test_added_noise_alone_leaves_the_floor_out() -> None:
    law = preset("zhang2026").at(**BASE, c=7.0, a=2.0)
    assert law(1e3, 1e10, "d:add(0.01)") == pytest.approx(law(70.0, 1e10))


@pytest.mark.parametrize(
    ("precision", "grown"),
    [
        ("l:add(0.5)", 1 + 2.0 * 0.5),
        ("a:vec(0.5)", 1 + 3.0 * 0.5),
        ("a:add(0.5)", 1 + 0.1 * 0.5),
        ("g4", 1 + 4.0 * 4.0**-4),
        ("w:e2m1", 1 + 5.0 / 4),
        ("l:add(0.5) w:coord(0.1)", 2.0 * 1.5),
        ("d:add(1e-9)", 1.0),
    ],
)
def test_noise_of_a_part_costs_the_samples_that_its_variance_takes(
    precision: str, grown: float
) -> None:
    """Where tokens rule, the loss grows by 1 + k eps: (B D^-beta)^kappa (1 + k eps)."""
    sizes = {"k_l": 2.0, "r_a": 3.0, "k_a": 0.1, "k_g": 4.0, "r_w": 5.0}
    known = {"alpha": 0.4, "B": 300.0, "beta": 0.6, "kappa": 0.5, "c": 1.0, "a": 2.0}
    law = preset("zhang2026_parts").at(**sizes, **known, A=1e-12, E=0.0)
    assert law(1e9, 1e4, precision) == pytest.approx(grown * law(1e9, 1e4), rel=1e-6)


@pytest.mark.parametrize(
    ("params", "tokens", "unique"),
    [(1e8, 4e10, 1e10), (5e9, 1e10, 1e10), (5e9, 4e10, 4e9), (1e8, 1e10, 4e10)],
)
def test_repeated_data(params: float, tokens: float, unique: float) -> None:
    law = preset("muennighoff2023")
    c = {k.name: float(k.value or 0) for k in law.constants}
    seen = min(unique, tokens)
    enough = min(params, (c["A"] / c["B"]) ** (1 / c["alpha"]) * seen)
    n = enough + enough * c["R_N"] * (1 - np.exp(-(params / enough - 1) / c["R_N"]))
    d = seen + seen * c["R_D"] * (1 - np.exp(-(tokens / seen - 1) / c["R_D"]))
    expected = c["E"] + c["A"] / n ** c["alpha"] + c["B"] / d ** c["alpha"]
    assert law(params, tokens, unique_tokens=unique) == pytest.approx(expected)


def test_without_unique_tokens_nothing_is_repeated() -> None:
    law = preset("muennighoff2023")
    assert law(N, D) == pytest.approx(law(N, D, unique_tokens=D))


def test_quantised_training_falls_with_tokens_per_byte() -> None:
    law = preset("dremov2025").at(theta=0.5, k=0.7, phi=3.0, chi=0.3, psi=0.1, omega=0.2, **BASE)
    s = D / (N * 3 / 8)
    assert law.gap(N, D, "w3") == pytest.approx(0.5 * 2**-2.1 + 3.0 * 2**-0.9 / (N**0.1 * s**0.2))


def test_bits_to_a_power_after_training() -> None:
    assert preset("ouyang2024").gap(N, D, "w8 -> w3/128@gptq", "w8") == pytest.approx(
        0.017 * D**0.5251 / (N**0.2261 * 3**5.4967)
    )


def test_the_size_of_a_block_to_a_power_after_training() -> None:
    law = preset("cao2024").bind(Levels((Level(Precision("fp -> w4/32")),)))
    law = law.at(gN=0.2, d=8.0, gB=0.4, **{"k[w4]": 3.0}, **BASE)
    for block in (16, 32, 128):
        expected = 3.0 * N**-0.2 * (block + 8.0) ** 0.4
        assert law.gap(N, D, f"w8 -> w4/{block}@gptq", "w8") == pytest.approx(expected)
    # what is served as it was trained is not rounded again
    assert np.all(law.gap(N, D, "w4/32") == 0)
    with pytest.raises(DomainError, match="gives no factor: the law needs the block size of part"):
        law(N, D, "fp -> w4")


@pytest.mark.parametrize("name", ["farseer2025", "shannon2026"])
def test_forms_outside_the_algebra(name: str) -> None:
    if name == "farseer2025":
        c = {
            "a1": -0.1,
            "p1": 0.1,
            "b1": 0.4,
            "a2": 50.0,
            "p2": -0.1,
            "b2": -6.0,
            "a3": -0.02,
            "p3": 0.15,
            "b3": 0.9,
        }
        falling = np.exp(c["a2"] * N ** c["p2"] + c["b2"]) * D ** -np.exp(
            c["a1"] * N ** c["p1"] + c["b1"]
        )
        expected = np.exp(c["a3"] * N ** c["p3"] + c["b3"]) + falling
    else:
        c = {
            "a": 0.05,
            "p": 0.05,
            "b": 3.0,
            "q": 0.2,
            "c": 0.01,
            "r": 0.05,
            "d": 0.02,
            "s": 0.1,
            "e": 0.5,
        }
        noise = c["c"] * (D * N) ** c["r"] + c["d"] * D ** c["s"] + c["e"]
        expected = 1 / (c["a"] * N ** c["p"] * np.log2(1 + c["b"] * D ** c["q"] / noise))
    assert preset(name).at(**c)(N, D, "w4") == pytest.approx(expected)


def test_kaplan_is_the_base_with_an_outer_exponent() -> None:
    law = preset("kaplan2020").at(kappa=0.1, alpha=0.7, A=5e8, B=2e13)
    assert law(N, D) == pytest.approx((5e8 / N**0.7 + 2e13 / D) ** 0.1)
    assert {k.name for k in law.free} == {"A", "alpha", "B", "kappa"}


def constant_factor(where: str, rho: float) -> Law:
    table = Table(("w",), number("eff"), ("w4",))
    formula = (
        Composed(params_factor=(table,)) if where == "params" else Composed(tokens_factor=(table,))
    )
    return Law("test", formula, BASE | {"eff[w4]": rho})


def test_a_constant_factor_on_params_is_a_penalty_without_tokens() -> None:
    same = Composed(
        penalties=(Penalty(amplitude("k", "size"), power("n", ""), None, (), Rounded("w")),)
    )
    penalty = Law("test", same, BASE | {"k": 400.0 * (0.6**-0.34 - 1), "n": 0.34})
    assert constant_factor("params", 0.6)(N, D, "w4") == pytest.approx(penalty(N, D, "w4"))


def test_a_constant_factor_on_tokens_is_a_penalty_that_falls_with_tokens() -> None:
    same = Composed(
        penalties=(Penalty(amplitude("k", "size"), None, power("d", ""), (), Rounded("w")),)
    )
    penalty = Law("test", same, BASE | {"k": 2000.0 * (0.6**-0.37 - 1), "d": -0.37})
    assert constant_factor("tokens", 0.6)(N, D, "w4") == pytest.approx(penalty(N, D, "w4"))


@pytest.mark.parametrize(("kappa", "sign"), [(1.0, 0), (0.3, 1)])
def test_only_an_outer_exponent_makes_a_factor_on_params_grow_with_tokens(
    kappa: float, sign: int
) -> None:
    gaps = constant_factor("params", 0.6).at(kappa=kappa).gap(1e9, np.array([1e10, 1e12]), "w4")
    assert np.sign(np.round(gaps[1] - gaps[0], 12)) == sign


def test_factors_multiply_over_parts() -> None:
    law = preset("panferov2025").at(**BASE, F=0.2, C=1.4)
    assert law.factors("w4 a3")[0] == pytest.approx(law.factors("w4")[0] * law.factors("a3")[0])


LABELS = [
    ("w4+had@quest a4+had@quest", "w4+had@quest a4+had@quest"),
    ("W4A16", "w4"),
    ("w4 a:bf16 kv8", "w4"),
    ("w4/row a:fp32", "w4"),
    ("w4 -> w2", "w4"),
    ("w4 a4 a.fc2:bf16", "w4 a4 a.fc2:fp"),
    ("bf16", None),
    ("kv4 g4", None),
    ("fp -> w4", None),
]


@pytest.mark.parametrize(("precision", "label"), LABELS)
def test_the_label_of_a_level(precision: str, label: str | None) -> None:
    bound = Table(("w", "a"), number("eff")).bind(as_inputs(1e8, 1e10, precision).levels)
    assert bound.labels == (() if label is None else (label,))


def test_a_bare_table_sees_no_marks_and_no_sparsity() -> None:
    table = Table(("w",), number("k"), stage="serve", bare=True)
    levels = as_inputs(
        [1e8] * 3, 1e10, ["fp -> w4/128@gptq", "w8 -> w4@rtn", "w4"], sparsity=["2:4", None, None]
    ).levels
    assert table.bind(levels).labels == ("w4",)


def test_sparsity_is_part_of_a_label() -> None:
    levels = as_inputs([1e8] * 3, 1e10, "w4", sparsity=["2:4", None, "2:4"]).levels
    assert Table(("w", "a"), number("eff")).bind(levels).labels == ("w4 2:4", "w4")


def test_no_level_has_two_constants_of_one_table_and_shared_ones_are_left_out():
    levels = as_inputs(1e8, 1e10, ["w4 a4", "w3", "bf16"]).levels
    one = Table(("w", "a"), number("eff")).bind(levels)
    found = alternatives(Composed(params_factor=(one,)), levels)
    assert [{name: mask.tolist() for name, mask in table.items()} for table in found] == [
        {"eff[w4 a4]": [True, False, False], "eff[w3]": [False, True, False]}
    ]
    assert all(not table for table in alternatives(Composed((one,), (one,)), levels))
