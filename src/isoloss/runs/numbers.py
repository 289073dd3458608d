"""Numbers as people write them: 1.3B, 20M, 4k, 1e21, 1,300,000, 2.5 billion; durations."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from numbers import Real

from isoloss.runs.problems import RunsError

SUFFIXES: dict[str, int] = {"": 0, "k": 3, "m": 6, "b": 9, "g": 9, "t": 12}
WORDS: dict[str, int] = {
    "thousand": 3, "thousands": 3, "million": 6, "millions": 6, "mio": 6, "mn": 6, "billion": 9,
    "billions": 9, "bn": 9, "trillion": 12, "trillions": 12,
}  # fmt: skip
_POWERS = SUFFIXES | WORDS

_NUMBER = re.compile(
    r"([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)\s*([kmbgt]?|" + "|".join(WORDS) + ")",
    re.IGNORECASE,
)
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:([,_])\d{3})(?:\1\d{3})*(?:\.\d+)?")
WRITE = "write a finite number like 1.3B, 20M, 4k, 1e21 or 1,300,000"


def number(text: object) -> float:
    """The number that a text such as '1.3B', '20M', '1e21' or '1,300,000' means.

    k, M, B (or G) and T, or the words thousand to trillion, stand for 1e3, 1e6, 1e9 and 1e12, in
    either case. Numbers pass through.
    Raises RunsError for anything else, infinities and NaN included.
    """
    value = _value(text)
    if value is None or not math.isfinite(value):
        raise RunsError(f"cannot read {text!r} as a number; {WRITE}")
    return value


def _value(text: object) -> float | None:
    if isinstance(text, bool):
        return None
    if isinstance(text, Real):
        return float(text)
    if not isinstance(text, str):
        return None
    bare = text.strip()
    if _THOUSANDS.fullmatch(bare):
        bare = re.sub("[,_]", "", bare)
    match = _NUMBER.fullmatch(bare)
    if match is None:
        return None
    # Through Decimal, so that 1.1B is the float nearest to 1100000000 and not the product of two
    # roundings.
    try:
        return float(Decimal(match[1]).scaleb(_POWERS[match[2].lower()]))
    except ArithmeticError:  # an exponent beyond that of any number here
        return None


def compact(value: float) -> str:
    """The shortest usual writing of a count: 30.5M, 1.3B, 0.41."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    for suffix, power in (("T", 12), ("B", 9), ("M", 6), ("k", 3)):
        if 10**power * 0.9995 <= abs(value) < 10 ** (power + 3) * 0.9995:
            return f"{value / 10**power:.3g}{suffix}"
    return f"{value:.3g}"


def duration(seconds: float) -> str:
    """A duration for people: 0.3 s, 40 s, 12 min, 3.5 h."""
    if seconds < 100:
        return f"{seconds:.0f} s" if seconds >= 1 or seconds == 0 else f"{seconds:.1g} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
