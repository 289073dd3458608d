"""A column in its own type: numbers, texts and precisions, and what is wrong with each value that
the column cannot hold.

Plain cells are read at once as a whole column; only the others are looked at one by one, each
different value once.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache

import polars as pl

from isoloss.files import printable
from isoloss.formats import Precision
from isoloss.runs.columns import Column
from isoloss.runs.intake.cells import EMPTY_NUMBERS, EMPTY_TEXTS, each_once, rows_of
from isoloss.runs.intake.content import ending_of
from isoloss.runs.intake.loss_units import unit_of
from isoloss.runs.numbers import SUFFIXES, WRITE, number
from isoloss.runs.problems import RunsError

_WORDS = {"parameters": "param(?:eter)?s?", "tokens": "tok(?:en)?s?", "flop": "flops?"}
#: Words for what is counted, at the end of a cell of a column in this unit.
COUNTED = {unit: re.compile(rf"\s*\b{words}\s*$", re.IGNORECASE) for unit, words in _WORDS.items()}
#: The least and the largest count or loss: products and powers of these are finite.
LEAST, MOST = 1e-60, 1e60
#: What stands for the file's own name of a column in a reason, which is known where it is reported.
COLUMN = "COLUMN"
WRITE_DECIMALS = "write it with a point, like 3.14"
_COMMA = re.compile(r"\s*[+-]?[\d.]*,[\d.,]*(?:[^\d\[].*)?")
#: A number and a letter for its power, as 1.3B or 1.3B params, of so few digits that joining them
#: rounds once.
_SCALED = r"^([+-]?(?:\d{1,12}(?:\.\d{0,12})?|\.\d{1,12})) ?([kKmMbBgGtT])(?: (?i:%s))?$"


def typed(series: pl.Series, column: Column) -> tuple[pl.Series, dict[int, str]]:
    """The column in its own type, and what is wrong with each value that it cannot hold, by row."""
    if column.kind != "text":
        return _typed_numbers(series, column)

    def judge(value: object) -> tuple[str | None, str | None]:
        text = _text(value)
        if column.name == "precision":
            return _spelled(text)
        if text is None or not column.accepted:
            return text, None
        known = _canonical(text, column)
        if known in column.accepted:
            return known, None
        return None, f"has {text!r}; accepted is {column.wants}"

    values, bad = each_once(series, judge, pl.String)
    return values.alias(column.name), bad


def _text(value: object) -> str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    text = str(value).strip()
    return None if text in EMPTY_TEXTS else printable(text)


def _canonical(value: str, column: Column) -> str | None:
    """The accepted word that another one stands for."""
    if column.name == "status":
        return ending_of(value)
    if column.name in ("params_kind", "kernels"):
        return re.sub(r"[\s-]+", "_", value.lower())
    unit = unit_of(value) if column.name == "metric" else None
    return value if unit is None else unit.metric


@lru_cache(maxsize=4096)
def _spelled(text: str | None) -> tuple[str | None, str | None]:
    """The one spelling of a precision, or the text and why it cannot be used."""
    if text is None:
        return None, "is empty; accepted is a spelling like 'bf16' or 'w4 a8 kv:e4m3'"
    try:
        return str(Precision.parse(text)), None
    except ValueError as error:
        bits = re.fullmatch(r"\d+(\.\d*)?", text) is not None
        how = f"; a column of bits is read with --precision 'w{{{COLUMN}}}'" if bits else ""
        return text, f"cannot be used: {error}{how}"


def _typed_numbers(series: pl.Series, column: Column) -> tuple[pl.Series, dict[int, str]]:
    values, plain = _plain_numbers(series, column)
    good, bad = plain, dict[int, str]()
    if series.dtype == pl.String and not plain.all():
        scaled = _scaled(series, plain, column)
        known = _accepted(scaled, column)
        values, good = values.zip_with(~known, scaled), plain | known
    slow = rows_of(~good)
    if slow:
        others, problems = _others(series.gather(slow), column)
        values = values.scatter(slow, others)
        bad = {slow[at]: problem for at, problem in problems.items()}
    if series.dtype == pl.String and column.kind == "count":
        bad |= _without_their_unit(series, values, plain)
    to = pl.Int64 if column.kind == "integer" else pl.Float64
    return values.cast(to).alias(column.name), bad


def _plain_numbers(series: pl.Series, column: Column) -> tuple[pl.Series, pl.Series]:
    """Numbers of cells that are plain ones, and which cells are such and accepted."""
    if not (series.dtype.is_numeric() or series.dtype == pl.String):
        none = pl.Series(series.name, [None], dtype=pl.Float64).new_from_index(0, len(series))
        return none, none.is_not_null()
    quick = series.cast(pl.Float64, strict=False)
    return quick, _accepted(quick, column)


def _accepted(values: pl.Series, column: Column) -> pl.Series:
    """Which numbers a column can hold."""
    good = values.is_finite()
    if column.kind in ("count", "positive"):
        good &= (values >= LEAST) & (values <= MOST)
    elif column.kind == "amount":
        good &= values >= 0
    elif column.kind == "integer":
        good &= (values == values.round(0)) & (values.abs() < 2.0**63)
    return good.fill_null(False)


def _scaled(series: pl.Series, good: pl.Series, column: Column) -> pl.Series:
    """The numbers of cells such as 1.3B that are not good already; unknown of all others."""
    rest = pl.select(pl.when(~good).then(series).alias("v")).to_series()
    powers = {letter: f"e{SUFFIXES[letter.lower()]}" for letter in "kKmMbBgGtT"}
    words = _WORDS.get(column.unit, "") if column.kind == "count" else ""
    parts = rest.str.extract_groups(_SCALED % words).struct
    sign = parts.field("2").replace_strict(powers, default=None, return_dtype=pl.String)
    # Digits and power as one text: 1.1B is the float nearest to 1100000000.
    return (parts.field("1") + sign).cast(pl.Float64, strict=False)


def _others(series: pl.Series, column: Column) -> tuple[pl.Series, dict[int, str]]:
    """Cells that are no plain numbers, as numbers where they are some, and what is wrong."""

    def judge(raw: object) -> tuple[float | None, str | None]:
        value, problem = _number(raw, column)
        if problem is None and value is None and column.required:
            problem = f"is empty; accepted is {column.wants}"
        return (value if problem is None or column.required else None), problem

    if not series.dtype.is_float():
        return each_once(series, judge, pl.Float64)
    # What is unknown may be in most rows of an optional column, and is alike in all.
    out = pl.Series(series.name, [None], dtype=pl.Float64).new_from_index(0, len(series))
    bad: dict[int, str] = {}
    nan = series.is_nan().fill_null(False)
    for mask, each in ((series.is_null(), None), (nan, math.nan)):
        value, problem = judge(each)
        out = out.zip_with(~mask, pl.Series([value], dtype=pl.Float64))
        bad |= {} if problem is None else dict.fromkeys(rows_of(mask), problem)
    known = rows_of(~(series.is_null() | nan))
    found, problems = each_once(series.gather(known), judge, pl.Float64)
    return out.scatter(known, found), bad | {known[at]: words for at, words in problems.items()}


def _without_their_unit(series: pl.Series, values: pl.Series, plain: pl.Series) -> dict[int, str]:
    """Bare numbers in a column whose other cells say their unit, as 300 beside 100M."""
    # Plain numbers end in no letter.
    if not series.filter(~plain).str.contains(r"\p{L}[\s\x1c-\x1f]*$").any():
        return {}
    known = series.fill_null("").str.strip_chars()
    said = known.str.contains(r"\d\s*\p{L}[\p{L}\s]*$")
    counted = values.filter(said & values.is_not_null() & (values != 0))
    least = min(counted.to_list(), default=0.0)
    first = next(iter(known.filter(said).head(1).to_list()), "")
    low = (~said & (values > 0) & (values < least / 1e3)).fill_null(False)
    return {
        row: f"has {text!r} where other cells say their unit, as {first!r}; write it too"
        for row, text in zip(rows_of(low), known.filter(low).to_list(), strict=True)
    }


def _number(raw: object, column: Column) -> tuple[float | None, str | None]:
    """A raw value as a number and None, or what could be read of it and what is wrong."""
    if raw is None or (isinstance(raw, str) and raw.strip().lower() in EMPTY_NUMBERS):
        return None, None
    if isinstance(raw, str) and _COMMA.fullmatch(raw) and column.kind not in ("count", "integer"):
        return None, f"has {raw!r}, where the comma may be decimal; {WRITE_DECIMALS}"
    value = _not_finite(raw)
    if value is None:
        try:
            value = number(without_unit(raw, column))
        except RunsError:
            return None, f"has {raw!r}; {WRITE}"
    if math.isnan(value) and not column.required:
        return None, None
    fits = math.isfinite(value) and not (column.kind in ("count", "positive") and value <= 0)
    fits = fits and not (column.kind == "amount" and value < 0)
    fits = fits and not (column.kind == "integer" and (value != int(value) or abs(value) >= 2**63))
    shown = repr(raw) if isinstance(raw, str) else f"{value:g}"
    if fits and column.kind in ("count", "positive") and not LEAST <= value <= MOST:
        return value, f"has {shown}; accepted is a number from {LEAST:g} to {MOST:g}"
    return value, None if fits else f"has {shown}; accepted is {column.wants}"


def without_unit(raw: object, column: Column) -> object:
    """A text without the word for what is counted, as '125M params'."""
    words = COUNTED.get(column.unit)
    return raw if words is None or not isinstance(raw, str) else words.sub("", raw)


def _not_finite(raw: object) -> float | None:
    """NaN or an infinity, however written; None for everything else."""
    if isinstance(raw, str) and raw.strip().lower().lstrip("+-") in ("nan", "inf", "infinity"):
        return float(raw)
    return raw if isinstance(raw, float) and not math.isfinite(raw) else None
