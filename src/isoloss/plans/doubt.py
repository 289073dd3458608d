"""Weighted quantiles: the interval that laws and their refits span."""

from __future__ import annotations

import numpy as np

from isoloss.laws import Array


def interval(values: Array, weights: Array, level: float) -> tuple[float, float]:
    """The weighted quantiles that leave (1 - level) / 2 on each side; NaN without values."""
    if not len(values):
        return float("nan"), float("nan")
    order = np.argsort(values)
    upto = np.cumsum(weights[order]) / weights.sum()
    low, high = (
        values[order][min(len(values) - 1, int(np.searchsorted(upto, q)))]
        for q in ((1 - level) / 2, (1 + level) / 2)
    )
    return float(low), float(high)
