"""The named formats, one literal each, and how a name is read."""

from __future__ import annotations

import math
import re
from difflib import get_close_matches

from isoloss.formats.marks import split_marks
from isoloss.formats.noises import NOISES
from isoloss.formats.number import Format, Span
from isoloss.formats.own import own_named

INT_BITS = range(2, 33)
FLOAT_EXPONENTS = range(1, 9)
FLOAT_MANTISSAS = range(24)

EXACT = Format("fp", "exact", math.inf)
BINARY = Format("binary", "binary", 1)
TERNARY = Format("ternary", "ternary", math.log2(3))


def int_format(bits: int) -> Format:
    """The integer format of `bits` bits with sign, two's complement; one bit is 'binary'."""
    if bits == 1:
        return BINARY
    if bits not in INT_BITS:
        raise ValueError(
            f"an integer of {bits} bits is out of range; bits go from 1 to {INT_BITS[-1]}"
        )
    return Format(f"int{bits}", "int", bits)


def spanned_format(bits: int, span: Span) -> Format:
    """The integer of `bits` bits that uses all its levels: 'full' is intN_full, 'shifted' uintN."""
    name = {"symmetric": f"int{bits}", "full": f"int{bits}_full", "shifted": f"uint{bits}"}[span]
    if bits not in INT_BITS:
        raise ValueError(f"'{name}' is out of range; bits go from {INT_BITS[0]} to {INT_BITS[-1]}")
    return Format(name, "int", bits, span=span)


def float_format(exponent: int, mantissa: int) -> Format:
    """The float of a sign, `exponent` and `mantissa` bits; where unnamed, all its codes are numbers."""
    for known in _FLOATS:
        if known.bias is None and (known.exponent, known.mantissa) == (exponent, mantissa):
            return known
    if (
        exponent not in FLOAT_EXPONENTS
        or mantissa not in FLOAT_MANTISSAS
        or (exponent, mantissa) == (8, 0)
    ):
        raise ValueError(
            f"a float e{exponent}m{mantissa} is out of range; exponents have 1 to {FLOAT_EXPONENTS[-1]} "
            f"bits, mantissas 0 to {FLOAT_MANTISSAS[-1]}, and e8m0 is a scale"
        )
    bits = 1 + exponent + mantissa
    return Format(f"e{exponent}m{mantissa}", "float", bits, exponent=exponent, mantissa=mantissa)


def noise_format(noise: str, eps: float) -> Format:
    """Ideal noise of level `eps`, of a model by name: 'add', 'vec', 'coord' or a registered one (noises.py).

    No noise (eps 0) is 'fp'. Raises ValueError for an unknown model and where eps is negative or not finite.
    """
    if noise not in NOISES:
        raise ValueError(NOISES.unknown(noise))
    if not (math.isfinite(eps) and eps >= 0):
        raise ValueError(
            f"the noise level {eps!r} is out of range; it is a finite number, 0 or above"
        )
    if eps == 0:
        return EXACT
    level = float(eps)
    return Format(f"{noise}({level!r})", "noise", math.nan, noise=noise, eps=level)


