"""A column made from a table's own, as 'data.tokens (B)*1e9' or 'steps*batch_tokens': products and
quotients of columns and numbers, from left to right.
"""

from __future__ import annotations

import math

import polars as pl

from isoloss.runs.intake.cells import EMPTY_NUMBERS
from isoloss.runs.intake.frames import plain_floats, series_of
from isoloss.runs.numbers import number
from isoloss.runs.problems import RunsError

#: Operators; names of columns may hold both, so a name that is there is looked for first.
OPERATORS = "*/"
#: Factors that bring a column to counts, of which a cell such as '2B' needs none.
SCALES = frozenset({1e3, 1e6, 1e9, 1e12})
MOST_LETTERS = 300

#: One value for every row, or the cells of a column.
_Value = float | pl.Series


def computed(text: str, frame: pl.DataFrame) -> pl.Series | None:
    """The values of a column, or of a product or quotient of columns and numbers.

    Parameters
    ----------
    text
        The name of a column of `frame`, or an expression.
    frame
        The table.

    Returns
    -------
    Series or None
        Values as they are for a name; numbers, and as text what is none, for an expression; None
        where `text` is neither.

    Raises
    ------
    RunsError
        The expression holds no column.
    """
    if text in frame.columns:
        return frame[text]
    if not any(sign in text for sign in OPERATORS) or len(text) > MOST_LETTERS:
        return None
    found = _value(text, frame, {})
    if isinstance(found, float):
        raise RunsError(f"{text!r} holds no column; a value for every row is given by its name")
    if found is None or found.dtype in (pl.Float64, pl.String):
        return None if found is None else found.alias(text)
    return series_of(text, found.to_list())


def columns_in(text: str, frame: pl.DataFrame) -> frozenset[str]:
    """The columns of a frame that a name or an expression is made of."""
    if text in frame.columns:
        return frozenset({text})
    seen: dict[str, _Value | None] = {}
    _value(text, frame.head(0), seen)
    return frozenset(seen.keys() & set(frame.columns))


def scaled_twice(text: str, frame: pl.DataFrame) -> dict[int, str]:
    """What is wrong with cells that say their own unit, as '2B', in a column times a thousand, a
    million or more, by row.
    """
    name, _, factor = (part.strip() for part in text.rpartition("*"))
    if text in frame.columns or name not in frame.columns or frame[name].dtype != pl.String:
        return {}
    try:
        scale = number(factor)
    except RunsError:
        return {}
    if scale not in SCALES:
        return {}
    cells = frame[name]
    said = cells.str.contains(r"\d\s*\p{L}[\p{L}\s]*$").fill_null(False)
    return {
        row: f"has {cell.strip()!r}, which says its own unit, and is taken times {factor} too; "
        "write all cells in one unit, or leave the factor out"
        for row, cell in zip(said.arg_true().to_list(), cells.filter(said).to_list(), strict=True)
    }


def _value(text: str, frame: pl.DataFrame, seen: dict[str, _Value | None]) -> _Value | None:
    bare = text.strip()
    if bare not in seen:
        seen[bare] = _read(bare, frame, seen)
    return seen[bare]


def _read(bare: str, frame: pl.DataFrame, seen: dict[str, _Value | None]) -> _Value | None:
    if bare in frame.columns:
        return frame[bare]
    try:
        return number(bare)
    except RunsError:
        pass
    # The last operator first, so that what stands before it is taken together: a/b*c is (a/b)*c.
    for at in range(len(bare) - 2, 0, -1):
        if bare[at] in OPERATORS:
            right = _value(bare[at + 1 :], frame, seen)
            left = None if right is None else _value(bare[:at], frame, seen)
            if left is not None and right is not None:
                return _combined(left, right, bare[at], frame.height)
    return None


def _combined(left: _Value, right: _Value, sign: str, rows: int) -> _Value:
    if isinstance(left, float) and isinstance(right, float):
        return left * right if sign == "*" else left / right if right else math.inf
    one, two = (
        v if isinstance(v, pl.Series) else pl.Series([v]).new_from_index(0, rows)
        for v in (left, right)
    )
    first, second = plain_floats(one), plain_floats(two)
    if first is not None and second is not None:
        return _of_numbers(first, second, sign)
    cells = zip(one.to_list(), two.to_list(), strict=True)
    return series_of("", [_cell(a, b, sign) for a, b in cells])


def _of_numbers(one: pl.Series, two: pl.Series, sign: str) -> pl.Series:
    if sign == "*":
        return one * two
    # By zero as one cell is: infinite, which its row says.
    infinite = (two == 0).fill_null(False) & one.is_not_null()
    return (one / two).zip_with(~infinite, pl.Series([math.inf]).new_from_index(0, len(one)))


def _cell(one: object, two: object, sign: str) -> object:
    """The value of two cells; what is no number comes through as text, so that its row says why."""
    for cell in (one, two):
        if cell is None or (isinstance(cell, str) and cell.strip().lower() in EMPTY_NUMBERS):
            return None
    numbers = []
    for cell in (one, two):
        try:
            numbers.append(number(cell))
        except RunsError:
            return str(cell)
    a, b = numbers
    if sign == "/":
        return a / b if b else math.inf
    return a * b
