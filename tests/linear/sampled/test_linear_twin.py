"""The compiled rounding against the specification, and the random numbers that the sampler
draws.
"""

from __future__ import annotations

import numpy as np
import pytest

from isoloss.formats import Format, catalogue, fake_quantise, round_elements
from isoloss.linear.sampled.kernels.compiled import apart
from isoloss.linear.sampled.kernels.counter_rng import key_at, normal_row, uniform
from isoloss.linear.sampled.kernels.rules import rule_of, scaled_rule
from isoloss.linear.sampled.kernels.twin_rows import round_row

NAMES = [
    each.name for each in catalogue() if each.kind in ("int", "float") and each.span == "symmetric"
]
NAMES += ["int16", "int32"]
KEY = np.uint64(77)


@apart
def uniform_row(out, key):  # type: ignore[no-untyped-def]
    for i in range(out.size):
        out[i] = uniform(i, key)


def points(known: Format, dtype: type) -> np.ndarray:
    """Codes, midpoints, their neighbours on both sides, what overflows, zeros, subnormals, normals,
    infinities.
    """
    rng = np.random.default_rng(0)
    drawn = rng.standard_normal(5_000) * min(known.max, 1e30) / 3
    if known.levels is not None and known.levels <= 2**16:
        grid = known.grid
        hinges = np.concatenate(
            [grid, (grid[1:] + grid[:-1]) / 2, grid[[0, -1]] * 1.1, grid[[0, -1]] - 0.5]
        )
    else:  # too many codes to list: random bits, and what lies half way between two of them
        bits = rng.integers(0, 2**31, 20_000).astype(np.uint32).view(np.float32)
        near = round_elements(bits[np.isfinite(bits)], known.bare).astype(np.float64)
        hinges = np.concatenate([near, near * (1 + 2.0 ** -(known.mantissa or 0) / 2)])
    with np.errstate(over="ignore"):
        hinges = hinges.astype(dtype)
        sides = [np.nextafter(hinges, dtype(side)) for side in (-np.inf, np.inf)]
        tiny = rng.uniform(-4, 4, 2_000) * known.smallest_step
        ends = [0.0, -0.0, 1e-45, -1e-45, 3e38, -3e38, np.inf, -np.inf]
        return np.concatenate([hinges, *sides, drawn, tiny, ends]).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("name", "mark"),
    [(name, mark) for name in NAMES for mark in ("", "~sr")]
    + [(name, "~dither") for name in ("int2", "int4", "int8", "int32")],
)
def test_the_twin_equals_the_specification(name: str, mark: str, dtype: type) -> None:
    known = Format.parse(name + mark)
    x = points(known, dtype)
    low = -known.max - (1.0 if known.kind == "int" else 0.0)
    out, noise, u = np.empty_like(x), np.empty(len(x), np.float32), np.empty(len(x), np.float32)
    round_row(out, x, rule_of(known, 1.0, 1.0, dtype, low), KEY, noise)
    uniform_row(u, KEY)
    expected = round_elements(x, known, random=u.astype(dtype) if mark else None)
    assert expected.dtype == out.dtype == dtype
    assert np.array_equal(out, expected)


def test_integers_of_this_room_are_symmetric() -> None:
    x = np.array([-9.0, -8.0, -7.4, 7.4, 9.0])
    out = np.empty(5)
    round_row(
        out, x, rule_of(Format.parse("int4"), 1.0, 1.0, np.float64), KEY, np.empty(5, np.float32)
    )
    assert out.tolist() == [-7.0, -7.0, -7.0, 7.0, 7.0]


def test_nan_stays() -> None:
    x = np.array([np.nan, 1.0], np.float32)
    for name in ("int4", "int4~sr", "e4m3", "e4m3~sr", "fp32"):
        out = np.empty(2, np.float32)
        round_row(out, x, rule_of(Format.parse(name), 1.0, 1.0), KEY, np.empty(2, np.float32))
        assert np.isnan(out).tolist() == [True, False]


