"""The exact risk over several random sketches: exact for each S, with the spread over them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from isoloss.files import displayed
from isoloss.linear.asked import Spelled, check_descent, check_problem
from isoloss.linear.checks import finite, whole
from isoloss.linear.descent import SGD
from isoloss.linear.quantisers import DEFAULT_SCALES, Scales
from isoloss.linear.regression import Regression
from isoloss.linear.risk import Inputs, Parts, Risk
from isoloss.linear.risk_of import excess_risk
from isoloss.linear.sampled import Difference

Array = NDArray[np.float64]


@displayed
@dataclass(frozen=True)
class SketchRisk:
    """The mean risk over random sketches, with the risk of each.

    Attributes
    ----------
    risk : Risk
        The mean of values and parts. `standard_error` is that of the mean over sketches; `how` is
        that of one sketch: nothing was sampled but S.
    risks : tuple of Risk
        One a sketch.
    seeds : tuple of int
        The `seed` of each.
    """

    risk: Risk
    risks: tuple[Risk, ...] = field(repr=False)
    seeds: tuple[int, ...]

    @property
    def values(self) -> Array:
        """The risk of each sketch, (K,)."""
        return np.array([each.value for each in self.risks])

    def interval(self, level: float = 0.9) -> tuple[float, float]:
        """The interval of the mean over sketches, by Student's t with K - 1 degrees of freedom.

        Parameters
        ----------
        level : float
            Coverage, 0.9 = 90%.

        Returns
        -------
        (float, float)
            Its ends.

        Raises
        ------
        ValueError
            The level is not between 0 and 1.
        """
        if finite("level", level, 0.0, above=True) >= 1:
            raise ValueError(f"level is {level!r}; accepted is above 0 and below 1")
        reach = student.ppf((1 + level) / 2, len(self.risks) - 1) * self.risk.standard_error
        return float(self.risk.value - reach), float(self.risk.value + reach)

    def minus(self, other: SketchRisk) -> Difference:
        """This risk less another over the same sketches, sketch by sketch.

        Parameters
        ----------
        other : SketchRisk
            Of the same seeds.

        Returns
        -------
        Difference
            Mean and standard error of the differences of pairs.

        Raises
        ------
        ValueError
            The seeds differ.
        """
        if self.seeds != other.seeds:
            raise ValueError(
                f"sketches of seeds {self.seeds} do not pair with those of {other.seeds}; give "
                "both the same seed and number"
            )
        return Difference(*_mean(self.values - other.values))

    def __str__(self) -> str:
        low, high = self.interval()
        first, last = self.seeds[0], self.seeds[-1]
        return (
            f"{self.risk}; the mean over {len(self.seeds)} sketches (seeds {first} to {last}), "
            f"90% interval over sketches {low:.6g} to {high:.6g}"
        )


def sketch_risk(
    problem: Regression,
    sgd: SGD,
    precision: Spelled = "fp",
    iterate: str = "average",
    inputs: Inputs = "clean",
    *,
    sketches: int = 8,
    scales: Scales = DEFAULT_SCALES,
) -> SketchRisk:
    """Expected excess risk over random sketches: the mean of the exact risks of several.

    Every sketch S has a seed of its own, problem.seed, problem.seed + 1, ...; the risk of each is
    exact for that S, so precisions of the same seeds are paired (`minus`).

    Parameters
    ----------
    problem : Regression
        With a sketch.
    sgd, precision, iterate, inputs, scales
        As in `excess_risk`; a step size such as '0.5 limit' is a share of each sketch's own limit.
    sketches : int
        How many, at least 2.

    Returns
    -------
    SketchRisk
        The mean with its standard error over sketches, and the risk of each.

    Raises
    ------
    ValueError
        Bad input, a problem without sketch, or a step size that is unstable for one of them.
    """
    problem, sgd = check_problem(problem), check_descent(sgd)
    count = whole("sketches", sketches, 2)
    if problem.sketch is None:
        raise ValueError("the problem has no sketch to draw several of; give sketch=M")
    seeds = tuple(range(problem.seed, problem.seed + count))
    risks = tuple(
        excess_risk(replace(problem, seed=each), sgd, precision, iterate, inputs, scales=scales)
        for each in seeds
    )
    value, error = _mean(np.array([each.value for each in risks]))
    closures = [each.how for each in risks if each.how != "exact"]
    size = float(np.mean([each.step_size for each in risks]))
    how = closures[0] if closures else "exact"
    return SketchRisk(Risk(value, error, how, _mean_parts(risks), inputs, size), risks, seeds)


def _mean(values: Array) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))


def _mean_parts(risks: tuple[Risk, ...]) -> Parts:
    """The mean of every part; one that is unknown stays unknown."""
    found = {}
    for each in fields(Parts):
        column = [getattr(risk.parts, each.name) for risk in risks]
        found[each.name] = None if None in column else float(np.mean(column))
    return Parts(**found)  # type: ignore[arg-type]
