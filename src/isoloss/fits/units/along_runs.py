"""Evaluations along one run that no column declares, found by residuals that follow one another.

A line holds the rows that agree in all but tokens and loss. Where its rows are separate runs, the
residuals of neighbours in tokens are unrelated but for what the fit takes from all of them; along
one run they share its seed, data and schedule. The statistic is the sum of products of neighbours
over the sum of squares, with its moments under independence from the fit's own projection, from
which smooth curves in tokens are taken out too, so that a wrong law alone is not called a run.

Reference: Durbin and Watson 1950, Biometrika 37 (moments of such a ratio).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from isoloss.fits.sample import Sample
from isoloss.fits.solve import Optimum
from isoloss.laws import Array

#: Columns in which evaluations of one run agree, beside params, precision and group of constants.
ALONG = ("source", "seed", "lr_peak", "schedule", "optimizer", "batch_tokens", "method")
#: Least correlation, and p-value, at which neighbours are said to share a run.
LEAST, CHANCE = 0.3, 1e-3
#: Fewest evenly spaced evaluations of a line whose losses all fall that look like one run's.
EVEN = 6
#: Share of lines that must look so.
MOST_LINES = 0.8
#: Names of columns that often name the run a row belongs to.
NAMES_OF_RUNS = ("run", "run_id", "run_name", "name", "id", "model", "trial", "experiment")


@dataclass(frozen=True)
class Lines:
    """Rows that agree in all but tokens and loss.

    Attributes
    ----------
    index
        The line of every row, shape (n,).
    neighbours
        Pairs of rows next to each other in tokens on one line, shape (pairs, 2).
    correlation
        Of their residuals, beyond what is expected of independent runs.
    p_value
        Chance of such a correlation among independent runs.
    even
        Whether most lines are evenly spaced in tokens and fall from row to row, as evaluations
        along one run do.
    """

    index: NDArray[np.intp]
    neighbours: NDArray[np.intp]
    correlation: float
    p_value: float
    even: bool

    @property
    def shared(self) -> bool:
        """Whether rows of a line look like those of one run."""
        return self.even or (self.correlation > LEAST and self.p_value < CHANCE)


def lines_of(sample: Sample, optimum: Optimum) -> Lines | None:
    """The lines of a sample with what its residuals say of them; None without neighbours."""
    index = _lines(sample)
    pairs = _neighbours(sample, index)
    if len(pairs) < 6:
        return None
    # Large residuals are drawn in: one odd row must not speak for its neighbours.
    residual = optimum.problem.residuals(optimum.theta[None, :])[0]
    scale = float(np.median(np.abs(residual))) * 1.4826
    residual = np.clip(residual, -3 * scale, 3 * scale)
    correlation, p_value = _following(residual, pairs, _taken(sample, optimum))
    return Lines(index, pairs, correlation, p_value, _even(sample, index))


def names_the_lines(sample: Sample, index: NDArray[np.intp]) -> str | None:
    """The further column whose values are the lines, if there is one that may name runs."""
    for name in sample.runs.columns:
        if name.lower().rsplit(".", 1)[-1] in NAMES_OF_RUNS:
            values = np.unique([str(v) for v in sample.runs[name]], return_inverse=True)[1]
            if (
                len(np.unique(np.column_stack([values, index]), axis=0))
                == index.max() + 1
                == (values.max() + 1)
            ):
                return name
    return None


def _lines(sample: Sample) -> NDArray[np.intp]:
    columns = [sample.x.params, sample.x.level]
    columns += [sample.x.group] if len(sample.x.group) else []
    for name in ALONG:
        if name in sample.runs.columns:
            columns.append(np.unique([str(v) for v in sample.runs[name]], return_inverse=True)[1])
    found = np.unique(np.column_stack(columns), axis=0, return_inverse=True)[1]
    return np.asarray(found).ravel().astype(np.intp)


def _neighbours(sample: Sample, index: NDArray[np.intp]) -> NDArray[np.intp]:
    """Rows that follow one another on a line; repeats at equal tokens are no neighbours."""
    order = np.lexsort((sample.x.tokens, index))
    one, two = order[:-1], order[1:]
    near = (index[one] == index[two]) & (sample.x.tokens[two] > sample.x.tokens[one] * (1 + 1e-9))
    return np.column_stack([one[near], two[near]])


def _taken(sample: Sample, optimum: Optimum) -> Array:
    """Orthonormal basis of what the fit takes from residuals, and of smooth curves in tokens."""
    n, d = sample.x.log_params, sample.x.log_tokens
    n, d = (v - v.mean() for v in (n, d))
    jacobian = optimum.problem.jacobian(optimum.theta)
    columns = np.column_stack([np.ones(len(n)), jacobian, n * d, d * d, n * n * d, n * d * d, d**3])
    length = np.linalg.norm(columns, axis=0)
    basis, size, _ = np.linalg.svd(columns / np.maximum(length, 1e-300), full_matrices=False)
    return np.asarray(basis[:, size > 1e-8 * size.max()])


def _following(residual: Array, pairs: NDArray[np.intp], basis: Array) -> tuple[float, float]:
    """Correlation of neighbours beyond its mean under independence, and its p-value."""
    left = residual - basis @ (basis.T @ residual)
    total = float(left @ left)
    free = len(left) - basis.shape[1]
    if free < 6 or total <= (1e-9 * np.sqrt(len(left))) ** 2:
        return float("nan"), float("nan")
    one, two = pairs[:, 0], pairs[:, 1]
    found = float(left[one] @ left[two]) / total
    # A is half at every pair of neighbours; moments of r'Ar / r'r for r = M e, M = I - U U'.
    moved = np.zeros_like(basis)
    np.add.at(moved, one, 0.5 * basis[two])
    np.add.at(moved, two, 0.5 * basis[one])
    inner = basis.T @ moved
    mean = -float(np.trace(inner)) / free
    squares = 0.5 * len(pairs) - 2 * float(np.sum(moved**2)) + float(np.sum(inner**2))
    variance = 2 * (squares - free * mean**2) / (free * (free + 2))
    per_pair = len(left) / len(pairs)
    z = (found - mean) / np.sqrt(max(variance, 1e-300))
    return float(np.clip((found - mean) * per_pair, -1, 1)), float(stats.norm.sf(z))


def _even(sample: Sample, index: NDArray[np.intp]) -> bool:
    """Whether most lines have evenly spaced tokens, many of them, on which the loss falls."""
    looks = []
    for k in range(int(index.max()) + 1):
        rows = np.flatnonzero(index == k)
        rows = rows[np.argsort(sample.x.tokens[rows])]
        steps = np.diff(sample.x.tokens[rows])
        looks.append(
            len(rows) >= EVEN
            and float(np.ptp(steps)) <= 0.02 * float(steps.mean())
            and float(np.mean(np.diff(sample.loss[rows]) < 0)) >= 0.9
        )
    return float(np.mean(looks)) >= MOST_LINES
