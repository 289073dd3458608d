"""A precision for every row from a template such as 'w{w_bits} a{a_bits}', filled from the row's
columns.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

import polars as pl

from isoloss.runs.intake.cells import EMPTY_TEXTS, each_once, listed
from isoloss.runs.problems import RunsError

ARROWS = ("->", "→")
_WORDS = re.compile(r"(?:\{[^}]*\}|\S)+")  # names of columns in braces may hold spaces


def filled(template: str, frame: pl.DataFrame, name: str) -> pl.Series:
    """One spelling a row, made once for rows of equal values: a part whose value is missing is left
    out, whole numbers lose their '.0'.
    """
    fields = fields_in(template)
    for field in fields:
        if field not in frame.columns:
            there = listed(frame.columns)
            raise RunsError(
                f"precision {template!r}: {name} has no column '{field}'; its columns are {there}"
            )
    words = _WORDS.findall(template)
    fields = list(dict.fromkeys(fields))
    if not fields:
        return pl.Series([_spelled(words, {})]).new_from_index(0, frame.height)
    shown = {str(i): each_once(frame[f], _judged, pl.String)[0] for i, f in enumerate(fields)}
    rows = pl.DataFrame([series.alias(i) for i, series in shown.items()]).with_row_index("row")
    groups = rows.group_by(list(shown), maintain_order=True).agg("row")
    spelled = [
        _spelled(words, dict(zip(fields, values, strict=True)))
        for values in groups.select(list(shown)).iter_rows()
    ]
    groups = groups.with_columns(pl.Series("spelled", spelled, dtype=pl.String))
    return groups.select("row", "spelled").explode("row").sort("row")["spelled"]


def fields_in(template: str) -> list[str]:
    """The columns that a template names; RunsError where it cannot be read."""
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError:
        raise RunsError(
            f"cannot read the precision {template!r}; write it like 'w{{w_bits}} a{{a_bits}}'"
        ) from None
    fields = [field for _, field, _, _ in parts if field is not None]
    if any(not field for field in fields):
        raise RunsError(f"precision {template!r} has empty braces; write a column's name in them")
    return fields


def _spelled(words: Sequence[str], values: dict[str, str | None]) -> str:
    """The words of a template with values in place of {column}; words whose value is missing are
    left out.
    """
    kept: list[str] = []
    for word in words:
        missing = [
            field for field, value in values.items() if value is None and f"{{{field}}}" in word
        ]
        if not missing:
            for field, value in values.items():
                # A format with a name of its own stands behind a colon: w:bf16 beside w4.
                named = value is not None and not re.match(r"[\d.]", value)
                if named and re.fullmatch(r"[a-z]+\{[^}]*\}(@.*)?", word):
                    word = word.replace("{", ":{", 1)
                word = word.replace(f"{{{field}}}", value or "")
            kept.append(word)
    if kept and kept[-1] in ARROWS:
        kept.pop()
    return " ".join(["fp", *kept] if not kept or kept[0] in ARROWS else kept)


def _judged(value: object) -> tuple[str | None, None]:
    return _shown(value), None


def _shown(value: object) -> str | None:
    if value is None or str(value).strip() in EMPTY_TEXTS:
        return None
    return re.sub(r"^(\d+)\.0*$", r"\1", str(value).strip())
