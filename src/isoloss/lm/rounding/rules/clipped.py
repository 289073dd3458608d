"""The clipped rule ('@clipped'): what was clipped has no gradient, as small moves do nothing.

With s the scale of a group, u = x / s, and bottom and top the ends of the grid,

    dL/dx = g where bottom <= u <= top, else 0

Only formats that can clip take it: '+clip', full-range integers, ternary, binary, block formats,
whose scale may lie below the largest magnitude. The ends count as inside up to a part in a million,
the rounding of x / s. Source: Hubara et al. 2016, Quantized neural networks, section 2.3; the
clipping of PACT, Choi et al. 2018.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from isoloss.formats import Format, scales
from isoloss.formats.torch_twin import fake_quantise
from isoloss.lm.rounding.gradient_rule import GradientRule

#: The ends of a grid count as inside up to this share.
ENDS = 1 + 2.0**-20


def clipped(x: Tensor, known: Format, random: Any = None, compiled: bool = True) -> Tensor:
    """What a format makes of x, with no gradient where x was clipped."""
    result: Tensor = _Clipped.apply(x, known, random, compiled)  # type: ignore[no-untyped-call]
    return result


class _Clipped(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, known: Format, random: Any, compiled: bool) -> Tensor:
        scale = scales(x, known)
        # Nothing looks whether the scale is finite, which would wait for the device: a run that
        # has diverged gets NaN here, and its loss says so.
        top = known.max * ENDS
        # Blocks keep the symmetric end that their published losses were made with.
        bottom = (known.min if known.scale is None else -known.max) * ENDS
        u = x.to(scale.dtype) / scale
        ctx.save_for_backward((u >= bottom) & (u <= top))
        return fake_quantise(x, known, random=random, scale=scale, check=False, compiled=compiled)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (inside,) = ctx.saved_tensors
        return gradients[0] * inside, None, None, None


def _refusal(known: Format, scope: str, share: str | int | None) -> str | None:
    if known.hadamard or not known.is_scaled or known.span == "shifted":
        return "@clipped takes scaled grids around zero, without +had"
    can_clip = known.clip or known.span == "full" or known.scales_by_mean or known.scale
    return (
        None if can_clip else "its scale is the largest magnitude, so nothing is clipped; add +clip"
    )


RULE = GradientRule("clipped", clipped, refusal=_refusal, any_groups=True)
