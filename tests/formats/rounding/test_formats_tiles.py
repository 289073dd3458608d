"""Tiles and last groups that are smaller: against plain loops over what shares a scale."""

import numpy as np
import pytest
import torch

from isoloss.formats import Format, fake_quantise, scales
from isoloss.formats.torch_twin import fake_quantise as twin

X = np.random.default_rng(0).standard_normal((2, 21, 50)).astype(np.float32)
FORMATS = ["int4", "e4m3", "uint3", "nf4", "mxfp4", "int3_full", "int4+pow2", "int3+clip"]


def by_loop(x: np.ndarray, name: str, rows: int, columns: int) -> np.ndarray:
    """Each tile of each matrix rounded as a tensor of its own."""
    out = np.empty_like(x)
    for matrix, to in zip(x, out, strict=True):
        for i in range(0, matrix.shape[0], rows):
            for j in range(0, matrix.shape[1], columns):
                part = np.s_[i : i + rows, j : j + columns]
                to[part] = fake_quantise(np.ascontiguousarray(matrix[part]), name)
    return out


def spelled(name: str, share: str) -> str:
    base, plus, mark = name.partition("+")
    return f"{base}/{share}{plus}{mark}"


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("sides", [(7, 10), (8, 16), (4, 50), (32, 64)])
def test_a_tile_is_rounded_as_a_tensor_of_its_own(name: str, sides: tuple[int, int]) -> None:
    tile = spelled(name, f"{sides[0]}x{sides[1]}")
    want = by_loop(X, spelled(name, "tensor"), *sides)
    assert np.array_equal(fake_quantise(X, tile), want)
    assert torch.equal(fake_quantise(torch.from_numpy(X), tile), torch.from_numpy(want))
    assert torch.equal(twin(torch.from_numpy(X), tile, compiled=False), torch.from_numpy(want))


@pytest.mark.parametrize("name", [*FORMATS, "nvfp4"])
def test_the_last_group_of_a_row_may_be_smaller(name: str) -> None:
    ragged = spelled(name, "16")
    found = fake_quantise(X, ragged)
    whole = np.pad(X, [(0, 0), (0, 0), (0, 14)])
    assert np.array_equal(found, fake_quantise(whole, ragged)[..., :50])
    if name != "nvfp4":  # whose scales share one number of the tensor
        want = by_loop(X, spelled(name, "row"), 1, 16)
        assert np.array_equal(found, want)
    assert np.array_equal(found, fake_quantise(torch.from_numpy(X), ragged).numpy())


def test_the_compiled_twin_keeps_tiles_inside_of_their_matrix() -> None:
    x = torch.from_numpy(X)
    for name in ("int4/8x16", "int4/16"):
        assert torch.equal(twin(x, name), fake_quantise(x, name))
        out = torch.empty_like(x)
        assert torch.equal(twin(x, name, out=out, check=False), fake_quantise(x, name))


@pytest.mark.parametrize("name", ["int4/8x16", "e4m3/16", "mxfp4", "int3/7x10+clip"])
def test_scales_of_tiles_are_what_rounding_divides_by(name: str) -> None:
    found = scales(X, name)
    assert found.shape == X.shape
    assert np.array_equal(fake_quantise(X, name, scale=found), fake_quantise(X, name))


def test_random_rounding_of_tiles_takes_the_number_of_its_place() -> None:
    x = X[0]
    uniform = np.random.default_rng(1).random(x.shape, dtype=np.float32)
    step = scales(x, "int4/8x16")
    want = np.floor(x / step + uniform) * step
    found = fake_quantise(x, "int4/8x16~sr", random=np.where(x < 0, 1 - uniform, uniform) % 1)
    up = np.abs(found) >= np.abs(x)
    assert np.array_equal(np.abs(found - x) < step, np.ones_like(up))
    low = fake_quantise(x, "int4/8x16~sr", random=np.full_like(x, 0.999999))
    assert np.all(np.abs(low) <= np.abs(x) * (1 + 1e-6))
    assert want.shape == found.shape


def test_a_tile_stores_one_scale() -> None:
    known = Format.parse("e4m3/128x128")
    assert known.tile == (128, 128)
    assert known.storage_bits == 8 + 16 / 128**2
    assert Format.parse("int4/128").tile is None


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("int4/8x8", (16,), "'int4/8x8' shares a scale among rows, and an array of one axis has"),
        (
            "ternary/8x8",
            (16, 12),
            "tiles of 8 x 8 in 'ternary/8x8' do not divide the last two axes of shape (16, 12); "
            "both must be multiples",
        ),
        (
            "int4/8x8+had",
            (12, 16),
            "tiles of 8 x 8 in 'int4/8x8+had' do not divide the last two axes of shape (12, 16)",
        ),
        (
            "binary/32",
            (2, 48),
            "groups of 32 in 'binary/32' do not divide the last axis of shape (2, 48); its length "
            "48 must be a multiple of 32",
        ),
    ],
)
def test_what_zeros_cannot_fill_up_is_refused(
    name: str, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        fake_quantise(np.ones(shape), name)
    assert str(caught.value).startswith(message)
