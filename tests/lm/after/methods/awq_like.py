"""A method in the manner of AWQ, as a user would write it: one file that registers itself (Lin et
al. 2023, section 3.2).
"""

from __future__ import annotations

from torch import Tensor

from isoloss.formats import Format, fake_quantise
from isoloss.lm import PostMethod, register_method

STEPS = 20


def scaled_channels(weight: Tensor, known: Format, seen: Tensor | None) -> Tensor:
    """W (outputs, inputs) rounded as Q(W s) / s, s = (mean |x_i|)^a of the input channels, a the
    best of twenty.
    """
    assert seen is not None
    size = seen.abs().mean(0).clamp_min(1e-8).to(weight.dtype)
    tried = []
    for k in range(STEPS):
        s = size ** (k / STEPS)
        s = s / (s.max() * s.min()).sqrt()
        rounded: Tensor = fake_quantise(weight * s, known) / s
        error = float((seen.to(weight.dtype) @ (weight - rounded).T).square().mean())
        tried.append((error, k, rounded))
    return min(tried, key=lambda each: each[:2])[2]


def _refusal(known: Format) -> str | None:
    return "@awq scales channels itself; leave '+had' out" if known.hadamard else None


#: Its inputs are those of the model as it was trained, as in the authors' code.
AWQ = register_method(
    PostMethod("awqlike", scaled_channels, sees="inputs", layer_by_layer=False, refusal=_refusal),
    replace=True,
)
