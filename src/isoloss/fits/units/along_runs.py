"""Evaluations along one run that no column declares, found by residuals that go together.

A line holds the rows that agree in all but tokens and loss. Where its rows are separate runs, their
residuals are unrelated but for what the fit takes from all of them; along one run they share its
seed, data and schedule. Two tests look for it: neighbours in tokens follow one another (the sum of
their products over the sum of squares, with its moments under independence from the fit's own
projection), and lines have an effect of their own (analysis of variance). Smooth curves are taken
out of both, so that a wrong law alone is not called a run.

Reference: Durbin and Watson 1950, Biometrika 37 (moments of such a ratio).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from isoloss.files import equal_by_fields
from isoloss.fits.sample import Sample
from isoloss.fits.solve import Optimum
from isoloss.laws import Array

#: Columns in which evaluations of one run agree, beside params, precision and group of constants.
ALONG = ("source", "seed", "lr_peak", "schedule", "optimizer", "batch_tokens", "method")
#: Least correlation, and p-value, at which rows of a line are said to share a run.
LEAST, CHANCE = 0.2, 1e-3
#: The p-value for lines of evenly spaced tokens, which few have but evaluations of one run.
CHANCE_EVEN = 0.01
#: Fewest evenly spaced rows of a line whose losses all fall that look like one run's, the share of
#: lines that must look so, and the fewest points a line on average for any of this.
EVEN, MOST_LINES, ROWS = 6, 0.8, 3
#: Most lines whose effects are tested; of more, neighbours tell.
MANY = 300
#: Difference of logs below which two tokens per param, or computes, are one.
CLOSE = 0.05
#: A relative residual below which a table is exact: there is nothing to correlate.
EXACT = 1e-6
#: Names of columns that often name the run a row belongs to.
NAMES_OF_RUNS = ("run", "run_id", "run_name", "name", "id", "model", "trial", "experiment")


@equal_by_fields
@dataclass(frozen=True)
class Tested:
    """A correlation of residuals, and the chance of one as large among independent runs."""

    correlation: float = float("nan")
    p_value: float = float("nan")

    def beyond(self, chance: float) -> bool:
        """Whether it is large, and not by chance."""
        return self.correlation > LEAST and self.p_value < chance


@dataclass(frozen=True)
class Lines:
    """Rows that agree in all but tokens and loss.

    Attributes
    ----------
    index
        The line of every row, shape (n,).
    neighbours
        Of residuals of rows next to each other in tokens, beyond what independent runs have.
    within
        Of residuals of any two rows of a line.
    even
        Whether most lines are evenly spaced in tokens and fall from row to row, as evaluations
        along one run do.
    named
        The further column whose values are the lines, if there is one that may name runs.
    planned
        Whether rows stand at few tokens per param, or few computes, that sizes share: each such
        length is chosen for its size, as of a run of its own. Evaluations share tokens.
    """

    index: NDArray[np.intp]
    neighbours: Tested
    within: Tested
    even: bool
    named: str | None
    planned: bool = False

    @property
    def count(self) -> int:
        """How many lines there are."""
        return int(self.index.max()) + 1

    @property
    def shared(self) -> bool:
        """Whether rows of a line look like those of one run."""
        if self.even and self.named is not None:
            return True
        chance = CHANCE_EVEN if self.even else CHANCE
        # Neighbours of planned runs go together where the law misses what tokens do.
        told = self.neighbours.beyond(chance) and (self.even or not self.planned)
        return told or self.within.beyond(chance)


def lines_of(sample: Sample, optimum: Optimum) -> Lines | None:
    """The lines of a sample with what its residuals say of them; None where they are too short."""
    rows = _lines(sample)
    # Repeats of one cell share its own effect: their mean is one point of a line.
    point = _unique(np.column_stack([rows, sample.cells]))
    first = np.unique(point, return_index=True)[1]
    index, tokens = rows[first], sample.x.tokens[first]
    pairs = _neighbours(tokens, index)
    if len(pairs) < 6 or len(index) < ROWS * (int(index.max()) + 1):
        return None
    residual = optimum.problem.residuals(optimum.theta[None, :])[0]
    columns = _mean(np.column_stack([residual, _taken(sample, optimum)]), point)
    left, basis = _left(columns[:, 0], columns[:, 1:])
    even, named = _even(tokens, sample.loss[first], index), _names_the_lines(sample, rows)
    # In exact tables, and far below the scatter within cells, there is nothing to be shared.
    least = max(EXACT, 0.1 * float(np.median(np.abs(residual - columns[point, 0]))))
    if float(np.sqrt(np.mean(left**2))) <= least or len(left) - basis.shape[1] < 6:
        return Lines(rows, Tested(), Tested(), even, named)
    tests = _following(left, pairs, basis), _effects(left, index, basis)
    return Lines(rows, *tests, even, named, _planned(sample.x.params[first], tokens))


def _planned(params: Array, tokens: Array) -> bool:
    """Whether tokens per param, or computes, take at most half as many values as tokens do."""
    own, ratio, compute = (
        len(np.unique(np.round(np.log(v) / CLOSE)))
        for v in (tokens, tokens / params, tokens * params)
    )
    return min(ratio, compute) <= 0.5 * own


def _left(residual: Array, columns: Array) -> tuple[Array, Array]:
    """Residuals less what columns explain, and the orthonormal basis of these.

    Large ones are drawn in: one odd row must not speak for its neighbours.
    """
    scale = float(np.median(np.abs(residual))) * 1.4826
    basis = _orthonormal(columns, 1e-8)
    left = np.clip(residual, -3 * scale, 3 * scale)
    return left - basis @ (basis.T @ left), basis


def _mean(columns: Array, point: NDArray[np.intp]) -> Array:
    """Means of rows that are one point, shape (points, k)."""
    counts = np.bincount(point)
    return np.column_stack([np.bincount(point, column) / counts for column in columns.T])


def _unique(columns: Array) -> NDArray[np.intp]:
    """The index of every row among the different rows."""
    return np.asarray(np.unique(columns, axis=0, return_inverse=True)[1]).ravel().astype(np.intp)


def _names_the_lines(sample: Sample, index: NDArray[np.intp]) -> str | None:
    lines = int(index.max()) + 1
    for name in sample.runs.columns:
        if name.lower().rsplit(".", 1)[-1] in NAMES_OF_RUNS:
            values = np.unique([str(v) for v in sample.runs[name]], return_inverse=True)[1]
            pairs = np.unique(np.column_stack([values, index]), axis=0)
            if len(pairs) == lines == values.max() + 1:
                return name
    return None


def _lines(sample: Sample) -> NDArray[np.intp]:
    columns = [sample.x.params, sample.x.level]
    columns += [sample.x.group] if len(sample.x.group) else []
    for name in ALONG:
        if name in sample.runs.columns:
            columns.append(np.unique([str(v) for v in sample.runs[name]], return_inverse=True)[1])
    return _unique(np.column_stack(columns))


def _neighbours(tokens: Array, index: NDArray[np.intp]) -> NDArray[np.intp]:
    """Points that follow one another on a line; repeats at equal tokens are no neighbours."""
    order = np.lexsort((tokens, index))
    one, two = order[:-1], order[1:]
    near = (index[one] == index[two]) & (tokens[two] > tokens[one] * (1 + 1e-9))
    return np.column_stack([one[near], two[near]])


def _taken(sample: Sample, optimum: Optimum) -> Array:
    """What the fit takes from residuals, and smooth curves, as columns."""
    n, d = sample.x.log_params, sample.x.log_tokens
    n, d = (v - v.mean() for v in (n, d))
    jacobian = optimum.problem.jacobian(optimum.theta)
    curves = [n * n, n * d, d * d, n * n * d, n * d * d, d**3]
    return np.column_stack([np.ones(len(n)), jacobian, *curves])


def _orthonormal(columns: Array, least: float) -> Array:
    """Orthonormal basis of the span of columns, but for directions below a share of the largest."""
    length = np.linalg.norm(columns, axis=0)
    columns = columns[:, length > 0] / length[length > 0]
    basis, size, _ = np.linalg.svd(columns, full_matrices=False)
    return np.asarray(basis[:, size > least * size.max(initial=0.0)])


def _following(left: Array, pairs: NDArray[np.intp], basis: Array) -> Tested:
    """Correlation of neighbours beyond its mean under independence."""
    free = len(left) - basis.shape[1]
    one, two = pairs[:, 0], pairs[:, 1]
    found = float(left[one] @ left[two]) / float(left @ left)
    # A is half at every pair of neighbours; moments of r'Ar / r'r for r = M e, M = I - U U'.
    moved = np.zeros_like(basis)
    np.add.at(moved, one, 0.5 * basis[two])
    np.add.at(moved, two, 0.5 * basis[one])
    inner = basis.T @ moved
    mean = -float(np.trace(inner)) / free
    squares = 0.5 * len(pairs) - 2 * float(np.sum(moved**2)) + float(np.sum(inner**2))
    variance = 2 * (squares - free * mean**2) / (free * (free + 2))
    z = (found - mean) / np.sqrt(max(variance, 1e-300))
    correlation = (found - mean) * len(left) / len(pairs)
    return Tested(float(np.clip(correlation, -1, 1)), float(stats.norm.sf(z)))


def _effects(left: Array, index: NDArray[np.intp], basis: Array) -> Tested:
    """Correlation within lines, from what their means explain beyond the fit and smooth curves."""
    count = int(index.max()) + 1
    if count > MANY:
        return Tested()
    lines = np.eye(count)[index]
    own = lines - basis @ (basis.T @ lines)
    own = _orthonormal(own, 1e-6) if (np.linalg.norm(own, axis=0) > 1e-6).any() else own[:, :0]
    rank, free = own.shape[1], len(left) - basis.shape[1] - own.shape[1]
    if rank < 1 or free < 6:
        return Tested()
    explained = float(np.sum((own.T @ left) ** 2))
    rest = max(float(left @ left) - explained, 1e-300)
    ratio = (explained / rank) / (rest / free)
    each = len(left) / count
    return Tested((ratio - 1) / (ratio - 1 + each), float(stats.f.sf(ratio, rank, free)))


def _even(tokens: Array, loss: Array, index: NDArray[np.intp]) -> bool:
    """Whether most lines have evenly spaced tokens, many of them, on which the loss falls."""
    order = np.lexsort((tokens, index))
    ends = np.cumsum(np.bincount(index))[:-1]
    lines = zip(np.split(tokens[order], ends), np.split(loss[order], ends), strict=True)
    return float(np.mean([_one_run(t, y) for t, y in lines])) >= MOST_LINES


def _one_run(tokens: Array, loss: Array) -> bool:
    steps = np.diff(tokens)
    if len(tokens) < EVEN or steps.min() <= 0:
        return False
    return bool(np.ptp(steps) <= 0.02 * steps.mean() and np.mean(np.diff(loss) < 0) >= 0.9)
