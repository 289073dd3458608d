"""How a bare name is read: the patterns intN, eXmY and add(0.001), aliases, and names that are
refused.

A pattern gives the fields of a format, so this file stands below `Format`, which reads names by it.
Formats with a name of their own are records of a registry, which named.py fills with ours and
custom.py with a user's.
"""

from __future__ import annotations

import math
import re
from typing import Any

from isoloss.files import Registry, did_you_mean, shown
from isoloss.formats.grids import Span
from isoloss.formats.noises import canonical_noise

Fields = dict[str, Any]

#: Formats by name; the records are `Format` values.
FORMATS: Registry[Any] = Registry("format")

INT_BITS = range(2, 33)
FLOAT_EXPONENTS = range(1, 9)
FLOAT_MANTISSAS = range(24)

#: Other spellings of formats of the catalogue. Names that another library gives (ml_dtypes, torch,
#: OCP, vLLM) mean the numbers that they mean there.
ALIASES = {
    "fp4": "e2m1", "fp6": "e2m3", "fp8": "e4m3", "float8": "e4m3",
    "fp4_e2m1": "e2m1", "fp6_e2m3": "e2m3", "fp6_e3m2": "e3m2",
    "fp8_e4m3": "e4m3", "fp8_e5m2": "e5m2",
    "e4m3fn": "e4m3", "float8_e4m3fn": "e4m3", "fp8_e4m3fn": "e4m3", "float8_e5m2": "e5m2",
    "float8_e4m3fnuz": "e4m3fnuz", "float8_e5m2fnuz": "e5m2fnuz",
    "float8_e4m3": "e4m3_ieee", "float8_e3m4": "e3m4_ieee",
    "float4_e2m1fn": "e2m1", "float6_e2m3fn": "e2m3", "float6_e3m2fn": "e3m2",
    "bfloat16": "bf16", "half": "fp16", "float16": "fp16", "float32": "fp32", "float64": "fp64",
    "e5m10": "fp16", "e8m7": "bf16", "e8m10": "tf32", "e8m23": "fp32", "e11m52": "fp64",
    "e5m2_ieee": "e5m2",
    "mxfp4_e2m1": "mxfp4", "mxfp6_e2m3": "mxfp6", "mxfp8_e4m3": "mxfp8", "nvfp4_e2m1": "nvfp4",
    "normalfloat4": "nf4", "int1": "binary", "int1.58": "ternary",
}  # fmt: skip

#: Spellings of other tools that no single format of ours means, each with what to write instead.
_REFUSED = (
    (
        r"(?:bf16|16|32|64|fp16)-(?:mixed|true)",
        "it is a way to train (autocast), not a format; write the format that products run in, "
        "'bf16' or 'fp16'",
    ),
    (
        r"(?:load_in_)?([0-9]+)[-_ ]?bits?",
        "it counts bits and names no format; write one such as 'int4', 'nf4', 'mxfp4' or 'e4m3'",
    ),
    (
        r"fp4_bnb|bnb_fp4",
        "its numbers are not those of 'e2m1'; spell them with custom_format(name, grid=[...])",
    ),
    (
        r"nf([0-9]+)",
        "only 'nf4' is a normal float here; spell others with custom_format(name, grid=[...])",
    ),
    (
        r"i?q[0-9]_(?:[0-9k](?:_[sml])?|xx?s|nl)",
        "it is a file format of GGUF with scales that are searched for; write q4_0, q4_1, q5_0, "
        "q5_1 or q8_0, or the nearest, such as 'int4_full/32' or 'uint4/32'",
    ),
    (
        r"(?:float8_|fp8_)?e4m3b11(?:fnuz)?",
        "its exponent bias of 11 is not in the catalogue; spell its numbers with "
        "custom_format(grid=[...])",
    ),
    (
        r"float8_e8m0fnu|e8m0fnu",
        "it is the format of a scale, not of elements; write 'mxfp8' or '+pow2'",
    ),
)  # fmt: skip


def look_up(name: str) -> Any:
    """What a bare lower-case name means: a registered format, or the fields that its pattern
    spells.

    Raises
    ------
    ValueError
        The name means nothing, or its sizes are out of range.
    """
    plain = name.removeprefix("torch.")  # dtypes of torch print so
    plain = ALIASES.get(plain, plain)
    # Registered names come first: e4m3 fits the pattern of floats, but its top code is a NaN.
    known = FORMATS.find(plain)
    found = fields_of(plain) if known is None else known
    if found is None:
        why = refusal(plain)
        raise ValueError(
            f"'{name}' is no format; {why}"
            if why
            else f"unknown format {shown(name)}; {_suggestion(name)}"
        )
    return found


