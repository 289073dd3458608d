"""GPTQ: a matrix rounded column by column, each error made good by the columns to come.

A layer turns inputs x into W x. Rounding W to Q changes its outputs on calibration inputs X, shape
(tokens, inputs), by

    |X (W - Q)^T|^2 = 1/2 tr((W - Q) H (W - Q)^T),        H = 2 X^T X,

one quadratic form for each row of W, all with the same H. Rounding to nearest minimises the
distance of the weights, as if H were the identity. Optimal brain surgery does better: if column i
has been rounded with the error e = w_i - q_i, the change of the columns after it that makes the
form least is

    w_j <- w_j - e (F^-1)_ij / (F^-1)_ii,        F = the part of H of the columns i, i + 1, ...

that were still free. The rows of all these inverses are one Cholesky factor: with H^-1 = U^T U, U
upper triangular, row i of U is row i of F^-1 over the root of (F^-1)_ii. So

    for each column i:   q_i = round(w_i);   w_j <- w_j - (w_i - q_i) / U_ii U_ij   for all j > i

and as long as errors stay inside a block of columns, the columns behind it can wait and take the
whole block's errors as one product of matrices. Inputs of calibration may span less than the space:
1% of the mean diagonal is added to the diagonal of H. Where H is diagonal nothing is fed forward,
and GPTQ is rounding to nearest; likewise next to one input that is thousands of times the others,
whose mean square would drown theirs, and which is said.

The order is free. The column whose inputs are largest (H_ii) comes first: its error costs most, and
early columns have most others to make it good; in pretrained models, a few of whose inputs are
huge, this takes the form down to a half or a third of what the order of the inputs leaves. Scales
are those of W before anything is rounded, so that a group keeps one scale whenever its columns
come; taking a group's scale when it is reached would want the order of the inputs, and gains
nothing without it. U is found in float64; the columns are kept in the type of W (16-bit types in
float32), so that the rounding is, bit by bit, that of `formats`.

H is that of inputs to the model as it was trained, found once for all formats; `@gptq_sequential`
finds it anew behind the matrices that are rounded by then.

Source: Frantar, Ashkboos, Hoefler, Alistarh 2022, GPTQ (arXiv 2210.17323), equations 2 and 3 and
algorithm 1, for a fixed order of columns; the order by H_ii and scales taken before are options of
their published code ("act-order", "static groups").
"""

from __future__ import annotations

import math
import warnings
from dataclasses import replace

import torch
from torch import Tensor

from isoloss.formats import Format, hadamard
from isoloss.lm.after.columns import Columns, fed_forward
from isoloss.lm.after.post_method import PostMethod
from isoloss.lm.after.seen import DAMPING, CalibrationWarning, Moments
from isoloss.lm.shape import ModelError

#: Damping that is so many times the median of H's diagonal leaves next to no correlations.
DROWNED = 100.0


@torch.no_grad()
def gptq(
    weight: Tensor, hessian: Tensor | Moments, known: Format | str, damping: float = DAMPING
) -> Tensor:
    """The matrix (outputs, inputs) rounded to a format so that its outputs change least.

    hessian: H, (inputs, inputs), or moments, whose factor of H is found once for all formats.
    Granularity is that of the format: row, tensor, a group (the last one is smaller where it does
    not divide the inputs) or its block. Raises ModelError where H or the matrix is not finite, and
    where a given H is of no inputs whatever (asymmetric, or negative), ValueError for formats
    without a fixed grid, and for a weight that is no matrix of floats or has other inputs than H.
    """
    known = replace(Format.parse(known), method=None)
    _check(weight, hessian.hessian if isinstance(hessian, Moments) else hessian)
    moments = hessian if isinstance(hessian, Moments) else Moments.of_hessian(hessian)
    w = (
        weight.detach()
        if weight.dtype in (torch.float32, torch.float64)
        else weight.detach().float()
    )
    if known.hadamard:
        turned = hadamard(hadamard(moments.hessian, known).T.contiguous(), known).T
        seen = replace(moments, hessian=turned, _factors={})
        back: Tensor = hadamard(gptq(hadamard(w, known), seen, _unrotated(known), damping), known)
        return back.to(weight.dtype)
    # Large inputs first: their errors cost most, and most columns are left to make them good.
    order, exact = moments.factor(damping)
    _say_drowned(moments.hessian.diagonal(), damping)
    factor = exact.to(w.dtype)
    # Columns are rows of the transpose: memory that lies together.
    rounded = torch.empty_like(w.T, memory_format=torch.contiguous_format)
    rounded[order] = fed_forward(w.T[order], factor, Columns(w, known), order.tolist())
    return rounded.T.contiguous().to(weight.dtype)


def _check(weight: Tensor, hessian: Tensor) -> None:
    """Refuse a weight that is no matrix of finite floats, and an H of other inputs."""
    if weight.dim() != 2 or not weight.numel() or not weight.is_floating_point():
        raise ValueError(
            f"the weight is {weight.dtype} of shape {tuple(weight.shape)}; accepted are floats, "
            "(outputs, inputs)"
        )
    inputs = weight.shape[1]
    if tuple(hessian.shape) != (inputs, inputs):
        raise ValueError(
            f"H has shape {tuple(hessian.shape)}, and the weight has {inputs} inputs; accepted is "
            f"({inputs}, {inputs})"
        )
    # Elsewhere it would wait for the device.
    if weight.device.type == "cpu" and not bool(torch.isfinite(weight).all()):
        raise ModelError("cannot round the weight by @gptq: it holds NaN or infinity")


def _say_drowned(diagonal: Tensor, damping: float) -> None:
    """Warn where damping by the mean of H leaves most inputs uncorrelated, so that all but their
    largest are rounded to nearest.
    """
    # NaN, which nothing exceeds, where all are zero.
    common = float(diagonal.where(diagonal > 0, torch.nan).nanmedian())
    if damping * float(diagonal.mean()) > DROWNED * common:
        largest = int(diagonal.argmax())
        times = math.sqrt(float(diagonal[largest]) / common)
        warnings.warn(
            f"input {largest} of {len(diagonal)} is {times:.2g} times the median of a matrix's "
            "inputs, so that @gptq next to rounds its others to nearest; '+had' spreads such "
            "inputs",
            CalibrationWarning,
            stacklevel=2,
        )


def _unrotated(known: Format) -> Format:
    return known.modified(known.modifiers._replace(hadamard=False))


def _by_moments(weight: Tensor, known: Format, seen: Moments) -> Tensor:
    return gptq(weight, seen, known)


def _refusal(known: Format) -> str | None:
    """GPTQ makes good the error of each column, which only a fixed grid leaves."""
    if known.tile:
        return "@gptq rounds column by column, so a tile has no scale yet; take /row or a group"
    drawn = known.is_random or known.function
    return "@gptq takes formats that round to nearest on a grid" if drawn else None


def _by_rows(known: Format) -> bool:
    """Whether scales belong to rows, so that matrices of one input may lie below each other."""
    return known.granularity != "tensor" and known.scale != "e4m3"


METHOD = PostMethod(
    "gptq", _by_moments, "moments", layer_by_layer=False, together=_by_rows, refusal=_refusal
)
