"""How a gradient passes a rounding: the straight-through rules, one for each method that training knows.

Rounding Q is flat almost everywhere, so its true gradient is 0 and teaches nothing. Every rule below puts something in
its place. With y = Q(x), g = dL/dy, s the scale of a granule and u = x / s:

1. Plain, no method or '@ste' (Bengio, Leonard, Courville 2013): dL/dx = g, whether x was rounded or clipped. The scale,
   which comes from x, has no gradient.
2. '@clipped' (Hubara et al. 2016, Quantized neural networks, section 2.3; the clipping of PACT, Choi et al. 2018):

       dL/dx = g where bottom <= u <= top, else 0

   with bottom and top the ends of the grid: what was clipped learns nothing, since moving it a little changes nothing.
   Only formats that can clip take it: '+clip', full-range integers, ternary, binary, block formats, whose scale may lie
   below the largest magnitude. The ends count as inside up to a part in a million, the rounding of x / s.
3. '@lsq' (Esser et al. 2020, Learned step size quantization, equations 1 to 3): s is a parameter. With Q_N = 2^(b-1) and
   Q_P = 2^(b-1) - 1,

       y     = s round(clip(u, -Q_N, Q_P))
       dL/dx = g where -Q_N < u < Q_P, else 0
       dL/ds = c sum g t,   t = -Q_N where u <= -Q_N, Q_P where u >= Q_P, else round(u) - u
       c     = 1 / sqrt(n Q_P),   and at first   s = 2 mean|x| / sqrt(Q_P)

   the sum and the mean over the n numbers that share s; for activations n counts one sequence of the batch, as the paper's
   number of features does. Weights have a step a row, a group or a tensor; activations, keys, values and queries
   one for the tensor, set by the first batch (learned_step.py).
4. '@quest' (Panferov et al. 2025, QuEST, section 3): with H the orthonormal Hadamard matrix of every 128 neighbours (or the
   largest power of two that divides them), sigma the root mean square of a granule of h = x H, and a_b the clip that makes the
   mean squared error of 2^b equal steps on a standard normal variable smallest,

       d     = 2 a_b sigma / (2^b - 1)
       q     = d (floor(h / d) + 1/2), at most a_b sigma to either side;   y = q H^T
       dL/dx = (m * (g H)) H^T,   m = 1 where |q - h| <= d / 2, else 0   ("trust")

   The grid has all 2^b levels and none at 0: it is not that of 'int4' in `formats`, though it has its bits. |q - h| <= d / 2 is
   computed as |h| <= 2^(b-1) d, which is the same without the error of a subtraction. The paper shares
   sigma in a row of weights and in a token of activations: 'w4@quest a4/row@quest'.

The backward products see the rounded operand in every rule: dx = g Q(W), dW = g^T Q(x).
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from isoloss.formats import Format, Precision, scales
from isoloss.formats.torch_twin import fake_quantise
from isoloss.lm.shape import ModelError

PLAIN = "ste"
METHODS = (PLAIN, "clipped", "lsq", "quest")
#: The ends of a grid count as inside up to this share.
ENDS = 1 + 2.0**-20
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


def method_of(precision: Precision) -> str | None:
    """What a table of runs calls the way gradients take in training: one word, or one for each part that is set."""
    words = {
        scope: "straight-through" if known.method in (None, PLAIN) else str(known.method)
        for scope, known in precision.train.items()
        if not known.is_exact
    }
    if len(set(words.values())) <= 1:
        return next(iter(words.values()), None)
    return ", ".join(f"{scope} {word}" for scope, word in words.items())


def check_method(known: Format, scope: str, share: str | int | None) -> None:
    """None, or ModelError where training knows no such method, or the format and part cannot have it."""
    if known.method is not None and known.method not in METHODS:
        raise ModelError(
            f"training knows no method '{known.method}' ('{scope}:{known}'); it has {', '.join(METHODS)}"
        )
    if known.method in (None, PLAIN):
        return
    if scope.partition(".")[0] == "g":
        raise ModelError(
            f"'{scope}:{known}' has no gradient to pass on; output gradients take no method"
        )
    problem = {"clipped": _not_clipped, "lsq": _not_learned, "quest": _not_quest}[known.method](
        known
    )
    if problem:
        raise ModelError(f"'{scope}:{known}' cannot be: {problem}")
    if known.method == "lsq" and scope.partition(".")[0] != "w" and share != "tensor":
        raise ModelError(
            f"'{scope}:{known}' cannot be: numbers that change with every batch have one learned step a tensor; "
            f"write {scope}:{known.name}/tensor@lsq"
        )


def _not_clipped(known: Format) -> str | None:
    if known.hadamard or not known.is_scaled or known.span == "shifted":
        return "@clipped takes scaled grids around zero, without +had"
    can_clip = known.clip or known.span == "full" or known.scales_by_mean or known.scale
    return (
        None if can_clip else "its scale is the largest magnitude, so nothing is clipped; add +clip"
    )


def _not_learned(known: Format) -> str | None:
    bare = replace(known, granularity=None, method=None)
    if known.is_integer and known.span == "symmetric" and bare == known.bare:
        return None
    return "@lsq takes int2, int3, ... to nearest, with no mark but a granularity"


def _not_quest(known: Format) -> str | None:
    bare = replace(known, granularity=None, method=None)
    plain = known.name == "binary" or (
        known.is_integer and known.span == "symmetric" and known.bits <= 8
    )
    if plain and bare == known.bare:
        return None
    return "@quest takes binary and int2 to int8, with no mark but a granularity (it rotates by itself)"


# ---- '@clipped'
def clipped(x: Tensor, known: Format, random: Any = None, compiled: bool = True) -> Tensor:
    """What a format makes of x, with no gradient where x was clipped."""
    result: Tensor = _Clipped.apply(x, known, random, compiled)  # type: ignore[no-untyped-call]
    return result


class _Clipped(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, known: Format, random: Any, compiled: bool) -> Tensor:
        plain = replace(known, method=None)
        scale = scales(x, plain)
        if not bool(scale.isfinite().all()):  # a run that has diverged, which its loss will say
            ctx.save_for_backward(torch.ones_like(x, dtype=torch.bool))
            return torch.full_like(x, torch.nan)
        top = known.max * ENDS
        # Blocks keep the symmetric end that their published losses were made with.
        bottom = (known.min if known.scale is None else -known.max) * ENDS
        u = x.to(scale.dtype) / scale
        ctx.save_for_backward((u >= bottom) & (u <= top))
        return fake_quantise(x, plain, random=random, scale=scale, check=False, compiled=compiled)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (inside,) = ctx.saved_tensors
        return gradients[0] * inside, None, None, None


# ---- '@quest'
def quest(x: Tensor, known: Format) -> Tensor:
    """x on the grid of QuEST, with the gradient that it trusts."""
    result: Tensor = _Quest.apply(x, known)  # type: ignore[no-untyped-call]
    return result


class _Quest(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, known: Format) -> Tensor:
        group = known.granularity if isinstance(known.granularity, int) else x.shape[-1]
        size = min(group & -group, ROTATED)
        levels = 2 ** int(known.bits)
        h = rotated(x, size)
        parts = (
            h.reshape(1, -1)
            if known.granularity == "tensor"
            else h.reshape(*h.shape[:-1], -1, group)
        )
        sigma = parts.square().mean(-1, keepdim=True).sqrt()
        step = (sigma * (2 * GAUSSIAN_CLIP[int(known.bits)] / (levels - 1))).clamp_min(2.0**-126)
        u = parts / step
        ctx.save_for_backward((u.abs() <= levels / 2).reshape(x.shape))
        ctx.size = size
        q = (u.floor() + 0.5).clamp(-(levels - 1) / 2, (levels - 1) / 2) * step
        return rotated(q.reshape(x.shape), size).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (trusted,) = ctx.saved_tensors
        g = gradients[0]
        return rotated(rotated(g, ctx.size) * trusted, ctx.size).to(g.dtype), None


def rotated(x: Tensor, size: int) -> Tensor:
    """x times the orthonormal Hadamard matrix of every `size` neighbours, at least in float32; its own inverse."""
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
