"""The plain block types of GGUF files, q4_0 q4_1 q5_0 q5_1 q8_0, rounded to as llama.cpp does.

Blocks of 32 numbers along a row, with m the number of largest magnitude (its sign kept; the first
of several), [.] cut off below and at 2^b - 1, h(d) a scale stored as fp16:

    q4_0, q5_0   d = m / -z, z = 2^(b-1)       c = [floor(x / d + z + 1/2)]      y = h(d) (c - z)
    q4_1, q5_1   d = (max - min) / (2^b - 1)   c = [floor((x - min) / d + 1/2)]  y = h(d) c + h(min)
    q8_0         d = max|x| / 127              c = x / d, halves away from 0     y = h(d) c

Codes are found with 1 / d before d is rounded to fp16, as there; numbers of other types are taken
as float32. So the scale is not that of 'int4_full/32', and a block of zeros stays one. Source:
quantize_row_*_ref of ggml-quants.c and gguf-py/gguf/quants.py, llama.cpp; where the C code leaves
x / d + 8.5 to a fused multiply-add, the sum of float64 is taken, as gguf-py does. Types whose
scales are searched for (K-quants, IQ) are not here.
"""

from __future__ import annotations

from typing import Any

from array_api_compat import array_namespace

from isoloss.formats.names import FORMATS
from isoloss.formats.number import Format
from isoloss.formats.rounding import AnyArray, divided

#: Numbers of a block.
BLOCK = 32


def q4_0(x: AnyArray) -> AnyArray:
    """Four bits and a signed scale."""
    return _signed(x, 8)


def q5_0(x: AnyArray) -> AnyArray:
    """Five bits and a signed scale."""
    return _signed(x, 16)


def q4_1(x: AnyArray) -> AnyArray:
    """Four bits, a scale and a least number."""
    return _between(x, 15)


def q5_1(x: AnyArray) -> AnyArray:
    """Five bits, a scale and a least number."""
    return _between(x, 31)


def q8_0(x: AnyArray) -> AnyArray:
    """Eight bits and a scale."""
    xp, y = _taken(x)
    d = divided(xp, xp.max(xp.abs(y), axis=-1, keepdims=True), 127.0)
    scaled = y * _inverse(xp, d)
    size = xp.floor(xp.abs(scaled))
    size = size + xp.floor(2 * (xp.abs(scaled) - size))  # halves away from zero
    return xp.astype(xp.where(scaled < 0, -size, size) * _stored(xp, d), x.dtype, copy=False)


def _signed(x: AnyArray, half: int) -> AnyArray:
    xp, y = _taken(x)
    size = xp.abs(y)
    first = xp.argmax(size, axis=-1, keepdims=True)
    at = xp.arange(BLOCK, device=y.device) == first
    d = divided(xp, xp.sum(xp.where(at, y, xp.zeros_like(y)), axis=-1, keepdims=True), -1.0 * half)
    wide = xp.astype(y, xp.float64) * xp.astype(_inverse(xp, d), xp.float64)
    codes = xp.clip(xp.floor(wide + (half + 0.5)), 0, 2 * half - 1) - half
    return xp.astype(xp.astype(codes, y.dtype) * _stored(xp, d), x.dtype, copy=False)


def _between(x: AnyArray, top: int) -> AnyArray:
    xp, y = _taken(x)
    low = xp.min(y, axis=-1, keepdims=True)
    d = divided(xp, xp.max(y, axis=-1, keepdims=True) - low, float(top))
    codes = xp.clip(xp.floor((y - low) * _inverse(xp, d) + 0.5), 0, top)
    return xp.astype(codes * _stored(xp, d) + _stored(xp, low), x.dtype, copy=False)


def _taken(x: AnyArray) -> tuple[Any, AnyArray]:
    """The namespace of x, and its numbers as the type takes them."""
    xp = array_namespace(x)
    if x.shape[-1] != BLOCK:
        raise ValueError(f"types of GGUF have blocks of {BLOCK} numbers, not {x.shape[-1]}")
    return xp, xp.astype(x, xp.float32, copy=False)


def _inverse(xp: Any, d: AnyArray) -> AnyArray:
    """1 / d, and 0 for a block of equal numbers."""
    return xp.where(d == 0, xp.zeros_like(d), 1 / xp.where(d == 0, xp.ones_like(d), d))


def _stored(xp: Any, d: AnyArray) -> AnyArray:
    """A scale as its file holds it."""
    return xp.astype(xp.astype(d, xp.float16), xp.float32)


#: With the bits that an element takes, those of scales counted.
GGUF_TYPES = tuple(
    Format(function.__name__, "custom", bits, block=BLOCK, function=function, stored=stored)
    for function, bits, stored in (
        (q4_0, 4, 4.5), (q4_1, 4, 5.0), (q5_0, 5, 5.5), (q5_1, 5, 6.0), (q8_0, 8, 8.5),
    )
)  # fmt: skip
for _known in GGUF_TYPES:
    FORMATS.register(_known.name, _known, home=__name__)
