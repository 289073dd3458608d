"""Each different value of a column looked at once, however many rows hold it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

#: What is made of a value, and what is wrong with it.
Judged = tuple[Any, str | None]


def different(series: pl.Series) -> list[Any]:
    """The different values of a column in the order of its rows, None where some are unknown; of
    types whose equal values may differ, such as floats, every value.
    """
    return series.unique(maintain_order=True).to_list() if _alike(series) else series.to_list()


def more_than(values: pl.Series | pl.DataFrame, most: int) -> bool:
    """Whether there are more different values, or rows of a frame, than so many."""
    # The first rows settle most columns: all of a large one need not be looked at.
    return values.head(4 * most).n_unique() > most or values.n_unique() > most


def by_frequency(series: pl.Series) -> list[tuple[Any, int]]:
    """The different values that are known and in how many rows each stands: the most frequent
    first, of equal ones the first in the table.
    """
    rows = series.drop_nulls().alias("value").to_frame().with_row_index("first")
    found = rows.group_by("value").agg(pl.len().alias("n"), pl.col("first").min())
    return found.sort("n", "first", descending=[True, False]).select("value", "n").rows()


def each_once(
    series: pl.Series, judge: Callable[[Any], Judged], to: pl.DataType | type[pl.DataType]
) -> tuple[pl.Series, dict[int, str]]:
    """A column of what each value stands for, and what is wrong, by row.

    Parameters
    ----------
    series
        Values of any type.
    judge
        Called with a value (None where it is unknown), returns the new one and what is wrong with
        the old one, or None; a value that is equal gives the same.
    to
        The type of the new values.
    """
    if not _alike(series):
        found = [judge(value) for value in series.to_list()]
        bad = {row: problem for row, (_, problem) in enumerate(found) if problem is not None}
        return pl.Series(series.name, [new for new, _ in found], dtype=to), bad
    old = series.unique()
    values = old.to_list()
    found = [judge(value) for value in values]
    new = pl.Series(series.name, [new for new, _ in found], dtype=to)
    words = {v: p for v, (_, p) in zip(values, found, strict=True) if p is not None}
    out = series if new.equals(old) and series.dtype == to else _replaced(series, old, new)
    return out, _by_row(series, words)


def rows_of(mask: pl.Series) -> list[int]:
    """The rows at which a mask is true."""
    return mask.arg_true().to_list()


def _alike(series: pl.Series) -> bool:
    """Whether equal values of the type are the same ones; floats are not, as 0 and -0 are equal."""
    return series.dtype in (pl.String, pl.Boolean) or series.dtype.is_integer()


def _replaced(series: pl.Series, old: pl.Series, new: pl.Series) -> pl.Series:
    if len(old) == 1:
        return new.new_from_index(0, len(series))
    return series.replace_strict(old, new, return_dtype=new.dtype).alias(series.name)


def _by_row(series: pl.Series, words: dict[Any, str]) -> dict[int, str]:
    if not words:
        return {}
    mask = series.is_in([value for value in words if value is not None]).fill_null(False)
    mask |= series.is_null() & (None in words)
    rows, values = rows_of(mask), series.filter(mask).to_list()
    return {row: words[value] for row, value in zip(rows, values, strict=True)}