_FLOATS = (
    Format("e2m1", "float", 4, exponent=2, mantissa=1),
    Format("e2m3", "float", 6, exponent=2, mantissa=3),
    Format("e3m2", "float", 6, exponent=3, mantissa=2),
    Format("e4m3", "float", 8, exponent=4, mantissa=3, special="nan"),
    Format("e5m2", "float", 8, exponent=5, mantissa=2, special="ieee"),
    Format("e4m3fnuz", "float", 8, exponent=4, mantissa=3, special="fnuz", bias=8),
    Format("e5m2fnuz", "float", 8, exponent=5, mantissa=2, special="fnuz", bias=16),
    Format("fp16", "float", 16, exponent=5, mantissa=10, special="ieee"),
    Format("bf16", "float", 16, exponent=8, mantissa=7, special="ieee"),
    Format("tf32", "float", 19, exponent=8, mantissa=10, special="ieee"),
    Format("fp32", "float", 32, exponent=8, mantissa=23, special="ieee"),
    Format("fp64", "float", 64, exponent=11, mantissa=52, special="ieee"),
)
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
_CATALOGUE = (
    EXACT,
    BINARY,
    TERNARY,
    *(int_format(bits) for bits in range(2, 9)),
    *_FLOATS,
    *_BLOCKS,
)
_NAMED = {known.name: known for known in _CATALOGUE}
_ALIASES = {
    "fp4": "e2m1", "fp6": "e2m3", "fp8": "e4m3", "float8": "e4m3",
    "fp4_e2m1": "e2m1", "fp6_e2m3": "e2m3", "fp6_e3m2": "e3m2", "fp8_e4m3": "e4m3", "fp8_e5m2": "e5m2",
    "e4m3fn": "e4m3", "float8_e4m3fn": "e4m3", "float8_e5m2": "e5m2",
    "float8_e4m3fnuz": "e4m3fnuz", "float8_e5m2fnuz": "e5m2fnuz",
    "bfloat16": "bf16", "half": "fp16", "float16": "fp16", "float32": "fp32", "float64": "fp64",
    "mxfp4_e2m1": "mxfp4", "mxfp6_e2m3": "mxfp6", "mxfp8_e4m3": "mxfp8", "nvfp4_e2m1": "nvfp4",
    "int1": "binary", "int1.58": "ternary",
}  # fmt: skip


def catalogue() -> tuple[Format, ...]:
    """The formats with a name of their own; intN and eXmY of other sizes are read as well."""
    return _CATALOGUE


def format_of_bits(text: str) -> Format:
    """The format that a bare number stands for: 1 binary, 1.58 ternary, 16 bf16, 32 fp32, others intN."""
    if text in ("1.58", "1.585"):
        return TERNARY
    whole = text.removesuffix(".0")  # a column of bits read as floats
    if "." in whole:
        raise ValueError(
            f"{text} bits are no format; bits are whole numbers from 1 to 32, or 1.58 for ternary"
        )
    bits = int(whole)
    return {16: _NAMED["bf16"], 32: _NAMED["fp32"]}.get(bits) or int_format(bits)


def short_bits(known: Format) -> str | None:
    """The bare number that stands for this format behind a part (w4), or None where it needs its name."""
    shorts = {"ternary": "1.58", "binary": "1"}
    if known.kind == "int" and known.span == "symmetric" and known.bits not in (16, 32):
        return f"{known.bits:.0f}"
    return shorts.get(known.kind)


def read_format(text: str) -> Format:
    """The format of a spelling with its marks, in any case of letters."""
    name, marks = split_marks(text.strip().lower())
    return read_name(name).marked(marks)


def read_name(name: str) -> Format:
    """The format of a bare lower-case name or alias."""
    known = _NAMED.get(_ALIASES.get(name, name)) or own_named(name)
    if known is not None:
        return known
    if match := re.fullmatch(r"int(\d{1,4})", name):
        return int_format(int(match[1]))
    if match := re.fullmatch(r"int(\d{1,4})_full", name):
        return spanned_format(int(match[1]), "full")
    if match := re.fullmatch(r"uint(\d{1,4})", name):
        return spanned_format(int(match[1]), "shifted")
    if match := re.fullmatch(r"e(\d{1,3})m(\d{1,3})", name):
        return float_format(int(match[1]), int(match[2]))
    if match := re.fullmatch(r"([a-z][a-z0-9_]*)\((.*)\)", name):
        return noise_format(match[1], _level(match[2]))
    raise ValueError(f"unknown format '{name}'; {_suggestion(name)}")


def near_names(name: str) -> list[str]:
    """Up to three names that `name` may be a slip of."""
    return get_close_matches(name, [*_NAMED, *_ALIASES], n=3, cutoff=0.7)


def _level(text: str) -> float:
    try:
        base, power = text.split("^") if "^" in text else (text, "1")
        return float(float(base) ** float(power))
    except (ValueError, OverflowError, ZeroDivisionError):
        raise ValueError(
            f"cannot read the noise level '{text}'; write a number as in add(0.001) or vec(2^-4)"
        ) from None


def _suggestion(name: str) -> str:
    if near := near_names(name):
        return "did you mean " + " or ".join(f"'{each}'" for each in near) + "?"
    return "formats are intN, eXmY, bf16, mxfp4, nvfp4, ternary, binary, add(0.001) and others of the catalogue"
