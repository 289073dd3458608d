"""Cells that hold objects, as trackers' frames have them, become columns with dotted names.

An object is a mapping, or a text that is one in JSON or as Python writes it; a column counts as one
of objects where every known cell is.
"""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

#: Longest text of a cell that is looked at.
MOST_LETTERS = 200_000
#: Words of JSON, and of numpy's numbers as Python writes them, that stand for no name.
_WORDS: dict[str, Any] = {
    "nan": math.nan, "NaN": math.nan, "inf": math.inf, "Infinity": math.inf, "null": None,
    "true": True, "false": False,
}  # fmt: skip

#: Names of an object that is a value and what is said of it.
_VALUE = {"value", "desc"}


def flattened(record: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Nested objects as dotted names, as trackers write them in tables: config.lr, summary.loss; an
    object of a value and its description is the value.
    """
    for key, value in record.items():
        if isinstance(value, Mapping) and set(value) == _VALUE:
            value = value["value"]
        if isinstance(value, Mapping):
            yield from flattened(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def fields_of(series: pl.Series) -> list[pl.Series] | None:
    """The columns of a column of structures, by dotted names, those in structures too; None where
    cells differ in the names that they have.
    """
    known = series.is_not_null()
    if series.has_nulls() and not known.any():
        return None
    out: list[pl.Series] = []
    for field in series.struct.fields:
        values = series.struct.field(field).alias(f"{series.name}.{field}")
        if values.dtype == pl.Struct:
            if {each.name for each in values.dtype.fields} == _VALUE:  # type: ignore[attr-defined]
                return None
            if values.filter(known).has_nulls() or (found := fields_of(values)) is None:
                return None
            out += found
        else:
            out.append(values)
    out = [pl.select(pl.when(known).then(each).alias(each.name)).to_series() for each in out]
    return out if len({each.name for each in out}) == len(out) else None


def without_objects(
    columns: Mapping[str, Sequence[Any] | pl.Series],
) -> dict[str, list[Any] | pl.Series]:
    """Columns of values, those of objects replaced by one column a key, after the others' names."""
    out: dict[str, list[Any] | pl.Series] = {}
    for name, values in columns.items():
        if isinstance(values, pl.Series):
            out[name] = values
            continue
        objects = _objects(values)
        if objects is None:
            out[name] = list(values)
            continue
        flat = [dict(flattened(each, f"{name}.")) for each in objects]
        for key in dict.fromkeys(key for each in flat for key in each):
            # A column of this name that stands in the table already is its own.
            own = f"{key}_in_cell" if key in columns or key in out else key
            out[own] = [each.get(key) for each in flat]
    return out


def may_hold_objects(values: Sequence[Any]) -> bool:
    """Whether the first known value is an object or a text that begins as one."""
    first = next((value for value in values if value not in (None, "")), None)
    return isinstance(first, Mapping) or (isinstance(first, str) and first.lstrip()[:1] == "{")


def _objects(values: Sequence[Any]) -> list[Mapping[str, Any]] | None:
    if not may_hold_objects(values):
        return None
    found: list[Mapping[str, Any]] = []
    for value in values:
        each = {} if value in (None, "") else _object(value)
        if each is None:
            return None
        found.append(each)
    return found


def _object(value: Any) -> Mapping[str, Any] | None:
    if isinstance(value, Mapping):
        return value
    if not isinstance(value, str) or len(value) > MOST_LETTERS or value.lstrip()[:1] != "{":
        return None
    try:
        return _mapping(json.loads(value))
    except (ValueError, RecursionError):
        pass
    try:
        tree = ast.parse(value.strip(), mode="eval")
        return _mapping(ast.literal_eval(_Literals().visit(tree)))
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None


def _mapping(value: Any) -> Mapping[str, Any] | None:
    return value if isinstance(value, Mapping) else None


class _Literals(ast.NodeTransformer):
    """Names such as nan as what they stand for; any other name stays, and is refused."""

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Constant(_WORDS[node.id]) if node.id in _WORDS else node
