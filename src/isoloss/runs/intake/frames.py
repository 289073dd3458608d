"""Raw values as a polars frame: from rows, from columns, or from any data frame."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from isoloss.runs.intake.cells import EMPTY_NUMBERS, name_of
from isoloss.runs.intake.nested import fields_of, flattened, may_hold_objects, without_objects
from isoloss.runs.problems import RunsError

#: What a data frame is called in messages.
SOURCE = "the data frame"
#: Letters of another library's error that a message repeats.
MOST_SAID = 150
#: Types of cells of which none is an object, and those of a column of floats.
_PLAIN = frozenset({int, float, str, bool, list, type(None)})
_FLOATS = frozenset({float, type(None)})


def frame_of(frame: Any) -> pl.DataFrame:
    """Any data frame that narwhals knows (polars, pandas, arrow, modin, lazy ones ...) as a polars
    one.
    """
    if isinstance(frame, pl.DataFrame):
        return with_printable_names(plain(frame), SOURCE)
    try:
        known = nw.from_native(_with_index(frame))
        table: Any = known.collect() if isinstance(known, nw.LazyFrame) else known
        check_names(str(name) for name in table.columns)
        # Texts through Python values: needs no arrow, and a missing text stays missing.
        values = {str(name): _cells(table.get_column(name)) for name in table.columns}
        return with_printable_names(from_columns(values), SOURCE)
    except TypeError:
        kind = type(frame).__name__
        raise RunsError(
            f"cannot read runs from an object of type {kind}; "
            "give a file, a data frame or the name of a table"
        ) from None
    except (nw.exceptions.NarwhalsError, pl.exceptions.PolarsError) as error:
        said = " ".join(str(error).split())[:MOST_SAID]
        raise RunsError(f"cannot read the data frame: {said}") from None


def _with_index(frame: Any) -> Any:
    """A frame of pandas with an index that has names as columns, as a group has them."""
    names = [name for name in getattr(getattr(frame, "index", None), "names", None) or () if name]
    return frame.reset_index() if names and not set(frame.columns) & set(names) else frame


def _cells(column: Any) -> list[Any] | pl.Series:
    """The values of a column of another library, unknown ones as None."""
    if column.dtype.is_numeric() and column.dtype != nw.Decimal:
        values = np.asarray(column.to_numpy())
        if values.dtype.kind in "fiu":
            return pl.Series(values.astype(np.float64), nan_to_null=True)
    return [_native(value) for value in column.to_list()]


def check_names(names: Iterable[str], source: str = SOURCE) -> None:
    """Raise RunsError for a column name that stands twice."""
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise RunsError(
            f"{source} has the column '{repeated[0]}' more than once; give each column its own name"
        )


def with_printable_names(frame: pl.DataFrame, source: str) -> pl.DataFrame:
    """The frame with names of columns that can be shown, which messages and reports repeat."""
    names = [name_of(name) for name in frame.columns]
    if names == frame.columns:
        return frame
    check_names(names, source)
    return frame.rename(dict(zip(frame.columns, names, strict=True)))


def plain(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with cells of objects opened, decimals as floats and categories as texts.

    All other columns are the same objects: a table of numbers costs nothing.
    """
    out: dict[str, pl.Series] = {}
    for series in frame.get_columns():
        kind = series.dtype
        if kind in (pl.Struct, pl.Object) or (kind == pl.String and _holds_objects(series)):
            for each in _opened(series):
                taken = each.name in out or (each.name != series.name and each.name in frame)
                own = f"{each.name}_in_cell" if taken else each.name
                out[own] = each.alias(own)
        elif kind.is_decimal():
            out[series.name] = series.cast(pl.Float64)
        elif kind in (pl.Categorical, pl.Enum):
            out[series.name] = series.cast(pl.String)
        else:
            out[series.name] = series
    return pl.DataFrame(list(out.values()))


def _opened(series: pl.Series) -> Sequence[pl.Series]:
    """The columns of a column of objects."""
    found = fields_of(series) if series.dtype == pl.Struct else None
    if found is None:
        return from_columns({series.name: series.to_list()}).get_columns()
    return [_as_read(each) for each in found]


def _as_read(series: pl.Series) -> pl.Series:
    """A column as `series_of` makes it of its cells."""
    if series.dtype.is_integer() or series.dtype.is_float() or series.null_count() == len(series):
        return series.cast(pl.Float64)
    return series if series.dtype == pl.String else series_of(series.name, series.to_list())


def _holds_objects(series: pl.Series) -> bool:
    return may_hold_objects(series.head(50).to_list())


def from_rows(records: Iterable[object], name: str, rows: Iterable[int]) -> pl.DataFrame:
    """A frame of rows that are objects, nested ones as dotted names; RunsError for a row that is
    none.
    """
    flat: list[dict[str, Any]] = []
    for record, row in zip(records, rows, strict=True):
        if not isinstance(record, Mapping):
            raise RunsError(
                f"{name}, row {row} is {record!r}, not an object of column names and values"
            )
        nested = not _PLAIN.issuperset(map(type, record.values()))
        flat.append(dict(flattened(record) if nested else record))
    names = list(dict.fromkeys(key for record in flat for key in record))
    return from_columns({key: [record.get(key) for record in flat] for key in names})


def from_columns(columns: Mapping[str, list[Any] | pl.Series]) -> pl.DataFrame:
    """A frame of columns, each of numbers where all its values are, else of text; cells that hold
    objects as columns of their own.
    """
    opened = without_objects(columns)
    return pl.DataFrame([series_of(name, values) for name, values in opened.items()])


def plain_floats(series: pl.Series) -> pl.Series | None:
    """The cells of a column as finite floats, unknown where they are; None where one is neither."""
    if not (series.dtype.is_numeric() or series.dtype == pl.String) or series.dtype.is_decimal():
        return None
    values = series.cast(pl.Float64, strict=False)
    rest = series.filter(~values.is_finite().fill_null(False)).drop_nulls()
    if rest.dtype == pl.String:
        rest = rest.filter(~rest.str.strip_chars().str.to_lowercase().is_in(list(EMPTY_NUMBERS)))
    return values if rest.is_empty() else None


def series_of(name: str, values: list[Any] | pl.Series) -> pl.Series:
    """A column of numbers where all values are, else of text; a column that is one under the
    name.
    """
    if isinstance(values, pl.Series):
        return values.alias(name)
    if set(map(type, values)) <= _FLOATS:
        return pl.Series(name, values, dtype=pl.Float64)
    known = [value for value in values if value is not None]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        return pl.Series(name, [None if v is None else _float(v) for v in values], dtype=pl.Float64)
    return pl.Series(name, [None if v is None else str(v) for v in values], dtype=pl.String)


def _float(value: float) -> float:
    """The value as a float; infinite beyond the largest, which no column accepts."""
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value)


def _native(value: Any) -> Any:
    """A plain Python value; the missing values of pandas, in text columns too, as None."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if getattr(value, "size", 1) != 1:  # an array, whose row says that it is no number
        return str(value)
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and math.isnan(value) else value
