"""The named formats, one literal each: a new one is one line here."""

from __future__ import annotations

import math

from isoloss.formats.names import (
    FORMATS,
    float_fields,
    int_fields,
    noise_fields,
)
from isoloss.formats.number import Format

EXACT = Format("fp", "exact", math.inf)
BINARY = Format("binary", "binary", 1)
TERNARY = Format("ternary", "ternary", math.log2(3))

#: Normal floats of four bits: quantiles of the normal distribution between -1 and 1, with an exact
#: zero. Source: Dettmers et al. 2023, QLoRA (arXiv 2305.14314), appendix E, as in bitsandbytes.
NF4 = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
    -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
    0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip

E4M3 = Format("e4m3", "float", 8, exponent=4, mantissa=3, special="nan")
_FLOATS = (
    Format("e2m1", "float", 4, exponent=2, mantissa=1),
    Format("e2m3", "float", 6, exponent=2, mantissa=3),
    Format("e3m2", "float", 6, exponent=3, mantissa=2),
    E4M3,
    Format("e5m2", "float", 8, exponent=5, mantissa=2, special="ieee"),
    Format("e4m3fnuz", "float", 8, exponent=4, mantissa=3, special="fnuz", bias=8),
    Format("e5m2fnuz", "float", 8, exponent=5, mantissa=2, special="fnuz", bias=16),
    Format("fp16", "float", 16, exponent=5, mantissa=10, special="ieee"),
    Format("bf16", "float", 16, exponent=8, mantissa=7, special="ieee"),
    Format("tf32", "float", 19, exponent=8, mantissa=10, special="ieee"),
    Format("fp32", "float", 32, exponent=8, mantissa=23, special="ieee"),
    Format("fp64", "float", 64, exponent=11, mantissa=52, special="ieee"),
)
# fmt: off
_BLOCKS = (
    Format("mxfp4", "block", 4, exponent=2, mantissa=1, block=32, scale="e8m0"),
    Format("mxfp6", "block", 6, exponent=2, mantissa=3, block=32, scale="e8m0"),
    Format("mxfp6_e3m2", "block", 6, exponent=3, mantissa=2, block=32, scale="e8m0"),
    Format("mxfp8", "block", 8, exponent=4, mantissa=3, special="nan", block=32, scale="e8m0"),
    Format(
        "mxfp8_e5m2", "block", 8, exponent=5, mantissa=2, special="ieee", block=32, scale="e8m0"
    ),
    Format("mxint4", "block", 4, block=32, scale="e8m0"),
    Format("mxint8", "block", 8, block=32, scale="e8m0"),
    Format("nvfp4", "block", 4, exponent=2, mantissa=1, block=16, scale="e4m3"),
    Format("nvint4", "block", 4, block=16, scale="e4m3"),
)
_GRIDS = (
    Format("nf4", "grid", 4, block=64, numbers=NF4),
)
# fmt: on
_CATALOGUE = (
    EXACT,
    BINARY,
    TERNARY,
    *(Format(**int_fields(bits)) for bits in range(2, 9)),
    *_FLOATS,
    *_BLOCKS,
    *_GRIDS,
)
for _known in _CATALOGUE:
    FORMATS.register(_known.name, _known, home=__name__)


def catalogue() -> tuple[Format, ...]:
    """The formats with a name of their own; intN and eXmY of other sizes are read as well."""
    return _CATALOGUE


def int_format(bits: int) -> Format:
    """The integer format of `bits` bits with sign, two's complement; one bit is 'binary'.

    Raises
    ------
    ValueError
        Bits are not from 1 to 32.
    """
    return Format(**int_fields(bits))


def float_format(exponent: int, mantissa: int) -> Format:
    """The float of a sign, `exponent` and `mantissa` bits; where unnamed, all its codes are
    numbers.

    Raises
    ------
    ValueError
        Sizes are out of range: exponents have 1 to 8 bits, mantissas 0 to 23, and e8m0 is a scale.
    """
    if (exponent, mantissa) != (11, 52):  # fp64, the only one beyond the range of the pattern
        float_fields(exponent, mantissa)
    return Format.parse(f"e{exponent}m{mantissa}")


def noise_format(noise: str, eps: float) -> Format:
    """Ideal noise of relative size `eps`: added ('add'), one factor a vector ('vec') or an element
    ('coord').

    No noise (eps 0) is 'fp'.

    Raises
    ------
    ValueError
        `eps` is negative or not finite.
    """
    return Format(**noise_fields(noise, eps))


def format_of_bits(text: str) -> Format:
    """The format that a bare number stands for: 1 binary, 1.58 ternary, 16 bf16, 32 fp32, others
    intN."""
    if text in ("1.58", "1.585"):
        return TERNARY
    whole = text.removesuffix(".0")  # a column of bits read as floats
    if "." in whole:
        raise ValueError(
            f"{text} bits are no format; bits are whole numbers from 1 to 32, or 1.58 for ternary"
        )
    bits = int(whole)
    wide = {16: "bf16", 32: "fp32"}.get(bits)
    return int_format(bits) if wide is None else Format.parse(wide)
