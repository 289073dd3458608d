"""Which rows a condition on one column chooses: a value, a list, a range or a callable."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isoloss.formats import Precision
from isoloss.runs.numbers import number
from isoloss.runs.problems import RunsError


def matching(name: str, column: NDArray[Any], wanted: Any) -> NDArray[np.bool_]:
    """A mask of the rows that a value, list, range or callable chooses."""
    if callable(wanted):
        mask = np.asarray(wanted(column))
        if mask.shape != column.shape or mask.dtype != bool:
            raise RunsError(f"the condition on '{name}' must return one true or false for each run")
        return mask
    if isinstance(wanted, tuple):
        return _between(name, column, wanted)
    values = list(wanted) if isinstance(wanted, list | set | frozenset | np.ndarray) else [wanted]
    masks = [_equal(name, column, value) for value in values]
    return np.logical_or.reduce(masks) if masks else np.zeros(column.shape, dtype=bool)


def _equal(name: str, column: NDArray[Any], value: Any) -> NDArray[np.bool_]:
    if value is None:
        return (
            np.isnan(column)
            if column.dtype != object
            else np.array([cell is None for cell in column], dtype=bool)
        )
    if column.dtype != object:
        return np.asarray(column == number(value))
    if name == "precision":
        value = str(Precision.parse(value))
    return np.array([cell == value for cell in column], dtype=bool)


def _between(name: str, column: NDArray[Any], ends: tuple[Any, ...]) -> NDArray[np.bool_]:
    if len(ends) != 2 or column.dtype == object:
        raise RunsError(
            f"{name}={ends!r}: a tuple is a range (low, high) of a column of numbers; use a list"
        )
    low, high = (
        default if end is None else number(end)
        for end, default in zip(ends, (-np.inf, np.inf), strict=True)
    )
    return np.asarray((column >= low) & (column <= high))