def near_names(name: str) -> str:
    """The question whether one of up to three names was meant; empty where none is near."""
    return did_you_mean(name, [*FORMATS, *ALIASES], cutoff=0.7)


def fields_of(name: str) -> Fields | None:
    """The fields of the format that a pattern spells, or None where no pattern fits.

    Raises
    ------
    ValueError
        A pattern fits and its sizes are out of range.
    """
    if match := re.fullmatch(r"int(\d{1,4})", name):
        return int_fields(int(match[1]))
    if match := re.fullmatch(r"int(\d{1,4})_full", name):
        return spanned_fields(int(match[1]), "full")
    if match := re.fullmatch(r"uint(\d{1,4})", name):
        return spanned_fields(int(match[1]), "shifted")
    if match := re.fullmatch(r"e(\d{1,3})m(\d{1,3})(_ieee)?", name):
        return float_fields(int(match[1]), int(match[2]), bool(match[3]))
    if match := re.fullmatch(r"([a-z][a-z0-9_]*)\((.*)\)", name):
        return noise_fields(match[1], _level(match[2]))
    return None


def int_fields(bits: int) -> Fields:
    """The integer of `bits` bits with sign, two's complement; one bit is 'binary'."""
    if bits == 1:
        return {"name": "binary", "kind": "binary", "bits": 1}
    if bits not in INT_BITS:
        raise ValueError(
            f"an integer of {bits} bits is out of range; bits go from 1 to {INT_BITS[-1]}"
        )
    return {"name": f"int{bits}", "kind": "int", "bits": bits}


def spanned_fields(bits: int, span: Span) -> Fields:
    """The integer of `bits` bits that uses all its levels: 'full' is intN_full, 'shifted' uintN."""
    name = {"symmetric": f"int{bits}", "full": f"int{bits}_full", "shifted": f"uint{bits}"}[span]
    if bits not in INT_BITS:
        raise ValueError(f"'{name}' is out of range; bits go from {INT_BITS[0]} to {INT_BITS[-1]}")
    return {"name": name, "kind": "int", "bits": bits, "span": span}


def float_fields(exponent: int, mantissa: int, is_ieee: bool = False) -> Fields:
    """The float of a sign, `exponent` and `mantissa` bits.

    All its codes are numbers, as in OCP MX; with `is_ieee` the top exponent holds infinities and
    NaNs, as in IEEE 754 and in the types of ml_dtypes without a suffix.
    """
    if (
        exponent not in FLOAT_EXPONENTS
        or mantissa not in FLOAT_MANTISSAS
        or (exponent, mantissa) == (8, 0)
        or (is_ieee and (exponent == 1 or mantissa == 0))
    ):
        raise ValueError(
            f"a float e{exponent}m{mantissa} is out of range; exponents have 1 to "
            f"{FLOAT_EXPONENTS[-1]} "
            f"bits, mantissas 0 to {FLOAT_MANTISSAS[-1]}, and e8m0 is a scale"
        )
    return {
        "name": f"e{exponent}m{mantissa}{'_ieee' if is_ieee else ''}",
        "kind": "float",
        "bits": 1 + exponent + mantissa,
        "exponent": exponent,
        "mantissa": mantissa,
        "special": "ieee" if is_ieee else "none",
    }


def noise_fields(noise: str, eps: float) -> Fields:
    """Ideal noise of level `eps`, of a model by name (noises.py); none at all (eps 0) is 'fp'.

    Raises ValueError for an unknown model and where eps is negative or not finite.
    """
    noise = canonical_noise(noise)
    if not (math.isfinite(eps) and eps >= 0):
        raise ValueError(
            f"the noise level {eps!r} is out of range; it is a finite number, 0 or above"
        )
    if eps == 0:
        return {"name": "fp", "kind": "exact", "bits": math.inf}
    level = float(eps)
    name = f"{noise}({level!r})"
    return {"name": name, "kind": "noise", "bits": math.nan, "noise": noise, "eps": level}


def refusal(name: str) -> str | None:
    """Why a spelling of another tool is no format here and what to write; None for other names."""
    return next((why for pattern, why in _REFUSED if re.fullmatch(pattern, name)), None)


def _suggestion(name: str) -> str:
    return near_names(name) or (
        "formats are intN, eXmY, bf16, mxfp4, nvfp4, nf4, ternary, binary, add(0.001) and others "
        "of the "
        "catalogue; use('module') or --use module loads a custom one"
    )


def _level(text: str) -> float:
    try:
        base, power = text.split("^") if "^" in text else (text, "1")
        return float(float(base) ** float(power))
    except (ValueError, OverflowError, ZeroDivisionError):
        raise ValueError(
            f"cannot read the noise level '{text}'; write a number as in add(0.001) or vec(2^-4)"
        ) from None
