"""The compiled loops, in one file because numba's cache on disk sees changes of one file only.

Each operation is one that IEEE 754 rounds, as in the specification; only sums of errors may be
taken in any order. Buffers are small enough to stay in a processor's nearest cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

#: Numbers that are rounded together.
_TILE = 256
#: Lists of numbers up to so many cuts are gone through, longer ones halved.
_FEW = 40

F = TypeVar("F", bound=Callable[..., object])


def _inlined(function: F) -> F:
    return cast(F, numba.njit(forceinline=True, error_model="numpy")(function))


def _kept(function: F) -> F:
    """The function compiled, from numba's cache on disk where there is one."""
    try:
        made: Any = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # no folder to keep it in
        made = numba.njit(nogil=True, error_model="numpy")(function)
    return cast(F, made)


@_inlined
def _to_nearest(q: Any, x: Any, size: int, levels: Any, cuts: Any, is_whole: bool) -> None:
    """q becomes the first numbers of x, rounded to those of a format."""
    if is_whole:
        low, top = levels[0], levels[-1]
        for r in range(size):
            raised = low if x[r] < low else x[r]
            q[r] = np.rint(top if raised > top else raised)
    elif cuts.size <= _FEW:
        for r in range(size):
            # NaN is above no cut; it stays itself.
            q[r] = levels[0] if x[r] == x[r] else x[r]
        for k in range(cuts.size):
            cut, level = cuts[k], levels[k + 1]
            for r in range(size):
                q[r] = level if x[r] > cut else q[r]
    else:
        for r in range(size):
            q[r] = levels[np.searchsorted(cuts, x[r])] if x[r] == x[r] else x[r]


@_kept
def fed_columns(
    w: Any, rounded: Any, errors: Any, factor: Any, groups: Any, steps: Any, zeros: Any,
    levels: Any, cuts: Any, is_whole: bool,
) -> None:  # fmt: skip
    """Columns rounded one by one; column i leaves errors[i] = (w_i - q_i) / U_ii to the columns j
    behind it, times U_ij.

    Parameters
    ----------
    w
        (columns, outputs); is changed.
    rounded, errors
        Like w; are filled.
    factor
        U, (columns, columns).
    groups
        (columns,): which row of `steps` and `zeros`, (groups, outputs), a column takes.
    levels, cuts, is_whole
        Those of the format (`Cuts`).
    """
    columns, outputs = w.shape
    x, q = np.empty(_TILE, w.dtype), np.empty(_TILE, w.dtype)
    for first in range(0, outputs, _TILE):
        last = min(first + _TILE, outputs)
        for i in range(columns):
            column, error = w[i, first:last], errors[i, first:last]
            step, zero = steps[groups[i], first:last], zeros[groups[i], first:last]
            for r in range(column.size):
                x[r] = column[r] / step[r] + zero[r]
            _to_nearest(q, x, column.size, levels, cuts, is_whole)
            for r in range(column.size):
                q[r] = (q[r] - zero[r]) * step[r]
                error[r] = (column[r] - q[r]) / factor[i, i]
            rounded[i, first:last] = q[: column.size]
            for j in range(i + 1, columns):
                _less(w[j, first:last], factor[i, j], error)


@_inlined
def _less(row: Any, times: Any, other: Any) -> None:
    for r in range(row.size):
        row[r] -= times * other[r]


def _summed(errors: Any, size: int, times: float, power: float) -> float:
    total = 0.0
    if power == 2.0:
        for r in range(size):
            share = errors[r] * times
            total += share * share
    else:
        for r in range(size):
            total += abs(errors[r] * times) ** power
    return total


@_inlined
def _off_whole(value: Any, step: Any, zero: Any, low: Any, top: Any) -> Any:
    """By how much a number rounded to whole codes, from low to top, lies off."""
    code = value / step + zero
    raised = low if code < low else code
    return (np.rint(top if raised > top else raised) - zero) * step - value


def _summed_whole(
    part: Any, size: int, step: Any, zero: Any, low: Any, top: Any, times: float
) -> float:
    total = 0.0
    for r in range(size):
        share = _off_whole(part[r], step, zero, low, top) * times
        total += share * share
    return total


# Sums alone may be taken in another order: what is written into them keeps its own rules.
_sum: Any
_sum_whole: Any
_sum, _sum_whole = (
    numba.njit(forceinline=True, error_model="numpy", fastmath={"reassoc"})(each)
    for each in (_summed, _summed_whole)
)


@_kept
def least_ratios(
    y: Any, peaks: Any, steps: Any, zeros: Any, beyond: Any, power: float, margin: float,
    levels: Any, cuts: Any, is_whole: bool,
) -> Any:  # fmt: skip
    """Which of several scales leaves each scale group the least sum of |error / peak|^power, the
    first of equal ones.

    Parameters
    ----------
    y
        (groups, size).
    peaks
        (groups,): the largest magnitude of each.
    steps, zeros
        (groups, scales), the scales falling.
    beyond
        Likewise: an error that some number of the group has at least, at this scale and later ones.
    margin
        A scale is left out where that alone is larger by this share than the least sum.

    Returns
    -------
    array
        (groups,): indices of scales.
    """
    groups, size = y.shape
    found = np.zeros(groups, np.int64)
    # Not slices of y: to count who holds one costs more than rounding a small group.
    part = np.empty(_TILE, y.dtype)
    x, q = np.empty_like(part), np.empty_like(part)
    for g in range(groups):
        times, least = 1 / np.float64(peaks[g]), np.inf
        for k in range(steps.shape[1]):
            if (beyond[g, k] * times) ** power > least * (1 + margin):
                break
            step, zero, total = steps[g, k], zeros[g, k], 0.0
            for first in range(0, size, _TILE):
                count = min(_TILE, size - first)
                if k == 0 or size > _TILE:
                    for r in range(count):
                        part[r] = y[g, first + r]
                if is_whole and power == 2.0:
                    total += _sum_whole(part, count, step, zero, levels[0], levels[-1], times)
                    continue
                for r in range(count):
                    x[r] = part[r] / step + zero
                _to_nearest(q, x, count, levels, cuts, is_whole)
                for r in range(count):
                    x[r] = (q[r] - zero) * step - part[r]
                total += _sum(x, count, times, power)
            if total < least:
                least, found[g] = total, k
    return found
