"""Decimal commas: told from thousands marks by all cells of a file, and refused where both are
possible.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from isoloss.runs.intake.cells import EMPTY_NUMBERS
from isoloss.runs.problems import RunsError

#: What may stand behind the digits: an exponent, a unit.
_END = r"(?:[eE][+-]?\d+)?\s*[\p{L} ]*$"
_SIGN = r"^\s*[+-]?"
_COMMA = rf"{_SIGN}(?:\d*|[1-9]\d{{0,2}}(?:\.\d{{3}})+),\d+{_END}"
_POINT = rf"{_SIGN}(?:\d*|[1-9]\d{{0,2}}(?:,\d{{3}})+)\.\d+{_END}"
_PLAIN = rf"{_SIGN}\d+{_END}"
#: One mark with three digits behind it, which may be of thousands or decimal; two are of thousands.
_OPEN_COMMA, _OPEN_POINT = (rf"{_SIGN}[1-9]\d{{0,2}}{mark}\d{{3}}{_END}" for mark in (",", r"\."))
_MANY_COMMAS, _MANY_POINTS = (
    rf"{_SIGN}[1-9]\d{{0,2}}(?:{mark}\d{{3}}){{2,}}{_END}" for mark in (",", r"\.")
)
_ANY = "|".join(f"(?:{each})" for each in (_COMMA, _POINT, _PLAIN, _MANY_COMMAS, _MANY_POINTS))


@dataclass(frozen=True)
class _Seen:
    """A cell of each kind, as words for a message; empty where there is none."""

    comma: str = ""
    point: str = ""
    either: str = ""


def with_points(frame: pl.DataFrame, name: str) -> tuple[pl.DataFrame, bool]:
    """The frame with decimal points, and whether its decimals were written with commas.

    A cell such as '3,75' or '0,125' says that commas are decimal, '3.75' or '1,300,000' that they
    are not, '1,300' says neither.

    Parameters
    ----------
    frame
        Texts of a file whose separator is no comma.
    name
        The file, for messages.

    Raises
    ------
    RunsError
        Cells say both, or a cell has a comma and none says which.
    """
    numeric = [column for column in frame.columns if _is_numeric(frame[column])]
    seen = _seen(frame, numeric)
    if seen.comma and seen.point:
        raise RunsError(
            f"{name} has {seen.comma}, where the comma is decimal, and {seen.point}, where it is "
            "not: write all decimals with a point"
        )
    if not seen.comma:
        if seen.either and not seen.point:
            raise RunsError(
                f"{name} has {seen.either}, which may be read with a decimal comma or with a mark "
                "of thousands, and no other cell says which: write decimals with a point and "
                "thousands without a mark"
            )
        return frame, False
    changed = [_pointed(frame[column]) for column in numeric]
    return frame.with_columns(changed), True


def is_number(series: pl.Series) -> pl.Series:
    """Which texts are numbers, in either way of writing decimals."""
    return series.str.contains(_ANY).fill_null(False)


def _is_numeric(series: pl.Series) -> bool:
    """Whether most cells that are not empty are numbers."""
    known = series.filter(~series.str.strip_chars().str.to_lowercase().is_in(list(EMPTY_NUMBERS)))
    return len(known) > 0 and 2 * int(is_number(known).sum()) >= len(known)


def _seen(frame: pl.DataFrame, columns: list[str]) -> _Seen:
    found = {"comma": "", "point": "", "either": ""}
    for column in columns:
        cells = frame[column]
        open_comma, open_point = cells.str.contains(_OPEN_COMMA), cells.str.contains(_OPEN_POINT)
        masks = {
            "comma": (cells.str.contains(_COMMA) & ~open_comma) | cells.str.contains(_MANY_POINTS),
            "point": (cells.str.contains(_POINT) & ~open_point) | cells.str.contains(_MANY_COMMAS),
            "either": open_comma,
        }
        for kind, mask in masks.items():
            if not found[kind] and mask.any():
                found[kind] = f"{cells.filter(mask)[0].strip()!r} in column '{column}'"
    return _Seen(**found)


def _pointed(series: pl.Series) -> pl.Series:
    pointed = series.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    return (
        pl.select(pl.when(is_number(series)).then(pointed).otherwise(series))
        .to_series()
        .alias(series.name)
    )
