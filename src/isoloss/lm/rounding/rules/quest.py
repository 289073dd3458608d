"""QuEST ('@quest'): rounding in a rotated basis, with a gradient where the error is small.

With H the orthonormal Hadamard matrix of every 128 neighbours (or the largest power of two that
divides them), sigma the root mean square of a group of h = x H, and a_b the clip that makes the
mean squared error of 2^b equal steps on a standard normal variable smallest,

    d     = 2 a_b sigma / (2^b - 1)
    q     = d (floor(h / d) + 1/2), at most a_b sigma to either side;   y = q H^T
    dL/dx = (m * (g H)) H^T,   m = 1 where |q - h| <= d / 2, else 0   ("trust")

The grid has all 2^b levels and none at 0: it is not that of 'int4' in `formats`, though it has its
bits. |q - h| <= d / 2 is computed as |h| <= 2^(b-1) d, which is the same without the error of a
subtraction. The paper shares sigma in a row of weights and in a token of activations: 'w4@quest
a4/row@quest'. Source: Panferov et al. 2025, QuEST, section 3.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from isoloss.formats import Format
from isoloss.lm.rounding.gradient_rule import GradientRule

#: a_b of QuEST by bits: the argument of the least mean squared error, by quadrature.
GAUSSIAN_CLIP = {
    1: 0.7978846,
    2: 1.4935300,
    3: 2.0510680,
    4: 2.5140046,
    5: 2.9161512,
    6: 3.2779848,
    7: 3.6110966,
    8: 3.9222042,
}
ROTATED = 128


def quest(x: Tensor, known: Format, random: Any = None, compiled: bool = True) -> Tensor:
    """x on the grid of QuEST, with the gradient that it trusts."""
    result: Tensor = _Quest.apply(x, known)  # type: ignore[no-untyped-call]
    return result


class _Quest(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, known: Format) -> Tensor:
        group = known.granularity if isinstance(known.granularity, int) else x.shape[-1]
        size = min(group & -group, ROTATED)
        levels = 2 ** int(known.bits)
        h = rotated(x, size)  # in a rotated basis outliers are spread over their neighbours
        parts = (
            h.reshape(1, -1)
            if known.granularity == "tensor"
            else h.reshape(*h.shape[:-1], -1, group)
        )
        sigma = parts.square().mean(-1, keepdim=True).sqrt()
        step = (sigma * (2 * GAUSSIAN_CLIP[int(known.bits)] / (levels - 1))).clamp_min(2.0**-126)
        u = parts / step
        # Beyond half a step outside of the grid the error is larger than half a step: not trusted.
        ctx.save_for_backward((u.abs() <= levels / 2).reshape(x.shape))
        ctx.size = size
        # Levels stand at half steps, so floor + 1/2 is the nearest of them.
        q = (u.floor() + 0.5).clamp(-(levels - 1) / 2, (levels - 1) / 2) * step
        return rotated(q.reshape(x.shape), size).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (trusted,) = ctx.saved_tensors
        g = gradients[0]
        return rotated(rotated(g, ctx.size) * trusted, ctx.size).to(g.dtype), None


def rotated(x: Tensor, size: int) -> Tensor:
    """x times the orthonormal Hadamard matrix of every `size` neighbours, at least in float32; its
    own inverse.
    """
    wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    with torch.autocast(x.device.type, enabled=False):
        pieces = wide.reshape(*wide.shape[:-1], -1, size) @ _hadamard(size, wide.dtype, wide.device)
    return pieces.reshape(x.shape)


@lru_cache(maxsize=32)
def _hadamard(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Sylvester's matrix over sqrt(size), shape (size, size)."""
    found = torch.ones(1, 1, dtype=torch.float64)
    while len(found) < size:
        found = torch.cat([torch.cat([found, found], 1), torch.cat([found, -found], 1)])
    result: Tensor = found / size**0.5
    return result.to(device, dtype)


def _refusal(known: Format, scope: str, share: str | int | None) -> str | None:
    bare = replace(known, granularity=None, method=None)
    plain = known.name == "binary" or (
        known.is_integer and known.span == "symmetric" and known.bits <= 8
    )
    if plain and bare == known.bare:
        return None
    return (
        "@quest takes binary and int2 to int8, with no modifier but a granularity "
        "(it rotates by itself)"
    )


RULE = GradientRule("quest", quest, refusal=_refusal)
