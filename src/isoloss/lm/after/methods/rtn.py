"""Rounding to nearest, whatever the inputs; the method where none is named."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from isoloss.formats import Format, fake_quantise
from isoloss.lm.after.post_method import PostMethod

#: Seeds what '~sr' and ideal noise draw when weights are rounded, once.
DRAWS = 0


def to_nearest(
    weight: Tensor,
    known: Format,
    seen: Tensor | None = None,
    random: torch.Generator | None = None,
) -> Tensor:
    """The matrix (outputs, inputs) rounded to nearest, or at random where the format says so; zeros
    fill up a last group that is smaller.
    """
    # Zeros change no largest magnitude, so the group keeps the scale of the numbers that it has.
    missing = -weight.shape[-1] % (known.group or 1) if known.is_scaled else 0
    filled = nn.functional.pad(weight, (0, missing)) if missing else weight
    if known.is_random and random is None:
        random = torch.Generator(weight.device).manual_seed(DRAWS)
    wide = filled.to(torch.promote_types(filled.dtype, torch.float32))  # the weight is cast once
    found: Tensor = fake_quantise(wide, known, random=random)
    return found[..., : weight.shape[-1]].contiguous().to(weight.dtype)


METHOD = PostMethod("rtn", to_nearest, draws=True, run_time=True)
