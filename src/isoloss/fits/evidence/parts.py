"""The parts of a fit's evidence: what was fitted, how far predictions lie off, what was unseen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from isoloss.files import displayed
from isoloss.fits.doubt import Prediction
from isoloss.laws import Array, Mask


@dataclass(frozen=True)
class Facts:
    """What was fitted, so that a result can be traced to its table.

    Attributes
    ----------
    runs
        Usable runs, held-out ones included.
    excluded
        How many runs were left out, by reason.
    hash
        The hash of the table.
    sources
        Values of the column ``source``.
    seed
        The seed of starts, bootstrap replicates and random hold-outs.
    version
        The version of isoloss.
    """

    runs: int
    excluded: Mapping[str, int]
    hash: str
    sources: tuple[str, ...]
    seed: int
    version: str


@displayed
@dataclass(frozen=True)
class Points:
    """Observed and predicted losses of the runs.

    Attributes
    ----------
    params, tokens
        Shape (n,).
    precision
        The spelling of each run, n texts.
    observed, predicted
        Losses in the metric of the runs, shape (n,).
    held_out
        Which runs were predicted but not fitted, shape (n,).
    """

    params: Array
    tokens: Array
    precision: tuple[str, ...]
    observed: Array
    predicted: Array
    held_out: Mask

    @property
    def residual(self) -> Array:
        """Log predicted less log observed loss, shape (n,)."""
        return np.asarray(np.log(self.predicted / self.observed))

    def of_fitted(self, in_order: bool) -> tuple[Array, Array]:
        """Residuals of the fitted runs and their params; `in_order`: by residual, so that draws do
        not depend on the order of the rows, which files of before did.
        """
        rows = np.flatnonzero(~self.held_out)
        rows = rows[np.argsort(self.residual[rows])] if in_order else rows
        return self.residual[rows], self.params[rows]

    @property
    def mean_residuals(self) -> dict[str, float]:
        """The mean log residual of every precision, in the order of the runs."""
        names = np.array(self.precision)
        return {
            str(name): float(self.residual[names == name].mean())
            for name in dict.fromkeys(self.precision)
        }

    @property
    def fitted_precisions(self) -> set[str]:
        """The precisions of the runs that were fitted."""
        pairs = zip(self.precision, self.held_out, strict=True)
        return {precision for precision, held in pairs if not held}


@dataclass(frozen=True)
class Errors:
    """How far predictions lie from losses.

    Attributes
    ----------
    rows
        Number of runs.
    log_rmse
        Root mean square of log residuals.
    log_bias
        Mean of log residuals, predicted less observed.
    r2
        Share of the variance of the loss that is explained; NaN where the loss does not vary.
    covered
        Share of runs inside their intervals, None where there are no intervals.
    """

    rows: int
    log_rmse: float
    log_bias: float
    r2: float
    covered: float | None = None


@dataclass(frozen=True)
class HeldOut:
    """What a hold-out showed. The law was fitted without these rows; nothing else has seen them.

    Attributes
    ----------
    rule
        The hold-out rule, as it was spelled.
    errors
        Errors of the held-out runs.
    prediction
        The prediction of each held-out run, with its interval.
    observed
        Their losses in their metric, shape (rows,).
    mean, variance
        Of the log loss of each as predicted, the law's constants and one run's scatter in doubt;
        None where only the interval is known.
    """

    rule: str
    errors: Errors
    prediction: Prediction
    observed: Array
    mean: Array | None = None
    variance: Array | None = None


@dataclass(frozen=True)
class Sensitivity:
    """The same law and runs under another objective.

    Attributes
    ----------
    objective
        The other objective, in words.
    values
        Its constants by name.
    exponent
        Its compute-optimal exponent of params.
    """

    objective: str
    values: Mapping[str, float]
    exponent: float


def errors_of(observed: Array, predicted: Array, covered: float | None = None) -> Errors:
    """The errors of predictions, both of shape (n,)."""
    r = np.log(predicted / observed)
    spread = float(np.sum((observed - observed.mean()) ** 2))
    r2 = 1.0 - float(np.sum((observed - predicted) ** 2)) / spread if spread > 0 else float("nan")
    return Errors(len(r), float(np.sqrt(np.mean(r**2))), float(r.mean()), r2, covered)
