"""Scales: what the numbers of a scale group are divided by before they are rounded to the grid of a
format.

Each rule maps the largest magnitude m of a scale group to a scale s:

- symmetric integers and floats up to 8 bits: s = m / max, so that nothing saturates;
- grids of numbers: s = m over the largest magnitude of the grid (absmax, as bitsandbytes scales
  NF4);
- full-range integers: s = m / (max + 1/2), so that all 2^bits levels are used and m saturates by
  half a step;
- shifted integers: s = (high - low) / max over the range with 0 in it, and a zero point round(-low
  / s);
- MX: s = 2^(floor(log2 m) - floor(log2 max)), the rule of the OCP specification 1.0: the top may
  saturate;
- NV: s = e4m3((m / max) / t) t with t = M / (448 max) for the largest magnitude M of the tensor,
  and e4m3 of a positive number at least its smallest, 2^-9;
- ternary and binary: s is the mean magnitude, since m would make nearly all of a scale group 0 or
  far too large; it is the best scale of binary (Rastegari et al. 2016, XNOR-Net) and that of BitNet
  b1.58 (arXiv 2402.17764);
- '+pow2': the power of two at or above s;
- '+clip': of s 2^(k/16), k = 16, 15, ..., -64, the one of least squared error of rounding to
  nearest; '+clip2.4' of the least sum of |error|^2.4, which minds large errors more.

A scale is at least the smallest normal number of its type (in MX 2^-127): groups of zeros, and of
numbers below it, round to finite numbers no larger than that. Scales themselves stay in the type of
the array; storage counts them as 16 bits (8 in blocks and for powers of two), whose own rounding
changes an error by less than a part in a thousand and is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from isoloss.formats.named import E4M3
from isoloss.formats.number import Format
from isoloss.formats.rounding.arrays import (
    AnyArray,
    divided,
    dtype_name,
    on_processor,
    power_of_two,
    smallest_normal,
)
from isoloss.formats.rounding.cuts import cuts_of
from isoloss.formats.rounding.elements import to_grid

CLIP_STEPS = range(16, -65, -1)
#: Numbers that the clip search rounds at once: those that a processor's cache holds; what starts
#: operations one by one, as a GPU does, takes many more.
AT_ONCE, AT_ONCE_THERE = 2**17, 2**24
#: A scale is left out where its error is larger by so much more than rounding can add.
_MARGIN = 1e-4
#: Formats of so many numbers are rounded faster by arithmetic than by going through a list.
_MANY = 40
#: So many numbers are worth the time that numba takes to load.
_WORTH = 2**13


class Scale(NamedTuple):
    """The step of each scale group, and the code that stands for 0 where the codes are shifted."""

    step: AnyArray
    zero: AnyArray | None = None


#: Numbers rounded with their scale.
RoundAt = Callable[[AnyArray, Scale], AnyArray]


def scale_of(xp: Any, y: AnyArray, known: Format, round_at: RoundAt | None = None) -> Scale:
    """The scale of each scale group (last axis of y, kept with length 1).

    `round_at` rounds numbers with their scale; the clip search calls it.
    """
    ratio = _searched(xp, y, known, round_at) if known.clip and round_at else 1.0
    return _scaled(xp, _ends(xp, y, known), known, ratio)


def rounded_at(
    xp: Any, y: AnyArray, known: Format, scale: Scale, uniform: AnyArray | None
) -> AnyArray:
    """y rounded with a scale, which broadcasts against it."""
    # A zero point is added in units of the step: it is a whole number, and so stays exact.
    if scale.zero is None:
        return to_grid(xp, y / scale.step, known, uniform) * scale.step
    return (to_grid(xp, y / scale.step + scale.zero, known, uniform) - scale.zero) * scale.step


class _Ends(NamedTuple):
    """What scales are made of, a number for each scale group: the smallest and the largest number,
    and the magnitude that is scaled.
    """

    low: AnyArray
    high: AnyArray
    size: AnyArray


def _ends(xp: Any, y: AnyArray, known: Format) -> _Ends:
    low, high = xp.min(y, axis=-1, keepdims=True), xp.max(y, axis=-1, keepdims=True)
    if not known.scales_by_mean:
        return _Ends(low, high, xp.maximum(xp.abs(low), xp.abs(high)))
    # The order of a sum is not fixed, so it is taken where its rounding does not reach the result.
    mean = xp.mean(xp.astype(xp.abs(y), xp.float64), axis=-1, keepdims=True)
    return _Ends(low, high, xp.astype(mean, y.dtype))


def _searched(xp: Any, y: AnyArray, known: Format, round_at: RoundAt) -> AnyArray:
    """The ratio of least error of each scale group, as many groups together as a cache holds."""
    size = y.shape[-1]
    rows = max(1, AT_ONCE // size)
    # The blocks of NV share one number of the tensor.
    if not on_processor(y) or known.scale == "e4m3":
        return _least(xp, y, known, round_at)
    flat, least = y.reshape((-1, size)), _in_machine_code(known, y) or _least
    parts = [
        least(xp, flat[first : first + rows], known, round_at)
        for first in range(0, len(flat), rows)
    ]
    return xp.concat(parts, axis=0).reshape((*y.shape[:-1], 1))


def _least(xp: Any, y: AnyArray, known: Format, round_at: RoundAt) -> AnyArray:
    """The ratio of least error of each scale group, many tried at once where y is small; none is
    tried that is sure to be worse than the best.
    """
    ends = _ends(xp, y, known)
    peak, ratios = _peak(xp, y, ends), _ratios(xp, y)
    several = max(1, (AT_ONCE if on_processor(y) else AT_ONCE_THERE) // math.prod(y.shape))
    best: AnyArray = None
    least: AnyArray = None
    for first in range(0, len(CLIP_STEPS), several):
        tried = ratios[first : first + several]
        scale = _scaled(xp, ends, known, tried.reshape((-1, *[1] * len(y.shape))))
        sums = _sums(xp, round_at(y, scale) - y, peak, known.clip)
        # The first of equal errors, whose scale is the largest: it clips less.
        found, errors = tried[xp.argmin(sums, axis=0)], xp.min(sums, axis=0)
        better = True if least is None else errors < least
        best = found if least is None else xp.where(better, found, best)
        least = errors if least is None else xp.where(better, errors, least)
        if on_processor(y):  # elsewhere it would wait for the device
            beyond = _beyond(xp, ends, known, Scale(*(x if x is None else x[-1] for x in scale)))
            if bool(xp.all((beyond / peak) ** known.clip > least * (1 + _MARGIN))):
                break
    return best


def _peak(xp: Any, y: AnyArray, ends: _Ends) -> AnyArray:
    """The largest magnitude of each scale group, in units of which errors are compared."""
    peak = xp.maximum(xp.abs(ends.low), xp.abs(ends.high))
    return xp.clip(peak, smallest_normal(xp, y), None)


def _ratios(xp: Any, y: AnyArray) -> AnyArray:
    return xp.asarray([2.0 ** (k / 16) for k in CLIP_STEPS], dtype=y.dtype, device=y.device)


def _in_machine_code(known: Format, y: AnyArray) -> Callable[..., AnyArray] | None:
    """The same as `_least` for (groups, size); None without numba, for few numbers, and for formats
    that are no short list of numbers.
    """
    if math.prod(y.shape) < _WORTH or (known.levels or _MANY) >= _MANY or not find_spec("numba"):
        return None
    from isoloss.formats.numba_twin import least_ratios  # numba takes most of a second

    cuts = cuts_of(known, np.float64 if dtype_name(y) == "float64" else np.float32)
    if cuts is None:
        return None

    def least(xp: Any, y: AnyArray, known: Format, _: RoundAt) -> AnyArray:
        ends, ratios = _ends(xp, y, known), _ratios(xp, y)
        scale = _scaled(xp, ends, known, ratios)  # (groups, ratios)
        beyond = _beyond(xp, ends, known, scale)
        zero = xp.zeros_like(scale.step) if scale.zero is None else scale.zero
        rows, peak = np.ascontiguousarray(np.asarray(y)), np.asarray(_peak(xp, y, ends))[:, 0]
        steps, zeros, errors = (np.asarray(x) for x in (scale.step, zero, beyond))
        found = least_ratios(rows, peak, steps, zeros, errors, known.clip, _MARGIN, *cuts)
        return ratios[xp.asarray(found)][:, None]

    return least


def _beyond(xp: Any, ends: _Ends, known: Format, scale: Scale) -> AnyArray:
    """What the ends of the grid leave at least of the end of each scale group, at this scale and
    any smaller one; 0 where that cannot be said.
    """
    if known.span == "shifted" and known.pow2:  # zero points move against the steps
        return xp.zeros_like(scale.step)
    # A zero point is rounded, so that either end may lie a step further out.
    zero, spare = (0.0, 0.0) if scale.zero is None else (scale.zero, 1.0)
    above = ends.high - (known.max - zero + spare) * scale.step
    below = (known.min - zero - spare) * scale.step - ends.low
    return xp.clip(xp.maximum(above, below), 0.0, None)


def _scaled(xp: Any, ends: _Ends, known: Format, ratio: AnyArray | float) -> Scale:
    """The scale where the largest magnitude, or the mean, counts `ratio` times."""
    if known.span == "shifted":
        return _shifted(xp, ends, known, ratio)
    if known.scale == "e4m3":
        return Scale(_two_level(xp, ends.size, known, ratio))
    largest = ends.size * ratio
    if known.scales_by_mean:
        return Scale(_finished(xp, largest, known))
    if known.scale == "e8m0":
        power = power_of_two(xp, largest) / 2.0 ** math.floor(math.log2(known.max))
        return Scale(xp.clip(power, 2.0**-127, None))
    return Scale(_finished(xp, divided(xp, largest, known.scaled_max), known))


def _shifted(xp: Any, ends: _Ends, known: Format, ratio: AnyArray | float) -> Scale:
    # Zero is always inside the range, so that it stays exact.
    low = xp.clip(ends.low, None, 0.0) * ratio
    high = xp.clip(ends.high, 0.0, None) * ratio
    step = _finished(xp, divided(xp, high - low, known.max), known)
    return Scale(step, xp.round(-low / step))


def _finished(xp: Any, step: AnyArray, known: Format) -> AnyArray:
    """The step as a power of two where the format wants one, and never below the normal numbers."""
    step = xp.clip(step, smallest_normal(xp, step), None)
    if not known.pow2:
        return step
    power = power_of_two(xp, step)
    # Up, never down: below the step the largest magnitude would saturate.
    return xp.where(power < step, power * 2, power)


def _two_level(xp: Any, largest: AnyArray, known: Format, ratio: AnyArray | float) -> AnyArray:
    """The scales of NV blocks, products of an E4M3 number and one number of the tensor."""
    # A block of zeros next to large ones still gets a scale that divides without a NaN.
    tiny = smallest_normal(xp, largest)
    top = divided(xp, xp.max(largest), known.max * E4M3.max)
    tensor = xp.clip(top, tiny / E4M3.smallest_step, None)
    blocks = to_grid(xp, divided(xp, largest, known.max) / tensor * ratio, E4M3)
    return xp.clip(blocks, E4M3.smallest_step, None) * tensor


def _sums(xp: Any, errors: AnyArray, peak: AnyArray, power: float) -> AnyArray:
    """The sum of a power of the errors over the largest magnitude, which neither vanish nor
    overflow.
    """
    shares = xp.astype(errors, xp.float64) / xp.astype(peak, xp.float64)
    powers = shares * shares if power == 2.0 else xp.abs(shares) ** power
    return xp.sum(powers, axis=-1, keepdims=True)
