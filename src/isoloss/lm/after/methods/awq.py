"""AWQ: inputs of large activations are given finer steps, by scales that are taken back behind the
rounding.

Which weights matter most is told by the activations that meet them. With a scale s_i for each
input, W x = (W diag s)(diag s^-1 x), and rounding W diag s gives weights with a large s_i a smaller
relative error. Scales come from the mean magnitudes of inputs by one exponent,

    s = (mean |x_i|)^a,    a in {0, 1/20, ..., 19/20},    over the geometric mean of its ends,

and the exponent is that with the least |X (W - Q)^T|^2, Q = round(W diag s) diag s^-1. Matrices
that take the same input share one scale, since diag s^-1 is folded into whatever makes the input.

Source: Lin, Tang, Tang, Yang, Chen, Wang, Xiao, Dang, Gan, Han 2023, AWQ (arXiv 2306.00978),
section 3.2, equations 4 and 5; the twenty exponents and the normalisation are those of their
published code. The error is that of the matrices themselves, not of the block that holds them, and
of all inputs by H = 2 X^T X. Their search for a clipping range is the modifier `+clip`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from isoloss.formats import Format
from isoloss.lm.after.methods.rtn import to_nearest
from isoloss.lm.after.post_method import PostMethod
from isoloss.lm.after.seen import Moments

EXPONENTS = 20
#: The least mean magnitude, in units of the largest: an input that is never met has one as well.
_LEAST = 1e-6


@torch.no_grad()
def awq(weight: Tensor, known: Format, seen: Moments) -> Tensor:
    """The matrix (outputs, inputs), or several with the same input one below the other, rounded
    with the scales that leave their outputs closest.
    """
    size = seen.magnitude.to(weight.dtype)
    if float(size.max()) <= 0:
        return to_nearest(weight, known)
    size = size.clamp_min(_LEAST * float(size.max()))
    hessian = seen.hessian.to(weight.dtype)
    best, least = weight, float("inf")
    for k in range(EXPONENTS):
        scale = size ** (k / EXPONENTS)
        scale = scale / (scale.max() * scale.min()).sqrt()
        rounded = to_nearest(weight * scale, known) / scale
        off = weight - rounded
        error = float(((off @ hessian) * off).sum(dtype=torch.float64))
        if error < least:
            best, least = rounded, error
    return best


def _refusal(known: Format) -> str | None:
    if known.granularity == "tensor":
        return "@awq scales matrices that share an input together; take a row or a group of them"
    if known.hadamard:
        return "@awq scales inputs, which '+had' mixes; leave one of them out"
    drawn = known.is_random or known.function
    return "@awq takes formats that round to nearest on a grid" if drawn else None


METHOD = PostMethod(
    "awq", awq, sees="moments", layer_by_layer=False, together=True, refusal=_refusal
)
