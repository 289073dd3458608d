"""Uncertainty of laws: weighted intervals, and words for points outside the runs."""

from __future__ import annotations

import numpy as np

from isoloss.fits import FAR as FAR
from isoloss.fits import NOT_HELD, POINT_LAW, UNKNOWN, Absent, Standing
from isoloss.laws import Array

NO_INTERVAL = (float("nan"), float("nan"))


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


def absent(standing: Standing, is_point: bool) -> Absent:
    """What stands in place of an interval: no law sees it, none has replicates, no run tells it."""
    if standing != "seen":
        return UNKNOWN
    return POINT_LAW if is_point else NOT_HELD


def place(outside: float) -> str:
    """How far outside the runs a point lies, for a table: "inside", "12.3 x", "unknown"."""
    return "unknown" if np.isnan(outside) else "inside" if outside <= 1 else f"{outside:.3g} x"


def beyond(what: str, law: str, outside: float) -> str | None:
    """Reason a point is an extrapolation of a law, or None inside its runs."""
    if outside <= 1:
        return None
    why = "no region of runs is known" if np.isnan(outside) else f"by a factor of {outside:.3g}"
    return f"{what} lies outside the runs of {law} ({why})"
