"""Formats that are a list of numbers: NF4 and a user's own, against rounding by argmin and against
sampling."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from isoloss.formats import (
    FORMATS,
    Format,
    Precision,
    as_format,
    catalogue,
    custom_format,
    error_structure,
    fake_quantise,
    frozen,
    hadamard,
    relative_error,
    round_elements,
    scales,
)

NF4 = as_format("nf4").grid
#: Uneven, without a zero, one end shorter than the other.
SKEWED = [-1.0, -0.3125, 0.125, 0.1875, 0.75]
LIST15 = custom_format("list15", grid=range(-7, 8))
custom_format("skewed", grid=SKEWED)
X = np.random.default_rng(0).standard_normal((16, 128))


def nearest(x: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """The number of least distance, the first of two: exactly, by trying all of them."""
    distances = np.abs(x.astype(np.longdouble)[..., None] - grid)
    return grid[np.argmin(distances, axis=-1)]


def hinges(grid: np.ndarray, dtype: type) -> np.ndarray:
    """Numbers, midpoints, their neighbours on both sides, and what lies beyond the ends."""
    points = np.concatenate([grid, (grid[1:] + grid[:-1]) / 2, [2 * grid[0] - 1, 2 * grid[-1] + 1]])
    points = points.astype(dtype)
    near = [np.nextafter(points, dtype(side)) for side in (-np.inf, np.inf)]
    return np.concatenate([points, *near])


def test_nf4_is_sixteen_numbers_of_bitsandbytes() -> None:
    known = as_format("nf4")
    assert (known.levels, known.bits, known.min, known.max, known.block) == (16, 4, -1, 1, 64)
    assert np.array_equal(NF4, NF4.astype(np.float32))
    assert NF4[7] == 0
    assert NF4[8] == 0.07958029955625534
    assert (known.storage_bits, as_format("nf4/128").storage_bits) == (4.25, 4.125)
    assert as_format("nf4/64") == known
    assert str(Precision("w:nf4/64")) == "w:nf4"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["nf4", "skewed", "list15"])
def test_every_number_and_midpoint(name: str, dtype: type) -> None:
    grid = as_format(name).grid
    x = hinges(grid, dtype)
    want = nearest(x, grid).astype(dtype)
    assert np.array_equal(round_elements(x, name), want)
    assert torch.equal(round_elements(torch.from_numpy(x), name), torch.from_numpy(want))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_block_of_64_is_scaled_by_its_largest_magnitude(dtype: type) -> None:
    x = X.astype(dtype)
    blocks = x.reshape(-1, 64)
    scale = np.abs(blocks).max(axis=1, keepdims=True)
    want = (nearest(blocks / scale, NF4).astype(dtype) * scale).reshape(x.shape)
    assert np.array_equal(fake_quantise(x, "nf4"), want)
    assert np.array_equal(fake_quantise(x, "nf4", scale=scales(x, "nf4")), want)
    assert np.isnan(fake_quantise(np.full(64, np.nan), "nf4", check=False)).all()


def test_a_list_of_whole_numbers_is_an_integer() -> None:
    uniform = np.random.default_rng(1).random(X.shape)
    for modifiers, random in (("/32", None), ("/32~sr", uniform), ("/row+had", None)):
        want = fake_quantise(X, f"int4{modifiers}", random=random)
        assert np.array_equal(fake_quantise(X, f"list15{modifiers}", random=random), want)


@pytest.mark.parametrize("name", ["nf4/16~sr", "skewed/16~sr"])
def test_stochastic_rounding_keeps_the_mean_and_goes_to_neighbours(name: str) -> None:
    grid = as_format(name).grid
    x = np.linspace(grid[0], grid[-1], 64)
    draws = np.stack([round_elements(x, name, random=seed) for seed in range(2000)])
    error = np.abs(draws.mean(axis=0) - x)
    assert (error <= 5 * np.maximum(draws.std(axis=0), 1e-9) / np.sqrt(2000)).all()
    below = grid[np.clip(np.searchsorted(grid, x, side="right") - 1, 0, len(grid) - 2)]
    above = grid[np.clip(np.searchsorted(grid, x, side="right"), 1, len(grid) - 1)]
    assert ((draws == below) | (draws == above)).all()
    assert np.array_equal(round_elements(grid, name, random=0), grid)


@pytest.mark.parametrize(
    "name", ["nf4", "nf4/16", "nf4/16+pow2", "nf4~sr", "skewed/32~sr", "skewed/32"]
)
def test_the_error_of_a_block_is_that_of_draws(name: str) -> None:
    known = as_format(name)
    x = np.random.default_rng(2).standard_normal((6000, known.group or 1))
    squares = (fake_quantise(x, known, random=0 if known.rounding else None) - x) ** 2
    rows = squares.mean(axis=1)
    found = relative_error(known, block=known.group)
    assert abs(found - rows.mean()) < 4 * rows.std() / np.sqrt(len(rows))


@pytest.mark.parametrize("name", ["nf4/tensor", "skewed"])
def test_the_error_at_the_best_scale_is_the_least_of_all_scales(name: str) -> None:
    x = np.random.default_rng(3).standard_normal(100_000)
    tried = [np.mean((fake_quantise(x, name, scale=s) - x) ** 2) for s in np.arange(1, 5, 0.05)]
    assert relative_error(name) == pytest.approx(min(tried), rel=0.02)


def test_clip_search_hadamard_and_frozen_scales_take_grids() -> None:
    plain, clipped = (np.sum((fake_quantise(X, f"nf4{m}") - X) ** 2) for m in ("/row", "/row+clip"))
    assert clipped < plain
    assert np.array_equal(frozen(X, "nf4/row")(X), fake_quantise(X, "nf4/row"))
    turned = hadamard(fake_quantise(hadamard(X, "nf4/row+had"), "nf4/row"), "nf4/row+had")
    assert fake_quantise(X, "nf4/row+had") == pytest.approx(turned, abs=1e-12)
    assert error_structure(X, "nf4").relative == pytest.approx(relative_error("nf4"), rel=0.1)


def test_what_a_grid_is_for_others() -> None:
    known = as_format("nf4")
    assert known.computes_in is None
    assert known.is_scaled
    assert known.has_grid
    assert not (known.is_uniform)
    assert not (known.is_wide)
    assert not (known.is_random)
    assert not (known.is_float)
    assert LIST15.bits == pytest.approx(np.log2(15))
    assert LIST15.storage_bits == LIST15.bits
    assert as_format("list15/32").storage_bits == LIST15.bits + 0.5
    assert known in catalogue()
    assert FORMATS.home("nf4") == "isoloss.formats.named"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"grid": [0.0]}, "the grid of 'uneven' has 1 numbers; it takes 2 to 65536 finite ones"),
        (
            {"grid": [0.0, np.inf]},
            "the grid of 'uneven' has 2 numbers; it takes 2 to 65536 finite ones",
        ),
        (
            {"grid": [0.0, 1.0, 1.0]},
            "the grid of 'uneven' has 1 after 1; its numbers ascend, each once",
        ),
        ({"grid": ["a"]}, "the grid of 'uneven' is ['a']; it is a list of numbers"),
        (
            {"grid": [0, 1], "block": 1},
            "block=1 of 'uneven' is none; it is a whole number, 2 or more",
        ),
        (
            {"grid": [0, 1], "bits": 0},
            "'uneven' of 0 bits, 1 stored, is no format; both are above 0 and finite",
        ),
        ({}, "'uneven' takes one of function= and grid=, not none"),
        (
            {"grid": [0, 1], "function": np.round},
            "'uneven' takes one of function= and grid=, not both",
        ),
    ],
)
def test_what_is_no_grid(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        custom_format("uneven", **options)  # type: ignore[arg-type]
    assert str(caught.value) == message
    assert "uneven" not in FORMATS


def test_a_literal_must_list_its_numbers() -> None:
    with pytest.raises(ValueError, match=r"^'bare' is a grid without numbers$"):
        Format("bare", "grid", 4)
    with pytest.raises(ValueError, match=r"^'e2m1' is no grid but has numbers$"):
        Format("e2m1", "float", 4, exponent=2, mantissa=1, numbers=(0.0, 1.0))
    with pytest.raises(ValueError, match=r"^'nf4~dither' cannot be: dither needs equal steps"):
        as_format("nf4~dither")


def test_a_grid_travels_with_its_name_and_the_module_it_comes_from(tmp_path: Path) -> None:
    (tmp_path / "my_grids.py").write_text(
        "from isoloss.formats import custom_format\ncustom_format('third', grid=[-1, 0, 2], "
        "block=8)\n"
    )
    code = (
        "import sys, pickle; sys.path.insert(0, sys.argv[1])\n"
        "from isoloss.files import use\nfrom isoloss.formats import FORMATS, Precision\n"
        "use('my_grids'); assert FORMATS.home('third') == 'my_grids'\n"
        "sys.stdout.buffer.write(pickle.dumps(Precision('w:third/4 a8')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, check=True
    )
    found = pickle.loads(done.stdout)
    assert str(found) == "w:third/4 a8"
    assert found.format("w").numbers == (-1.0, 0.0, 2.0)
    assert FORMATS.home("third") == "my_grids"
    assert Precision("w:third/4 a8") == found
    FORMATS.remove("third")
    assert "use('my_grids') or --use my_grids loads it" in FORMATS.unknown("third", "my_grids")
