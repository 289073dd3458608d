"""GPTQ: a matrix rounded column by column, each error made good by the columns that are still to come.

A layer turns inputs x into W x. Rounding W to Q changes its outputs on calibration inputs X, shape (tokens, inputs), by

    |X (W - Q)^T|^2 = 1/2 tr((W - Q) H (W - Q)^T),        H = 2 X^T X,

one quadratic form for each row of W, all with the same H. Rounding to nearest minimises the distance of the weights,
as if H were the identity. Optimal brain surgery does better: if column i has been rounded with the error
e = w_i - q_i, the change of the columns after it that makes the form least is

    w_j <- w_j - e (F^-1)_ij / (F^-1)_ii,        F = the part of H of the columns i, i + 1, ... that were still free.

The rows of all these inverses are one Cholesky factor: with H^-1 = U^T U, U upper triangular, row i of U is row i of
F^-1 over the root of (F^-1)_ii. So

    for each column i:   q_i = round(w_i);   w_j <- w_j - (w_i - q_i) / U_ii U_ij   for all j > i

and as long as errors stay inside a block of columns, the columns behind it can wait and take the whole block's
errors as one product of matrices. Inputs of calibration may span less than the space: 1% of the mean diagonal is added
to the diagonal of H. Where H is diagonal nothing is fed forward, and GPTQ is rounding to nearest.

Scales of rows and tensors are those of W before anything was rounded; a group's scale is taken when the group is
reached, from the numbers that will be rounded. U is found in float64; the columns are kept in the type of W (16-bit
types in float32), so that the rounding is, bit by bit, that of `formats`.

Source: Frantar, Ashkboos, Hoefler, Alistarh 2022, GPTQ (arXiv 2210.17323), equations 2 and 3 and algorithm 1; the
columns keep their order.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from isoloss.formats import Format, frozen, hadamard
from isoloss.lm.shape import ModelError

DAMPING = 0.01
#: Columns whose errors are fed forward one by one before the rest takes them together.
TOGETHER = 128

Rule = Callable[[Tensor], Tensor]


@torch.no_grad()
def gptq(weight: Tensor, hessian: Tensor, known: Format, damping: float = DAMPING) -> Tensor:
    """The matrix (outputs, inputs) rounded to a format so that its outputs change least: H is (inputs, inputs).

    Granularity is that of the format: row, tensor, a group (the last one is smaller where it does not divide the
    inputs) or its block. Raises ModelError where H is not finite, ValueError for formats without a fixed grid.
    """
    if not bool(torch.isfinite(hessian).all()):
        raise ModelError(
            "the inputs of calibration hold NaN or infinity; quantise a model whose loss is finite"
        )
    w = weight.detach() if weight.dtype in (torch.float32, torch.float64) else weight.detach().float()
    if known.hadamard:
        turned = hadamard(hadamard(hessian, known).T.contiguous(), known).T
        back: Tensor = hadamard(gptq(hadamard(w, known), turned, _unrotated(known), damping), known)
        return back.to(weight.dtype)
    factor = inverse_factor(hessian, damping).to(w.dtype)
    # Columns are rows of the transpose: memory that lies together.
    return _fed_forward(w.T.contiguous(), factor, known).T.contiguous().to(weight.dtype)


def inverse_factor(hessian: Tensor, damping: float = DAMPING) -> Tensor:
    """U, upper triangular, with (H + damping mean(diag H) 1)^-1 = U^T U, in float64; for H = 0 the identity."""
    h = hessian.double()
    mean = h.diagonal().mean()
    if mean <= 0:
        return torch.eye(len(h), dtype=h.dtype, device=h.device)
    # In units of the mean diagonal, which change no ratio U_ij / U_ii and keep the numbers near 1.
    h = h / mean + damping * torch.eye(len(h), dtype=h.dtype, device=h.device)
    lower, failed = torch.linalg.cholesky_ex(h)
    if failed:
        raise ModelError(
            f"H has no Cholesky factor with {damping:g} of its mean diagonal added; accepted is more damping"
        )
    upper: Tensor = torch.linalg.cholesky(torch.cholesky_inverse(lower), upper=True)
    return upper


def _fed_forward(w: Tensor, factor: Tensor, known: Format) -> Tensor:
    """The loop of the essay: w is (inputs, outputs), changed in place; returns it rounded, of the same shape."""
    inputs, group = len(w), _group(known)
    size = max(1, TOGETHER // group) * group if group else TOGETHER
    top = w.abs().max()
    rule = None if group else _rule(w.T if known.granularity == "row" else w.reshape(1, -1), known, top)
    rounded = torch.empty_like(w)
    for start in range(0, inputs, size):
        end = min(start + size, inputs)
        errors = torch.empty_like(w[start:end])
        for i in range(start, end):
            if group and i % group == 0:
                rule = _rule(w[i : min(i + group, inputs)].T, known, top)
            assert rule is not None
            rounded[i] = rule(w[i].unsqueeze(1)).squeeze(1)
            errors[i - start] = (w[i] - rounded[i]) / factor[i, i]
            w[i + 1 : end].addr_(factor[i, i + 1 : end], errors[i - start], alpha=-1)
        w[end:].addmm_(factor[start:end, end:].T, errors, alpha=-1)
    return rounded


def _rule(rows: Tensor, known: Format, top: Tensor) -> Rule:
    """What rounds a column to the scales of these rows (outputs, group); `top` is the largest of the matrix.

    The scales of NV blocks are numbers of E4M3 times one number of the whole tensor, which must not move from
    group to group: a row of its largest magnitude goes along.
    """
    if known.scale != "e4m3":
        return frozen(rows.contiguous(), known)
    limit = torch.full_like(rows[:1], top.item())
    whole = frozen(torch.cat([rows.clamp(-top, top), limit]), known)
    return lambda column: whole(torch.cat([column, column[:1]]))[:-1]


def _group(known: Format) -> int:
    """Inputs that share a scale, 0 where a row or the tensor does, or nothing is scaled."""
    return known.group or 0 if known.is_scaled else 0


def _unrotated(known: Format) -> Format:
    return known.marked(known.marks._replace(hadamard=False))
