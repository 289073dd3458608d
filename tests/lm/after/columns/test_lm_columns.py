"""Columns in machine code beside the specification: every number, midpoint and neighbour of formats
of every kind; and beside torch's column after column.
"""

import numpy as np
import pytest
import torch
from torch import Tensor

from isoloss.formats import Format, fake_quantise
from isoloss.lm.after.columns import Columns, feeding

NEAREST = (
    "int2/row", "int3/8", "int8/row", "int4_full/8", "uint3/8", "uint8/row", "int3+clip/row",
    "int4+pow2/8", "int4/tensor", "e2m1/16", "e3m2/row", "e4m3/row", "e5m2/8", "e4m3fnuz/row",
    "nf4/8", "ternary/row", "binary/8", "mxfp4", "mxfp8", "nvfp4", "bf16", "fp16", "e4m3+pow2/row",
)  # fmt: skip


def corners(known: Format, dtype: type[np.floating]) -> np.ndarray:
    """Numbers of the grid, midpoints, what lies next to either, and beyond the ends."""
    levels = known.grid[:: max(1, len(known.grid) // 500)]
    middles, ends = (levels[:-1] + levels[1:]) / 2, np.array([2 * levels[0], 2 * levels[-1]])
    with np.errstate(over="ignore"):
        points = np.concatenate([levels, middles, ends]).astype(dtype)
        near = [np.nextafter(points, dtype(side)) for side in (-np.inf, np.inf)]
    return np.concatenate([points, *near, np.array([0.0, -0.0], dtype)])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("spelled", NEAREST)
def test_it_rounds_as_the_specification_does(spelled: str, dtype: type[np.floating]) -> None:
    known = Format.parse(spelled)
    x = corners(known, dtype)
    x = x[np.isfinite(x) & (np.abs(x) < 1e37)]
    w = torch.from_numpy(np.resize(x, (len(x), 32)))
    columns = Columns(w, known)
    found = _fed(w, torch.eye(32, dtype=w.dtype), columns, list(range(32)))
    expected = torch.cat([columns.grid(i)(w[:, i : i + 1]) for i in range(32)], 1)
    assert torch.equal(found, expected)
    if known.granularity != "tensor":
        assert torch.equal(found, fake_quantise(w, known))


@pytest.mark.parametrize("spelled", NEAREST)
def test_it_feeds_errors_forward_as_torch_does(
    spelled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, draw = Format.parse(spelled), np.random.default_rng(3)
    w = torch.from_numpy(draw.normal(size=(300, 160)))  # more than a tile, more than a block
    factor = torch.from_numpy(np.triu(draw.normal(size=(160, 160)) / 8) + np.eye(160))
    order = draw.permutation(160).tolist()
    columns = Columns(w, known)
    found = _fed(w, factor, columns, order)
    monkeypatch.setattr(feeding, "find_spec", lambda _: None)
    torch.testing.assert_close(found, _fed(w, factor, columns, order), rtol=1e-9, atol=1e-9)


def _fed(w: Tensor, factor: Tensor, columns: Columns, order: list[int]) -> Tensor:
    rounded = torch.empty_like(w)
    rounded[:, order] = feeding.fed_forward(w.T[order].contiguous(), factor, columns, order).T
    return rounded


def test_formats_without_a_list_of_numbers_are_fed_by_torch() -> None:
    w = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))
    for spelled in ("fp", "int24/row"):
        found = _fed(w, torch.eye(8), Columns(w, Format.parse(spelled)), list(range(8)))
        assert torch.equal(found, fake_quantise(w, spelled))


def test_what_is_no_number_stays_so_and_is_fed_forward() -> None:
    w = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    columns = Columns(w, Format.parse("int4/row"))
    found = _fed(torch.tensor([[torch.nan, 2.0], [3.0, 4.0]]), torch.eye(2), columns, [0, 1])
    assert found[0].isnan().all()
    assert found[1].isfinite().all()
