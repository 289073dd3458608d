"""Columns rounded in a given order, the error of each fed forward to those behind it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isoloss.formats import cuts_of
from isoloss.lm.after.columns.grids import Columns

#: Columns whose errors are fed forward one by one before the rest takes them together.
TOGETHER = 128


def fed_forward(w: Tensor, factor: Tensor, columns: Columns, order: list[int]) -> Tensor:
    """The columns of a matrix rounded, where column i leaves (w_i - q_i) / U_ii U_ij to each column
    j behind it.

    On a processor that is done in machine code where numba is there: torch starts a dozen
    operations a column, which costs far more than their arithmetic.

    Parameters
    ----------
    w
        The columns as rows (inputs, outputs), in the order in which they are rounded; is changed.
    factor
        U, upper triangular, (inputs, inputs).
    order
        Which column of the matrix each row of w is.

    Returns
    -------
    Tensor
        Like w.
    """
    block = _in_machine_code(columns, w) or partial(_one_by_one, columns)
    rounded = torch.empty_like(w)
    for start in range(0, len(w), TOGETHER):
        part = slice(start, min(start + TOGETHER, len(w)))
        errors = block(w[part], rounded[part], factor[part, part], order[part])
        # The columns behind the block take its errors as one product of matrices.
        w[part.stop :].addmm_(factor[part, part.stop :].T, errors, alpha=-1)
    return rounded


#: A block of columns: of w, which is changed, the rounded ones, which are filled, U and what the
#: columns are, to their errors over U_ii.
_Block = Callable[[Tensor, Tensor, Tensor, list[int]], Tensor]


def _one_by_one(
    columns: Columns, w: Tensor, rounded: Tensor, factor: Tensor, order: list[int]
) -> Tensor:
    errors = torch.empty_like(w)
    diagonal: list[float] = factor.diagonal().tolist()
    for i, column in enumerate(order):
        rounded[i] = columns.grid(column)(w[i].unsqueeze(1)).squeeze(1)
        error = torch.sub(w[i], rounded[i], out=errors[i]).div_(diagonal[i])
        w[i + 1 :].addr_(factor[i, i + 1 :], error, alpha=-1)
    return errors


def _in_machine_code(columns: Columns, whole: Tensor) -> _Block | None:
    """None on devices, without numba, and for formats that are no list of numbers."""
    if whole.device.type != "cpu" or find_spec("numba") is None:
        return None
    from isoloss.formats.numba_twin import fed_columns  # numba takes most of a second

    known = columns.grids[0].known
    cuts = cuts_of(known, np.float64 if whole.dtype == torch.float64 else np.float32)
    if cuts is None:
        return None
    steps = _by_group(whole, [grid.step for grid in columns.grids], 1.0)
    zeros = _by_group(whole, [grid.zero for grid in columns.grids], 0.0)

    def block(w: Tensor, rounded: Tensor, factor: Tensor, order: list[int]) -> Tensor:
        errors = torch.empty_like(w)
        inner = factor.contiguous().numpy()
        groups = np.array(order) // columns.size
        fed_columns(w.numpy(), rounded.numpy(), errors.numpy(), inner, groups, steps, zeros, *cuts)
        return errors

    return block


def _by_group(w: Tensor, values: list[Tensor | None], absent: float) -> NDArray[np.floating[Any]]:
    """What each group has for each output, (groups, outputs)."""
    rows = [
        w.new_full((w.shape[1],), absent) if value is None else value.expand(w.shape[1], 1)[:, 0]
        for value in values
    ]
    return torch.stack(rows).numpy()
