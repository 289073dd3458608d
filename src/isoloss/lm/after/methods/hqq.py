"""HQQ: the zero point of each group is moved so that most weights are hit well and a few outliers
are not, without any calibration.

With steps s and zero points z, real numbers, a group of weights w becomes s (q - z), with codes q =
round(w / s + z). HQQ looks for the zero points that make

    sum |w - s (q - z)|^p,    p = 0.7,

least, which cares less for outliers than squares do. It splits off the errors e that are allowed
and takes turns (half-quadratic splitting): given z, the errors are the generalised soft threshold

    e = sign(r) max(0, |r| - |r|^(p-1) / b),    r = w - s (q - z),

and given e, z is the mean of q - (w - e) / s over the group. The weight b of the split grows by
1.01 a turn; a group ends its turns when its mean of |r| grows again, twenty at most. Steps stay
those of the range.

Source: Badri and Shaji 2023, Half-Quadratic Quantization of Large Machine Learning Models
(mobiusml.github.io/hqq_blog), equations 3 to 8; p, b = 10, its growth and twenty turns are the
defaults of their published code, whose turns end for a whole matrix. Zero points stay real numbers,
as there, where `uintN` has whole ones.
"""

from __future__ import annotations

import torch
from torch import Tensor

from isoloss.formats import Format
from isoloss.lm.after.post_method import PostMethod

POWER, SPLIT, GROWTH, TURNS = 0.7, 10.0, 1.01, 20
#: The least share by which a turn has to lower the error: that of rounding is none.
_GAIN = 1e-6


@torch.no_grad()
def hqq(weight: Tensor, known: Format, seen: None = None) -> Tensor:
    """The matrix (outputs, inputs) rounded with the zero points that half-quadratic splitting
    finds; the last group may be smaller.
    """
    parts: tuple[Tensor, ...] = weight.split(  # type: ignore[no-untyped-call]
        known.group or weight.shape[1], 1
    )
    return torch.cat([_group(part, 2.0**known.bits - 1) for part in parts], 1)


def _group(w: Tensor, top: float) -> Tensor:
    """One group of each row, (rows, group), to codes from 0 to `top`."""
    low, high = w.amin(1, keepdim=True), w.amax(1, keepdim=True)
    step = (high - low) / top
    flat = step <= 0
    step = torch.where(flat, torch.ones_like(step), step)
    zero = -low / step
    best, split = w, SPLIT
    least = torch.full_like(step, torch.inf)
    under_way = torch.ones_like(flat)
    for _ in range(TURNS):
        codes = (w / step + zero).round().clamp(0, top)
        near = step * (codes - zero)
        rest = w - near
        error = rest.abs().mean(1, keepdim=True)
        under_way = under_way & (error < least * (1 - _GAIN))
        if not bool(under_way.any()):
            break
        best, least = torch.where(under_way, near, best), torch.where(under_way, error, least)
        size = rest.abs()
        shrunk = (size - size.clamp_min(1e-12) ** (POWER - 1) / split).clamp_min(0)
        zero = (codes - (w - rest.sign() * shrunk) / step).mean(1, keepdim=True)
        split *= GROWTH
    return torch.where(flat, w, best)


def _refusal(known: Format) -> str | None:
    along_rows = known.granularity in (None, "row") or isinstance(known.granularity, int)
    changed = known.hadamard or known.clip or known.pow2 or known.rounding
    if known.span != "shifted" or not along_rows or changed:
        return "@hqq moves zero points, which only 'uintN' has, by row or group, and nothing more"
    return None


METHOD = PostMethod("hqq", hqq, refusal=_refusal)
