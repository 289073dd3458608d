"""How far a law lies off ways of rounding that it was not fitted to: each left out once.

A law of gaps is asked about formats that nobody has run. Residuals of its runs do not say how far
it lies off those, replicates of the same formats neither; refits without each format do. The gap of
a format that was never run is drawn as

    gap(constants drawn) * exp(-r) * exp(s z max(0, distance)),

r the log residual of a run of a format that was left out, all formats alike, z normal, and the
distance that of the log of its rounding error beyond those of the runs, over which left-out formats
at the ends lay off by s a unit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isoloss.fits.sections import Section, number
from isoloss.formats import relative_error
from isoloss.laws import Array, Inputs, Law, seen_parts


@dataclass(frozen=True)
class LeftOut:
    """What a law says of each way of rounding when it was fitted without it.

    Attributes
    ----------
    names
        The ways, each left out once.
    constants
        The free constants of each refit in the solver's coordinates, shape (ways, p).
    way
        Which of `names` each run has, shape (n,).
    residual
        Log predicted less log observed gap of each run by the refit without its way, shape (n,).
    log_error
        Log of the rounding error of each way, shape (ways,).
    cell
        What each run shares with runs of other ways, n texts.
    """

    names: tuple[str, ...]
    constants: Array
    way: NDArray[np.intp]
    residual: Array
    log_error: Array
    cell: tuple[str, ...]

    @property
    def medians(self) -> Array:
        """The median residual of each way, shape (ways,)."""
        return np.array([np.median(self.residual[self.way == k]) for k in range(len(self.names))])

    @property
    def slope(self) -> float:
        """How far the ways at either end lay off, over the distance of their error from those of
        the others: the larger of the two, per unit of log error; NaN with fewer than three errors.
        """
        errors = np.unique(self.log_error)
        if len(errors) < 3:
            return math.nan
        missed = np.abs(self.medians)
        ends = ((errors[0], errors[1]), (errors[-1], errors[-2]))
        return max(
            float(missed[self.log_error == end].max() / abs(end - inner)) for end, inner in ends
        )

    def beyond(self, law: Law, x: Inputs) -> Array:
        """How far the log rounding error of points lies beyond those of the runs, shape (n,)."""
        asked = log_errors(law, x)
        low, high = self.log_error.min(), self.log_error.max()
        return np.asarray(np.nan_to_num(np.maximum(0.0, np.maximum(low - asked, asked - high))))

    def spread(self, draws: Array, law: Law, x: Inputs, seed: int) -> Array:
        """Draws (S, n) of gaps of ways that were never run, from those of the law's mean.

        Points share what is drawn, so that each has one interval, whatever is asked beside it.
        """
        count, rng = len(draws), np.random.default_rng([seed, 3])
        rows = [np.flatnonzero(self.way == k) for k in range(len(self.names))]
        drawn = [rng.choice(rows[k]) for k in rng.integers(len(rows), size=count)]
        away = self.beyond(law, x)
        # Where the slope is unknown nothing holds what lies beyond: those draws are NaN.
        far = np.where(away > 0, self.slope * away, 0.0) * rng.standard_normal((count, 1))
        return np.asarray(draws * np.exp(far - self.residual[drawn][:, None]))

    def without_cells(self) -> LeftOut:
        """The same without what runs of one cell share, for a fit that holds its own level."""
        _, index = np.unique(np.array(self.cell), return_inverse=True)
        mean = np.bincount(index, self.residual) / np.bincount(index)
        return replace(self, residual=self.residual - mean[index])

    def variances(self) -> tuple[float, float]:
        """Variance of residuals that runs of one cell share, and of what each has to itself."""
        _, index = np.unique(np.array(self.cell), return_inverse=True)
        count = np.bincount(index)
        mean = np.bincount(index, self.residual) / count
        freedom = max(1, len(index) - len(count))
        within = float(np.sum((self.residual - mean[index]) ** 2)) / freedom
        shared = float(mean.var(ddof=1)) - within * float(np.mean(1.0 / count))
        return max(0.0, shared), within

    def sections(self, most: int = 30) -> Iterator[Section]:
        """The ways and how far each lay off, as a section of a report."""
        order = np.argsort(-self.log_error)[:most]
        rows = tuple((self.names[k], *_row(self.residual[self.way == k])) for k in order)
        head = ("left out", "runs", "predicted / observed", "10%", "90%")
        lines = (
            "each refitted without, largest rounding error first; intervals rest on these",
            f"beyond the errors of the runs the law may lie off by {100 * self.slope:.0f}% a "
            "factor of e in error",
        )
        yield Section("Ways of rounding left out once", lines, head, rows)


def _row(residual: Array) -> tuple[str, str, str, str]:
    low, middle, high = np.exp(np.quantile(residual, [0.1, 0.5, 0.9]))
    return str(len(residual)), number(middle, 3), number(low, 3), number(high, 3)


def log_errors(law: Law, x: Inputs) -> Array:
    """Log of the relative error of the coarsest format of each point that a law sees, shape (n,);
    NaN where nothing is rounded.
    """
    kept: Sequence[float] = x.levels.keep(("coarsest", law.name), lambda: _of_levels(law, x))
    return np.array(kept)[x.level]


def _of_levels(law: Law, x: Inputs) -> list[float]:
    scopes = seen_parts(law)
    found = []
    for level in x.levels.items:
        precision = level.precision
        known = [
            precision.serve.get(scope[3:]) if scope.startswith("-> ") else precision.format(scope)
            for scope in scopes
        ]
        errors = [relative_error(f) for f in known if f is not None and not f.is_wide]
        found.append(math.log(max(errors)) if errors and max(errors) > 0 else math.nan)
    return found
