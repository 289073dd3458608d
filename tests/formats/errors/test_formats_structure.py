"""The error structure of formats on data: the theory's models come out as themselves, and published
constants hold."""

import math

import numpy as np
import pytest
import torch

from isoloss.formats import custom_format, error_structure, fake_quantise, relative_error

ROWS = np.random.default_rng(0).standard_normal((4000, 128))
MILLION = np.random.default_rng(1).standard_normal((1000, 1000))
DECAYING = ROWS * np.arange(1, 129.0) ** -1  # features of covariance i^-2


@pytest.mark.parametrize("x", [ROWS, DECAYING], ids=["flat", "decaying"])
@pytest.mark.parametrize("name", ["add(0.01)", "coord(0.01)", "vec(0.01)", "int8/tensor~dither"])
def test_each_model_is_found(name: str, x: np.ndarray) -> None:
    found = error_structure(x, name)
    expected = {"add": 0, "int": 0, "coo": 1, "vec": 2}[name[:3]]
    assert found.shares[expected] > 0.97
    if name != "int8/tensor~dither":
        level = (found.additive, found.elementwise, found.shared)[expected]
        assert level == pytest.approx(0.01, rel=0.06)
    assert found.misfit < 0.1


def test_the_parts_make_the_whole() -> None:
    for name in ("int4/row", "e2m1", "mxfp4", "nvfp4", "int4~sr", "vec(0.1)"):
        found = error_structure(DECAYING, name)
        assert sum(found.shares) == pytest.approx(1, abs=2e-3)
        rebuilt = np.mean(
            (
                fake_quantise(DECAYING, name, random=0 if "~" in name or "(" in name else None)
                - DECAYING
            )
            ** 2
        )
        assert found.relative == pytest.approx(rebuilt / np.mean(DECAYING**2))


def test_floats_are_multiplicative_and_integers_additive() -> None:
    assert error_structure(DECAYING, "e4m3/tensor").shares[1] > 0.95
    assert error_structure(ROWS, "int8/tensor").shares[0] > 0.95


def test_saturation_shows_as_bias() -> None:
    found = error_structure(ROWS, "mxfp4")
    assert found.bias == pytest.approx(-0.0196, abs=0.001)
    assert found.shares[2] < 0.01 < found.shares[3]


@pytest.mark.parametrize(
    ("mantissa", "rounding", "constant", "correlation"),
    [
        (1, "~sr", 0.088, 0.0),
        (3, "~sr", 0.090, 0.0),
        (3, "", 0.045, -0.0007),
        (1, "", 0.043, -0.011),
        (5, "", 0.045, 0.0),
    ],
)
def test_relative_variance_of_floats_on_normal_numbers(
    mantissa: int, rounding: str, constant: float, correlation: float
) -> None:
    # theory.md 1.2: E err^2 / E x^2 = c 4^-m, and E err x / E x^2
    found = error_structure(MILLION, f"e5m{mantissa}{rounding}", scale=1.0)
    assert found.relative * 4**mantissa == pytest.approx(constant, abs=0.001)
    assert found.bias == pytest.approx(correlation, abs=0.0012)


@pytest.mark.parametrize("bits", [4, 5, 6, 8])
def test_variance_of_integers_on_four_deviations(bits: int) -> None:
    # theory.md 1.2: step^2 / 6 = 10.7 4^-b at R = 4, measured 11.0 to 12.2 for few bits
    found = error_structure(MILLION, f"int{bits}~sr", scale=8 / (2**bits - 1))
    assert 10.5 < found.relative * 4**bits < 12.5


def test_noise_of_stochastic_integers_on_small_features() -> None:
    # theory.md 1.2: eps = .01 on features of variance i^-2
    step = math.sqrt(6 * 0.01)
    index = np.array([1, 3, 10, 30, 100, 300])
    x = np.random.default_rng(2).standard_normal((400_000, 6)) / index
    noise = np.mean((fake_quantise(x, "int16~sr", random=0, scale=step) - x) ** 2, axis=0)
    np.testing.assert_allclose(noise, [0.0100, 0.0100, 0.0097, 0.0054, 0.0019, 0.0006], atol=0.0001)


@pytest.mark.parametrize(
    ("rounding", "variance"), [("~dither", 1 / 12), ("~sr", 1 / 6), ("", 1 / 12)]
)
def test_variance_in_steps_of_numbers_much_larger_than_a_step(
    rounding: str, variance: float
) -> None:
    x = np.random.default_rng(3).uniform(-40, 40, (1000, 1000))
    found = error_structure(x, f"int8{rounding}", scale=1.0)
    assert found.relative * np.mean(x**2) == pytest.approx(variance, rel=0.01)


def test_it_prints_itself() -> None:
    lines = repr(error_structure(ROWS, "vec(0.01)")).splitlines()
    assert lines[0].startswith("vec(0.01): squared error 0.00989")
    assert [line.split("  ")[1] for line in lines[1:5]] == [
        "additive",
        "multiplicative by element",
        "multiplicative, shared by a vector",
        "bias",
    ]
    assert "  multiplicative, shared by a vector   99." in lines[3]


def test_tensors_are_measured_too() -> None:
    ours, theirs = (error_structure(x, "int4/row") for x in (ROWS, torch.from_numpy(ROWS)))
    assert (ours.relative, ours.shares) == (theirs.relative, theirs.shares)


@pytest.mark.parametrize(
    ("x", "name", "message"),
    [
        (
            np.ones((3, 1)),
            "int4",
            "the error structure needs rows of 2 numbers or more, not shape (3, 1)",
        ),
        (
            np.ones((3, 2)),
            "int4",
            "'int4' rounds nothing in this array, so its error has no structure",
        ),
        (
            np.ones((3, 2), dtype=int),
            "int4",
            "cannot round numbers of type int64; types are float16, bfloat16, float32, float64",
        ),
        (
            np.zeros((3, 2)),
            "add(0.1)",
            "the squares of this array sum to 0; an error structure needs a finite sum above 0",
        ),
        (
            np.full((3, 2), 1e200),
            "e4m3",
            "the squares of this array sum to inf; an error structure needs a finite sum above 0",
        ),
        ([[1.0, 2.0]], "int4", "cannot round a list; pass a numpy array or a torch tensor"),
    ],
)
def test_what_has_no_structure(x: object, name: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        error_structure(x, name)
    assert str(caught.value) == message


def test_an_own_quantiser_is_measured_like_the_others() -> None:
    mine = custom_format("halves", 5, lambda x: (2 * x).round() / 2)
    assert error_structure(ROWS, mine).shares[0] > 0.95
    assert relative_error(mine) == pytest.approx(0.25 / 12, rel=0.01)
    assert relative_error("halves/16") == pytest.approx(0.25 / 12, rel=0.01)
