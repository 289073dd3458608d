"""The grids on which the columns of a matrix are rounded."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from isoloss.formats import FixedGrid, Format, frozen


class Columns:
    """The grids of the columns of a matrix (outputs, inputs): one a group of inputs, or one for
    all, with the scales that the matrix has now.

    Attributes
    ----------
    size
        Inputs of a group.
    grids
        Each rounds a column (outputs, 1) of its group.
    """

    def __init__(self, w: Tensor, known: Format) -> None:
        size = known.group if known.is_scaled else None
        self.size = size or w.shape[1]
        if size is None and known.granularity != "row":
            parts: tuple[Tensor, ...] = (w.reshape(1, -1),)
        else:
            parts = w.split(self.size, 1)  # type: ignore[no-untyped-call]
        top = w.abs().max()
        self.grids = [_grid(part, known, top) for part in parts]

    def grid(self, column: int) -> FixedGrid:
        """That of a column."""
        return self.grids[column // self.size]


def _grid(rows: Tensor, known: Format, top: Tensor) -> FixedGrid:
    """What rounds a column to the scales of these rows (outputs, group); `top` is the largest of
    the matrix.

    The scales of NV blocks are numbers of E4M3 times one number of the whole tensor: a row of its
    largest magnitude goes along.
    """
    if known.scale != "e4m3":
        return frozen(rows.contiguous(), known)
    with_top = frozen(torch.cat([rows, torch.full_like(rows[:1], top.item())]), known)
    # The names of the blocks' steps: NV has no zero point.
    return replace(with_top, step=None if with_top.step is None else with_top.step[:-1])
