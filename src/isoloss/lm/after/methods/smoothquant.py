"""SmoothQuant: inputs of large activations hand part of their size to the weights that meet them.

A few inputs of a matrix are many times larger than the others, and they set the steps of the
activations. With a scale s_j for each input, W x = (W diag s)(x / s) in full precision, and

    s_j = (max |X_j|)^a / (max |W_j|)^(1 - a),    a = 1/2,

makes the largest activation and the largest weight of an input equal: both sides are about equally
hard to round. Served are round(x / s) and round(W diag s). Matrices that take the same input share
s, max |W_j| being that of all of them. An input that never came, or that no weight takes, keeps
s_j = 1.

Where activations are not rounded, only the weights change, and nothing is gained for sure.

Source: Xiao, Lin, Seznec, Wu, Demouth, Han 2022, SmoothQuant (arXiv 2211.10438), equations 3 and 4;
a = 0.5 is their default.
"""

from __future__ import annotations

import torch
from torch import Tensor

from isoloss.formats import Format
from isoloss.lm.after.methods.rtn import to_nearest
from isoloss.lm.after.post_method import PostMethod, Scaled
from isoloss.lm.after.seen import Moments

#: The share of an input's size that goes to its weights, a.
STRENGTH = 0.5


@torch.no_grad()
def smoothquant(
    weight: Tensor, known: Format, seen: Moments, random: torch.Generator | None = None
) -> Scaled:
    """The matrix (outputs, inputs), or several with the same input one below the other, rounded to
    nearest with the scale of its inputs.
    """
    activations, weights = seen.largest.double(), weight.abs().amax(0).double()
    scale = activations**STRENGTH / weights ** (1 - STRENGTH)
    scale = torch.where((activations > 0) & (weights > 0), scale, 1.0).to(weight.dtype)
    return Scaled(to_nearest(weight * scale, known, random=random) / scale, scale)


def _refusal(known: Format) -> str | None:
    if known.granularity == "tensor":
        return "@smoothquant scales matrices that share an input together; take a row or a group"
    return "@smoothquant scales inputs, which '+had' mixes" if known.hadamard else None


METHOD = PostMethod(
    "smoothquant",
    smoothquant,
    sees="moments",
    layer_by_layer=False,
    together=True,
    refusal=_refusal,
    draws=True,
    scales=True,
)
