"""Plain formats side by side: one pass that rounds each part of a stack to a grid of its own.

Integers and floats follow one rule (isoloss/formats/rounding.py) whose numbers alone differ: with m
the largest magnitude of a scale group, s = m / d its scale, u = x / s within [-b, t], and g =
max(2^floor(log2 |u|), 2^l) 2^-p the distance of neighbours at u,

    Q(x) = s g round(u / g)

An integer is the float whose lowest binade, l = p, is above its largest number: g is 1 everywhere.
So members of a batched sweep that differ in format are rounded together, in as many passes over
memory as one format takes. Tests hold every plain format to the specification, to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import torch
from torch import Tensor

from isoloss.formats import Format, power_of_two
from isoloss.formats.torch_twin import compiled_as, fused_or, straight
from isoloss.lm.rounding.gradient_rule import rule_of

#: Numbers above it are not all in float32.
LARGEST = 2.0**24


def is_plain(known: Format) -> bool:
    """Whether the rule above is all that a format does: to nearest, with the gradient straight
    through.
    """
    marked = (
        known.hadamard or known.clip or known.pow2 or known.rounding or not rule_of(known).plain
    )
    grid = (known.is_integer or known.is_float) and known.is_scaled and known.span != "shifted"
    return (
        grid
        and not marked
        and known.special != "fnuz"
        and known.max < LARGEST
        and known.granularity in ("row", "tensor")
    )


class Grids:
    """Rounds x (M, ..., n), each of its M parts to its format, or not at all where that is None."""

    def __init__(self, formats: Sequence[Format | None], compiled: bool):
        self._numbers = torch.tensor([_numbers(known) for known in formats], dtype=torch.float64).T
        self._compiled = compiled
        self._placed: dict[tuple[torch.dtype, torch.device], tuple[Tensor, ...]] = {}

    def __call__(self, x: Tensor) -> Tensor:
        """x rounded, of its shape and type; the gradient passes straight through."""
        return straight(x, self._round)

    def _round(self, x: Tensor) -> Tensor:
        wide = (
            x.detach()
            .to(torch.promote_types(x.dtype, torch.float32))
            .reshape(len(x), -1, x.shape[-1])
        )
        key = wide.dtype, wide.device
        if key not in self._placed:
            numbers = self._numbers.to(wide.device)[..., None, None]
            *reals, whole, rounds = (row.to(wide.dtype) for row in numbers)
            self._placed[key] = (*reals, whole != 0, rounds != 0)
        placed = self._placed[key]

        def plain() -> Tensor:
            return _rounded(wide, *placed)

        rounded = (
            fused_or(lambda: _program(wide.dtype, len(x))(wide, *placed), plain)
            if self._compiled
            else plain()
        )
        return rounded.reshape(x.shape).to(x.dtype)


def _numbers(known: Format | None) -> tuple[float, ...]:
    """The numbers of a format in the rule: d, t, b, 2^l, 2^-p, whether a tensor shares a scale,
    whether anything is rounded.
    """
    if known is None:
        return 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0
    top, whole = known.max, float(known.granularity == "tensor")
    if known.mantissa is not None and known.lowest_exponent is not None:
        return top, top, top, 2.0**known.lowest_exponent, 2.0**-known.mantissa, whole, 1.0
    # The lowest binade of an integer lies above its largest number, so its steps are 1 everywhere.
    above = 2.0 ** math.ceil(math.log2(top + 1))
    return known.scaled_max, top, top + 1, above, 1 / above, whole, 1.0


def _rounded(
    x: Tensor,
    divisor: Tensor,
    top: Tensor,
    bottom: Tensor,
    lowest: Tensor,
    fraction: Tensor,
    whole: Tensor,
    rounds: Tensor,
) -> Tensor:
    # x: M R n, the others M 1 1, so that each member meets the numbers of its own format.
    rows = x.abs().amax(-1, keepdim=True)
    largest = torch.where(whole, rows.amax(1, keepdim=True), rows)
    # The smallest normal number stands for a scale of 0, which all zeros would give.
    scale = (largest / divisor).clamp_min(torch.finfo(x.dtype).tiny)
    u = (x / scale).clamp(-bottom, top)
    gap = power_of_two(torch, u).clamp_min(lowest) * fraction
    # torch.round takes ties to even, as the specification does.
    return torch.where(rounds, (u / gap).round() * gap * scale, x)


@lru_cache(maxsize=64)
def _program(dtype: torch.dtype, members: int) -> Callable[..., Tensor]:
    return compiled_as(f"grids {dtype} {members}", _rounded)
