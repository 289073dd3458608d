"""Verdicts: a number measured on networks with its 90% interval, beside the linear prediction.

The tolerances stand here. They were written after pilot runs of the same studies and
before the runs that docs/results states, which have other seeds. An interval that lies
within the tolerance of the prediction says "survives", one that lies outside of it "does not", and
all others, with those whose increments are not above their noise, "undecided".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoloss.linear.studies.question import Study

Array = NDArray[np.float64]
#: How far from the linear prediction a measured number may lie, by what it is.
TOLERANCES = {
    "slope against batch": 0.25,
    "slope against dimension": 0.15,
    "slope against eps": 0.15,
    "share of the floor": 0.25,
    "gain of the last doubling": 0.25,
    # Of log ratios of eigenvalues; additive noise, whose lift is not 0, may have half of it more or
    # less.
    "lift of the tail": 0.1,
}
COVERAGE = 0.9
#: Increments below so many standard errors are noise.
ABOVE_NOISE = 2.0


@dataclass(frozen=True)
class Verdict:
    """Whether a mechanism of the linear theory survives in networks.

    Attributes
    ----------
    mechanism : str
        What is asked, in words.
    quantity : str
        What was measured.
    measured, low, high : float
        The number and its 90% interval; not a number where increments are not above their noise.
    linear : float
        The exact prediction of the linear laboratory.
    tolerance : float
        How far from it counts as the same.
    """

    mechanism: str
    quantity: str
    measured: float
    low: float
    high: float
    linear: float
    tolerance: float

    @property
    def word(self) -> str:
        """'survives', 'does not' or 'undecided'."""
        near, far = self.linear - self.tolerance, self.linear + self.tolerance
        if not np.isfinite([self.low, self.high]).all():
            return "undecided"
        if near <= self.low and self.high <= far:
            return "survives"
        return "does not" if self.high < near or self.low > far else "undecided"

    @property
    def columns(self) -> dict[str, Any]:
        """Itself as columns of a row."""
        return {**asdict(self), "verdict": self.word}

    def __str__(self) -> str:
        if not np.isfinite(self.measured):
            return f"{self.mechanism}: {self.word}, the increments are not above their noise"
        return (
            f"{self.mechanism}: {self.word} ({self.quantity} {self.measured:+.2f}, 90% interval "
            f"{self.low:+.2f} to {self.high:+.2f}; linear {self.linear:+.2f}, tolerance "
            f"{self.tolerance:.2f})"
        )


def judged(
    mechanism: str,
    quantity: str,
    statistic: Callable[[Array], float],
    values: Array,
    linear: float,
    tolerance: float | None = None,
    above_noise: bool = True,
) -> Verdict:
    """The verdict on a statistic of means over replicates; values are (points, R).

    Replicates of all points are the same teachers, starts and samples, so the interval leaves out
    one replicate of all points at a time: the jackknife with Student's t. With `above_noise` the
    means must be positive and above their noise, as logarithms need it.
    """
    allowed = TOLERANCES[quantity] if tolerance is None else tolerance
    count = values.shape[1]
    mean, error = values.mean(axis=1), values.std(axis=1, ddof=1) / count**0.5
    if above_noise and not (mean > ABOVE_NOISE * error).all():
        return Verdict(mechanism, quantity, np.nan, np.nan, np.nan, linear, allowed)
    whole = float(statistic(mean))
    left_out = (values.sum(axis=1, keepdims=True) - values) / (count - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        without = np.array([statistic(left_out[:, k]) for k in range(count)])
    spread = float(np.sqrt((count - 1) / count * np.sum((without - without.mean()) ** 2)))
    half = _student(count - 1) * spread
    return Verdict(mechanism, quantity, whole, whole - half, whole + half, linear, allowed)


def _student(freedom: int) -> float:
    from scipy.special import stdtrit  # loaded only when a study runs

    return float(stdtrit(freedom, (1 + COVERAGE) / 2))


def log_slope(x: Iterable[float]) -> Callable[[Array], float]:
    """The statistic that is the least-squares slope of log means against log x."""
    at = np.log(np.asarray(list(x), dtype=float))
    at = (at - at.mean()) / np.sum((at - at.mean()) ** 2)
    return lambda means: float(at @ np.log(means))


def verdicts_of(study: Study) -> pl.DataFrame:
    """The verdicts of a study of networks, one a row.

    Parameters
    ----------
    study : Study
        One of the studies of networks.

    Returns
    -------
    polars.DataFrame
        mechanism, quantity, measured, low, high, linear, tolerance, verdict.

    Raises
    ------
    ValueError
        The study has no verdicts.
    """
    names = (*Verdict.__dataclass_fields__, "verdict")
    if "verdict" not in study.table.columns:
        raise ValueError(f"the study '{study.name}' has no verdicts; studies of networks have")
    return study.table.select(names).drop_nulls("verdict").unique(maintain_order=True)
