"""Shares with their error: none or all of a few leave doubt too."""

from __future__ import annotations

import math


def share_of(hits: float, count: int) -> tuple[float, float]:
    """A share and its standard error, that of two more hits and two more misses.

    Agresti and Coull 1998 (The American Statistician 52(2)), equation 4 at 95%: the usual binomial
    error is zero where none or all are hits, however few they are.

    Parameters
    ----------
    hits, count
        How many are hits (a part of one counts as that), of how many.

    Returns
    -------
    (float, float)
        hits / count and its error; NaN of none.
    """
    if not count:
        return math.nan, math.nan
    wide = count + 4
    middle = (hits + 2) / wide
    return hits / count, math.sqrt(middle * (1 - middle) / wide)
