"""A test, at every step, of whether the mean of paired differences is above a bound.

Differences are averaged over blocks of steps, x_k their means less the bound, and each is divided
by a scale that the blocks before it give: z_k = x_k / s_k, cut to a limit. Where x_k is symmetric
around zero given the past, whatever its variance,

    E_b = prod_k exp(b z_k) / cosh(b z_k) = prod_k (1 + tanh(b z_k)),   b > 0,

is a martingale that begins at one, since tanh is odd, and a supermartingale where x_k is symmetric
around less, since tanh ascends. So is a mixture over b, and by Ville's inequality it ever reaches
1 / alarm with a chance of at most `alarm`, however often one looks. Products that begin at later
and later blocks are mixed with weights 1/2, 1/6, 1/12, ..., 1 / (j (j + 1)), which keeps the bound
and finds what begins late.
References: Ramdas, Ruf, Larsson, Koolen 2020, arXiv 2009.03167 (such martingales for symmetric
laws); de la Pena 1999, Ann. Probab. 27, and Efron 1969, J. Am. Stat. Assoc. 64 (their Gaussian
bound, exp(b z - b^2 z^2 / 2)); Howard et al. 2021, Ann. Stat. 49 (mixtures, time-uniform bounds).

What begins late has few blocks behind it, each of at most log 2: a jump at half of the rows is
found near their end or not within them, however large it is; one at 30% at 55 to 78%.

Two things are not exact. Means of blocks are symmetric as far as the blocks are long. And noise of
rows may be correlated: log E_b is divided by what that multiplies the variance of a sum of blocks
by (`row_inflation`). What wanders far slower than blocks is a gap to the test, and belongs into
the doubt of the bound. The tests and `benchmarks/gauge.py` say how often it errs.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats
from scipy.special import logsumexp

from isoloss.laws import Array

#: Rows of the first blocks, and the share of the rows before it that a later one has.
LEAST_ROWS, SHARE = 5, 0.05
#: Blocks whose root mean square is the scale of the next; a z beyond the limit is cut to it.
REMEMBERED, LIMIT = 8, 2.0
#: Values of b, equally weighted: the last find strong effects in the fewest blocks.
TILTS = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
#: Standard deviations at which differences of rows are cut; the median square of normal numbers.
FARTHEST, MEDIAN = 4.0, float(stats.chi2.median(1))
#: The largest correlation that V is corrected for.
MOST_CORRELATED = 0.9


def block_ends(rows: int) -> NDArray[np.intp]:
    """Ends of the whole blocks among so many rows, ascending; more rows never move them."""
    ends = [0]
    while (end := ends[-1] + max(LEAST_ROWS, math.floor(SHARE * ends[-1]))) <= rows:
        ends.append(end)
    return np.array(ends[1:], dtype=np.intp)


def block_means(values: Array) -> Array:
    """Means over the whole blocks of rows, shape (blocks,)."""
    ends = block_ends(len(values))
    begins = np.concatenate([[0], ends]).astype(int)[: len(ends)]
    return np.array([values[a:b].mean() for a, b in zip(begins, ends, strict=True)])


def log_evidence(rows: Array) -> Array:
    """The logarithm of the evidence after each block that the mean of rows is above zero.

    Parameters
    ----------
    rows
        Differences less the bound, shape (rows,).

    Returns
    -------
    Array
        Shape (blocks,); zero after the first block, which gives a scale alone.
    """
    means = block_means(rows)
    found = np.zeros(len(means))
    if len(means) < 2:
        return found
    z = scaled(means)
    tilted = 2 * TILTS[:, None] * z
    steps = math.log(2) - np.logaddexp(0.0, -tilted)  # log(1 + tanh) to all digits
    widened = row_inflation(rows)
    whole, start, begun = np.full(len(z), -math.inf), 0, 0
    while start < len(z):
        sums = np.cumsum(steps[:, start:], axis=1) / widened[start:]
        since = np.zeros(len(z))
        since[start:] = logsumexp(sums, axis=0) - math.log(len(TILTS))
        whole = np.logaddexp(whole, since - math.log((begun + 1) * (begun + 2)))
        start, begun = max(start + 1, 3 * start // 2), begun + 1
    # Starts that are still to come hold the rest of the weight at one.
    found[1:] = np.logaddexp(whole, -math.log(begun + 1))
    return found


def scaled(means: Array) -> Array:
    """Block means but the first, each by the root mean square of those before it, cut at LIMIT."""
    squares = np.cumsum(np.concatenate([[0.0], means**2]))
    k = np.arange(1, len(means))
    first = np.maximum(0, k - REMEMBERED)
    scale = np.sqrt((squares[k] - squares[first]) / (k - first))
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(scale > 0, means[1:] / scale, np.sign(means[1:]))
    return np.clip(z, -LIMIT, LIMIT)


def row_inflation(rows: Array) -> Array:
    """What correlated blocks multiply the variance of their sum by, after each block but the first,
    shape (blocks - 1,).

    Of an AR(1) noise of rows with correlation c, squares of differences of neighbours are to those
    of next neighbours as 1 to 1 + c; each is cut at FARTHEST of its standard deviations, or one
    large jump of the mean would pass for correlation, and hide itself. Means of b rows of it then
    have a share 1 - 2 c (1 - c^b) / (b (1 - c^2)) of the variance that their sum has by all its
    correlations.
    """
    ends = block_ends(len(rows))
    count = ends[1:]
    near, after = (
        np.array([_cut_mean(apart[: n - lag]) for n in count])
        for lag, apart in ((lag, (rows[lag:] - rows[:-lag]) ** 2) for lag in (1, 2))
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        c = np.where(near > 0, after / near - 1, 0.0)
    c = np.clip(c + (1 + 4 * c) / count, 0.0, MOST_CORRELATED)
    b = count / np.arange(2, len(ends) + 1)
    return np.asarray(1 / (1 - 2 * c * (1 - c**b) / (b * (1 - c**2))))


def _cut_mean(squares: Array) -> float:
    """The mean of squares of normal numbers, none counted for more than FARTHEST deviations."""
    most = FARTHEST**2 * float(np.median(squares)) / MEDIAN
    return float(np.minimum(squares, most).mean())


def inflation(means: Array) -> float:
    """The same of a few means, by their correlation at lag one with its bias (Kendall 1954) taken
    off, for intervals of one look.
    """
    n = len(means)
    rest = means - means.mean()
    total = float(rest @ rest)
    c = float(rest[1:] @ rest[:-1]) / total if total > 0 else 0.0
    c = min(MOST_CORRELATED, max(0.0, c + (1 + 4 * c) / n))
    return (1 + c) / (1 - c)


def found_at(rows: Array, alarm: float) -> int | None:
    """The first block after which the evidence reaches 1 / alarm; None where it has not."""
    over = log_evidence(rows) >= -math.log(alarm)
    return int(over.argmax()) if over.any() else None


def smallest_found(rows: Array, alarm: float) -> float:
    """The constant excess over the bound that noise like this would have had found by now, in the
    unit of the rows; NaN where nothing would have been, and where these rows are found already with
    their mean taken off, so that they are no noise alone.
    """
    if len(block_ends(len(rows))) < 3:
        return math.nan
    noise = rows - rows.mean()
    spread = float(np.abs(noise).max())

    def evidence(excess: float) -> float:
        return float(log_evidence(noise + excess).max()) + math.log(alarm)

    if spread == 0 or evidence(20 * spread) < 0 or evidence(0.0) >= 0:
        return math.nan
    return float(optimize.brentq(evidence, 0.0, 20 * spread))
