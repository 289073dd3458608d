"""Rounding to nearest, whatever the inputs; the method where none is named."""

from __future__ import annotations

import torch
from torch import Tensor

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
    """The matrix (outputs, inputs) rounded to nearest, or at random where the format says so; a
    last group may be smaller.
    """
    if known.is_random and random is None:
        random = torch.Generator(weight.device).manual_seed(DRAWS)
    wide = weight.to(torch.promote_types(weight.dtype, torch.float32))  # the weight is cast once
    found: Tensor = fake_quantise(wide, known, random=random)
    return found.contiguous().to(weight.dtype)


METHOD = PostMethod("rtn", to_nearest, draws=True, run_time=True)
