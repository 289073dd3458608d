"""Amounts with units as people write them: 1e21 flop, 16 GB, 30 days, 2M USD, 50 tokens/s."""

from __future__ import annotations

import re
from typing import Literal

from isoloss.plans.problems import PlanError
from isoloss.runs import RunsError, number

Dimension = Literal["flop", "bytes", "hours", "money", "price", "tokens", "params", "speed"]
DAY = 86400.0
#: Units of money: signs, words and codes. Each is its own base unit, as none is exchanged.
MONEY = dict.fromkeys(
    ("usd", "us$", "$", "dollar", "eur", "€", "euro", "gbp", "£", "chf", "cny", "jpy"), 1.0
)
#: How many of the base unit one of each unit is; the first of a dimension is the base unit.
UNITS: dict[Dimension, dict[str, float]] = {
    "flop": {
        "flop": 1.0, "gflop": 1e9, "tflop": 1e12, "pflop": 1e15, "eflop": 1e18, "zflop": 1e21,
        "yflop": 1e24, "pflop-day": 1e15 * DAY, "pflop/s-day": 1e15 * DAY,
        "eflop-day": 1e18 * DAY, "bit": 1.0,
    },
    "bytes": {
        "b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 2.0**10, "mib": 2.0**20,
        "gib": 2.0**30, "tib": 2.0**40,
    },
    "hours": {
        "h": 1.0, "hour": 1.0, "min": 1 / 60, "minute": 1 / 60, "s": 1 / 3600, "second": 1 / 3600,
        "d": 24.0, "day": 24.0, "week": 168.0, "month": 730.5, "year": 8766.0,
    },
    "money": MONEY,
    "price": MONEY,
    "tokens": {"token": 1.0},
    "params": {"param": 1.0, "parameter": 1.0},
    "speed": {"token/s": 1.0, "tok/s": 1.0, "tps": 1.0},
}  # fmt: skip
#: How an amount of each dimension is written, as an error shows it.
EXAMPLES: dict[Dimension, str] = {
    "flop": "1e21 flop, 3 ZFLOP, 5 PFLOP-days or '64 h100 for 30 days'",
    "bytes": "16 GB (1e9 bytes) or 16 GiB (2^30 bytes)",
    "hours": "720 h, 30 days or 2 weeks",
    "money": "2M USD",
    "price": "2.5 USD or 2.5 $/h (of a device hour)",
    "tokens": "15T tokens",
    "params": "70B",
    "speed": "50 tokens/s",
}
_SIGN = re.compile(r"(us\$|[$€£]|usd|eur|gbp|chf|cny|jpy)\s*(?=[\d.,])", re.IGNORECASE)
#: Digits in groups of three by one separator all through; a comma before decimals.
_GROUPS = re.compile(r"\d{1,3}(?:(?:\.\d{3})+|(?:,\d{3})+)")
_DECIMAL_COMMA = re.compile(r"(?:\d+|\d{1,3}(?:\.\d{3})+),\d+")
#: What scales a number: a letter, a word or an exponent. Sums in "Mio." are written with dots for
#: thousands, so it is none of these.
_WORD = re.compile(r"bn|mn|mio|thousands?|millions?|billions?|trillions?", re.IGNORECASE)
_SCALED = re.compile(rf"e[+-]?\d|(?!mio)(?:[kmbgt]|{_WORD.pattern})(?![a-z])", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?[\d.,_]*\d[\d.,_]*(?:[eE][+-]?\d+)?")


def amount(given: object, dimension: Dimension, what: str) -> float:
    """The amount in the base unit of its dimension, which a bare number is in.

    Base units: FLOPs, bytes, hours, currency, count, tokens a second.

    Raises PlanError for text that does not parse, a unit of another kind, and what is not positive
    and finite.
    """
    value = (
        _scaled(given, dimension, what)
        if isinstance(given, str)
        else _plain(given, dimension, what)
    )
    if not 0 < value < float("inf"):
        raise PlanError(
            f"{what} is {given}; accepted is a positive, finite amount such as "
            f"{EXAMPLES[dimension]}"
        )
    return value


def _plain(given: object, dimension: Dimension, what: str) -> float:
    try:
        return number(given)
    except RunsError:
        raise _unread(given, dimension, what) from None


def _scaled(text: str, dimension: Dimension, what: str) -> float:
    found = _read(text, dimension)
    if (why := _separators(text)) is not None:
        raise PlanError(f"{what} is {text!r}: {why}")
    if found is None:
        raise _unread(text, dimension, what)
    if (why := _two_meanings(text, dimension)) is not None:
        raise PlanError(f"{what} is {text!r}: {why}")
    return found[0]


def _two_meanings(text: str, dimension: Dimension) -> str | None:
    """What a text may mean besides, where its unit has two meanings, or None."""
    tail = text.strip().lstrip("+-0123456789.,_eE ")
    if dimension == "hours" and tail in ("m", "M"):
        return "m is minutes, months or millions; write 30 min, 30 months or 30 days"
    if dimension == "bytes" and re.fullmatch(r"[KMGTkmgt]i?b", tail) and tail[0].isupper():
        return f"{tail} are bits; write bytes, as {tail[:-1]}B"
    return None


def _separators(text: str) -> str | None:
    """How a dot or a comma in a number is read, where it is no decimal point beyond doubt, or None.

    Three digits behind one of them may be thousands or decimals, a factor of a thousand apart; a
    letter or word that scales the number, an exponent or a leading zero leaves decimals only.
    """
    found = re.search(r"\d[\d.,]*", text)
    if found is None:
        return None
    digits, rest = found[0].rstrip(".,"), text[found.end() :].strip()
    bare = re.sub("[.,]", "", digits)
    if _GROUPS.fullmatch(digits) and len(bare) != len(digits) - 1:
        return f"dots stand for thousands; write {bare}" if "." in digits else None
    scaled = "." in digits and _SCALED.match(rest)
    if _GROUPS.fullmatch(digits) and digits[0] != "0" and not scaled:
        decimal = digits.replace(",", ".")
        return f"{digits} may be {bare} or {float(decimal):g}; write {bare} or {decimal}0"
    if not _DECIMAL_COMMA.fullmatch(digits):
        return None
    whole, _, decimals = digits.rpartition(",")
    return f"the comma stands for decimals; write {whole.replace('.', '')}.{decimals}"


def unit_of(text: str, dimension: Dimension) -> str:
    """The unit that a text is read in, in lower case; empty where it has none or is not read."""
    found = _read(text, dimension)
    return "" if found is None else found[1]


def _read(text: str, dimension: Dimension) -> tuple[float, str] | None:
    """The value of a text in base units, and its unit; None where it does not parse."""
    for value, unit in _readings(text.strip()):
        if unit == "" or unit in UNITS[dimension]:
            try:
                return number(value) * UNITS[dimension].get(unit, 1.0), unit
            except RunsError:
                continue
    return None


def _readings(text: str) -> list[tuple[str, str]]:
    """The readings of a text as number and unit: '16 GB' is 16 of GB before it is 16 G of B."""
    found = _SIGN.match(text)
    sign = "" if found is None else found[1].lower()
    body = text if found is None else text[found.end() :].strip()
    match = _NUMBER.match(body)
    if match is None:
        return []
    digits, rest = match[0], body[match.end() :].strip()
    if sign:
        return [(body, sign)]
    word = _WORD.match(rest)
    cut = 1 if word is None else word.end()
    return [(digits, _singular(rest)), (digits + rest[:cut], _singular(rest[cut:].strip(" .")))]


def _singular(unit: str) -> str:
    """A unit in lower case and singular: 'GB', 'Days', 'PFLOP-days', 'tokens/s', 'flops'."""
    lower = unit.lower().replace("tokens/s", "token/s")
    return (
        lower[:-1]
        if lower.endswith("s") and lower not in ("s", "tps") and not lower.endswith("/s")
        else lower
    )


def _unread(given: object, dimension: Dimension, what: str) -> PlanError:
    return PlanError(f"cannot read {given!r} as {what}; write it like {EXAMPLES[dimension]}")
