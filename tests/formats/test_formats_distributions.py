"""Distributions of ideal noise: drawn with their moments, spelled, registered and refused."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy import stats

from isoloss.formats import (
    DISTRIBUTIONS,
    NOISES,
    Distribution,
    Format,
    NoiseModel,
    Precision,
    fake_quantise,
)


@pytest.mark.parametrize(
    ("name", "least", "most", "kurtosis"),
    [("two_point", 1.0, 1.0, 1.0), ("uniform", 0.0, np.sqrt(3), 1.8), ("normal", 0.0, 6.0, 3.0)],
)
def test_arrays_get_it(name: str, least: float, most: float, kurtosis: float) -> None:
    x = np.ones((40_000, 3))
    noise = (fake_quantise(x, f"add_{name}(0.04)", random=2) - x) / 0.2
    sizes = np.abs(noise)
    assert least - 1e-9 <= sizes.min()
    assert sizes.max() <= most + 1e-9
    assert np.mean(noise) == pytest.approx(0.0, abs=0.02)
    assert np.mean(noise**2) == pytest.approx(1.0, abs=0.02)
    assert np.mean(noise**4) == pytest.approx(kurtosis, rel=0.05)
    assert DISTRIBUTIONS[name].kurtosis == kurtosis


def test_one_factor_a_vector_and_given_numbers() -> None:
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    factor = fake_quantise(x, "vec_two_point(0.01)", random=1) / x
    assert set(np.round(factor.ravel(), 12)) <= {0.9, 1.1}
    assert np.ptp(factor, axis=1) == pytest.approx(0.0, abs=1e-12)
    given = fake_quantise(x, "add_two_point(4)", random=np.array([[0.0, 0.6], [0.4, 0.9]]))
    assert (given - x).tolist() == [[-2.0, 2.0], [-2.0, 2.0]]


def test_torch_draws_the_same() -> None:
    torch = pytest.importorskip("torch")
    x = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    ours = fake_quantise(x, "coord_uniform(0.1)", random=5)
    theirs = fake_quantise(torch.from_numpy(x), "coord_uniform(0.1)", random=5)
    assert np.array_equal(ours, theirs.numpy())


@pytest.mark.parametrize(
    ("spelled", "printed"),
    [
        ("d:add_uniform(1e-3)", "d:add_uniform(0.001)"),
        ("a:vec_two_point(2^-4)", "a:vec_two_point(0.0625)"),
        ("d:add_normal(0.1)", "d:add(0.1)"),
        ("d:coord_uniform(3) w:coord_uniform(1)", "w:coord_uniform(1.0) d:coord_uniform(3.0)"),
    ],
)
def test_it_is_spelled(spelled: str, printed: str) -> None:
    read = Precision(spelled)
    assert str(read) == printed
    assert Precision(printed) == read
    assert pickle.loads(pickle.dumps(read)) == read
    assert Format.parse("coord_uniform(0)").is_exact


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("add_triangle(0.1)", r"unknown distribution of noise 'triangle'; accepted are normal"),
        ("ad_uniform(0.1)", "unknown noise model 'ad_uniform'"),
    ],
)
def test_an_unknown_one(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Format.parse(name)


def test_one_of_your_own() -> None:
    laplace = Distribution("Laplace", 6.0, lambda u: stats.laplace.ppf(u) / np.sqrt(2))
    DISTRIBUTIONS.register("laplace", laplace)
    NOISES.register("peaked", NoiseModel("Laplace", added=1.0, distribution="laplace"))
    try:
        drawn = fake_quantise(np.zeros(200_000), "peaked(1)", random=0)
        assert stats.kurtosis(drawn, fisher=False) == pytest.approx(6.0, rel=0.1)
        assert Format.parse("peaked_laplace(1)") == Format.parse("peaked(1)")
        assert str(Format.parse("peaked_uniform(1)")) == "peaked_uniform(1.0)"
    finally:
        NOISES.remove("peaked")
        DISTRIBUTIONS.remove("laplace")


@pytest.mark.parametrize(
    ("kurtosis", "quantile", "message"),
    [
        (2.0, None, "a distribution of kurtosis 2.0 needs quantiles"),
        (1.8, lambda u: u - 0.5, "have variance 0.08333; it is to be 1 to 1%"),
        (3.0, lambda u: np.sqrt(12) * (u - 0.5), "have kurtosis 1.8; it is to be 3"),
        (1.8, lambda u: np.sqrt(12) * u, "are not symmetric around zero"),
        (1.8, lambda u: np.full(len(u), np.nan), "are not 65536 finite numbers"),
    ],
    ids=["no draw", "variance", "kurtosis", "skewed", "nan"],
)
def test_one_that_is_none(kurtosis: float, quantile: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Distribution("wrong", kurtosis, quantile)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="unknown distribution of noise 'none'"):
        NoiseModel("wrong", added=1.0, distribution="none")
