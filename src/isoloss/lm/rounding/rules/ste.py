"""The plain straight-through rule ('@ste', or no method): the gradient passes as if unrounded.

    dL/dx = g, whether x was rounded or clipped

The scale, which comes from x, has no gradient. Source: Bengio, Leonard, Courville 2013, Estimating
or propagating gradients through stochastic neurons (arXiv 1308.3432).
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from isoloss.formats import Format
from isoloss.formats.torch_twin import fake_quantise
from isoloss.lm.rounding.gradient_rule import PLAIN, GradientRule


def plain(x: Tensor, known: Format, random: Any = None, compiled: bool = True) -> Tensor:
    """x rounded to a format, with the gradient of x itself."""
    # No check of NaN: a run that diverges is told by its loss, and the check would wait for the
    # device at every step.
    return fake_quantise(x, known, random=random, check=False, compiled=compiled)


RULE = GradientRule(PLAIN, plain, label="straight-through", plain=True, any_groups=True)
