"""Rows of samples, compiled: features drawn and mixed, products and sums of rows, the order of a
pass.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from isoloss.linear.sampled.kernels.compiled import apart
from isoloss.linear.sampled.kernels.counter_rng import normal_row, uniform, word
from isoloss.linear.sampled.kernels.task import SIGNED, SPARSE


@apart
def dot(a: Any, b: Any) -> Any:
    """The sum of a_i b_i, in float32."""
    # In float32 and in any order (loose): its error is far below that of sampling.
    total = np.float32(0)
    for i in range(a.size):
        total += a[i] * b[i]
    return total


@apart
def add_row(total: Any, factor: Any, row: Any) -> None:
    """Add factor times a row to a total (n,)."""
    for i in range(row.size):
        total[i] += factor * row[i]


@apart
def feature_row(x: Any, task: Any, key: Any, shape: Any) -> None:
    """Fill x (k,) with the features of one sample; `shape` is the key of what makes them other than
    normal.
    """
    # x has unit variance until the last loop.
    normal_row(x, key)
    if (
        task.kind == SIGNED
    ):  # share = sqrt of the normal's part of the variance, gain that of the sign's
        for i in range(x.size):
            x[i] = task.share * x[i] + (
                task.gain if uniform(i, shape) < np.float32(0.5) else -task.gain
            )
    elif task.kind == SPARSE:
        for i in range(x.size):
            x[i] = task.gain * x[i] if uniform(i, shape) < task.share else np.float32(0)
    for i in range(x.size):
        x[i] *= task.deviation[i]


@apart
def mixed_row(z: Any, x: Any, mix: Any) -> None:
    """Fill z (n,) with x (k,) @ mix (k, n)."""
    z[:] = np.float32(0)
    for i in range(x.size):
        # Row by row of mix (k, n), so that memory is read in order.
        add_row(z, x[i], mix[i])


@apart
def shuffle(order: Any, key: Any) -> None:
    """Put 0..n-1 in random order."""
    for i in range(order.size):
        order[i] = i
    for i in range(order.size - 1, 0, -1):
        # Fisher and Yates; the high half of a 64-bit product is uniform below i + 1 up to 2^-32.
        j = (np.uint64(word(i, key)) * np.uint64(i + 1)) >> np.uint64(32)
        kept = order[i]
        order[i] = order[np.int64(j)]
        order[np.int64(j)] = kept