@pytest.mark.parametrize("name", ["int4", "e4m3~sr"])
def test_a_scale_divides_and_multiplies(name: str) -> None:
    x = np.linspace(-2.7, 2.7, 1001, dtype=np.float32)
    known, scale = Format.parse(name), np.float32(0.37)
    out, u = np.empty_like(x), np.empty_like(x)
    round_row(out, x, rule_of(known, float(scale), 1.0), KEY, np.empty_like(x))
    uniform_row(u, KEY)
    assert np.array_equal(
        out, round_elements(x / scale, known, random=u if known.rounding else None) * scale
    )


def test_ideal_noise_has_its_moments() -> None:
    x = np.full(1_000_000, 2.0, np.float32)
    out, noise = np.empty_like(x), np.empty_like(x)
    for name, spread in (("add(0.09)", 0.3), ("coord(0.09)", 0.6)):
        round_row(out, x, rule_of(Format.parse(name), None, 1.0), KEY, noise)
        error = out.astype(float) - 2
        assert error.mean() == pytest.approx(0, abs=5e-3 * spread)
        assert error.std() == pytest.approx(spread, rel=5e-3)
    round_row(out, x, rule_of(Format.parse("vec(0.09)"), None, 1.0), KEY, noise)
    assert np.ptp(out) == 0
    assert out[0] != 2


@pytest.mark.parametrize("size", [1, 2, 7, 1_000_001])
def test_normal_numbers(size: int) -> None:
    """Moments up to the sixth and correlations of neighbours, rows and halves, in standard
    errors.
    """
    rows = 1 if size > 100 else 300_000
    x = np.empty((rows, size), np.float32)
    for at, row in enumerate(x):
        normal_row(row, np.uint64(key_at(KEY, at)))
    x = x.astype(float)
    n = x.size
    moments = [
        ((x**k).mean() - mean) / np.sqrt(var / n)
        for k, mean, var in ((1, 0, 1), (2, 1, 2), (4, 3, 96))
    ]
    moments.append(((x**6).mean() - 15) / np.sqrt(10170 / n))
    pairs = [
        x[:, 1:] * x[:, :-1],
        x[1:] * x[:-1],
        x[:, : size // 2] * x[:, size // 2 : 2 * (size // 2)],
    ]
    moments += [each.mean() * np.sqrt(each.size) for each in pairs if each.size]
    squares = [(each**2 - 1) for each in pairs if each.size]
    moments += [each.mean() / each.std() * np.sqrt(each.size) for each in squares]
    assert np.abs(moments).max() < 4.5


def test_uniform_numbers_fill_their_interval_evenly() -> None:
    u = np.empty(4_000_000, np.float32)
    uniform_row(u, KEY)
    assert 0 <= u.min() < 1e-6
    assert 1 - 1e-6 < u.max() <= 1
    counts = np.histogram(u, 1000, (0, 1))[0]
    chi = float(np.sum((counts - 4000.0) ** 2 / 4000))
    assert abs(chi - 999) < 5 * np.sqrt(2 * 999)


BLOCKS = [each.name for each in catalogue() if each.kind == "block"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mark", ["", "~sr"])
@pytest.mark.parametrize(
    "name", [*BLOCKS, "int4/16", "int8/row", "e4m3/row", "e2m1/64", "mxfp4/16"]
)
def test_shared_scales_equal_the_specification(name: str, mark: str, dtype: type) -> None:
    known = Format.parse(name + mark)
    rng = np.random.default_rng(5)
    for size in (1.0, 1e-3, 1e4):
        x = (size * rng.standard_normal(192) * np.exp(rng.standard_normal(192))).astype(dtype)
        x[:64] *= np.arange(1, 65) ** -2.0 if size > 1 else 0  # a wide range, or groups of zeros
        out, u = np.empty_like(x), np.empty(192, np.float32)
        round_row(out, x, scaled_rule(known, 192, dtype), KEY, u)
        uniform_row(u, KEY)
        assert np.array_equal(
            out, fake_quantise(x, known, random=u.astype(dtype) if mark else None)
        )
