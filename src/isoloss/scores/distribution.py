"""A predictive distribution by its quantiles, and proper scores of what was seen.

Between quantiles the normal score z(x) of the distribution is straight in x, and beyond the
outermost ones its last slope goes on, so that the tails are normal:

    F(x) = Phi(z(x)),  density phi(z(x)) z'(x).
"""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from isoloss.laws import Array

#: Probabilities of the quantiles that a forecast keeps; none lies at the middle, where the central
#: prediction of a fit need not be a median.
PROBABILITIES = (0.05, 0.1, 0.25, 0.4, 0.6, 0.75, 0.9, 0.95)


def interval_score(seen: float, low: float, high: float, level: float) -> float:
    """The width of an interval, and 2 / (1 - level) times how far what was seen lies outside.

    The lower the better. Reference: Gneiting and Raftery 2007, eq. 43.
    """
    outside = max(0.0, low - seen) + max(0.0, seen - high)
    return high - low + 2.0 / (1.0 - level) * outside


def log_score(seen: float, quantiles: Array) -> float:
    """The log density of what was seen, the higher the better.

    Parameters
    ----------
    seen
        The outcome.
    quantiles
        At `PROBABILITIES`, rising, shape (q,).
    """
    score, slope = _normal_score(seen, quantiles)
    return float(stats.norm.logpdf(score)) + math.log(slope)


def probability(seen: float, quantiles: Array) -> float:
    """The probability of less than what was seen, F(seen): uniform over calibrated forecasts."""
    return float(stats.norm.cdf(_normal_score(seen, quantiles)[0]))


def _normal_score(seen: float, quantiles: Array) -> tuple[float, float]:
    """z(seen) and its slope."""
    z = np.asarray(stats.norm.ppf(PROBABILITIES))
    k = int(np.clip(np.searchsorted(quantiles, seen) - 1, 0, len(z) - 2))
    slope = float((z[k + 1] - z[k]) / (quantiles[k + 1] - quantiles[k]))
    return float(z[k] + slope * (seen - quantiles[k])), slope
