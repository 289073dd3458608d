"""The order of candidates from differences between two: each by the laws that see both."""

from __future__ import annotations

import numpy as np

from isoloss.laws import Array

#: Losses that differ by less are equal.
EQUAL = 1e-12


def order_of(difference: Array, value: Array) -> list[int]:
    """Candidates, the best first: none stands before one that is better than it.

    Candidates that no law compares are ordered by their own value, as are those of a circle, which
    differences by other laws each can make.

    Parameters
    ----------
    difference
        Loss of the one (row) less that of the other (column), NaN where unknown, shape (n, n).
    value
        Own losses, shape (n,).
    """
    better = difference < -EQUAL
    left = np.ones(len(value), dtype=bool)
    order: list[int] = []
    by_value = [int(k) for k in np.argsort(value, kind="stable")]
    while left.any():
        beaten = np.asarray(better[left].any(axis=0))
        first = next(
            (k for k in by_value if left[k] and not beaten[k]),
            next(k for k in by_value if left[k]),
        )
        order.append(first)
        left[first] = False
    return order


def uncompared(difference: Array, first: int) -> list[int]:
    """The candidates that no law compares with one."""
    return [int(k) for k in np.flatnonzero(np.isnan(difference[first])) if k != first]
