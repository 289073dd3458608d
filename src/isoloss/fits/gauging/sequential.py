"""A test, at every step, of whether the mean of paired differences is above a bound.

Differences are averaged over blocks of rows, x_k their means less the bound times the square root
of their rows, and each is divided by a scale that the blocks before it give: z_k = x_k / s_k, cut
to a limit. Where x_k is symmetric around zero given the past, whatever its variance,

    E_b = prod_k exp(b z_k) / cosh(b z_k) = prod_k (1 + tanh(b z_k)),   b > 0,

is a martingale that begins at one, since tanh is odd, and a supermartingale where x_k is symmetric
around less, since tanh ascends. So is a mixture, and by Ville's inequality it ever reaches
1 / alarm with a chance of at most `alarm`, however often one looks. Mixed are values of b; the
blocks at which a product begins, those after the j-th with the weight log 2 / log(j + 2) in all, so
that what begins late is found; and blocks of two scales: pairs of rows find strong effects in the
fewest rows, since each block multiplies evidence by at most two, and longer blocks hold where rows
are skewed or correlated.
References: Ramdas, Ruf, Larsson, Koolen 2020, arXiv 2009.03167 (such martingales for symmetric
laws); de la Pena 1999, Ann. Probab. 27, and Efron 1969, J. Am. Stat. Assoc. 64 (their Gaussian
bound, exp(b z - b^2 z^2 / 2)); Howard et al. 2021, Ann. Stat. 49 (mixtures, time-uniform bounds);
Shin, Ramdas, Rinaldo, arXiv 2203.03532 (e-detectors: products from every begin).

Two things are not exact. Means of blocks are symmetric as far as the blocks are long. And noise of
rows may be correlated: the logarithm of each factor is divided by what correlation, as the rows
before show it, multiplies the variance of a sum of blocks by (`row_inflation`), to the power
CAUTION; of independent blocks that costs evidence and no validity. What wanders far slower than
blocks is a gap to the test, and belongs into the doubt of the bound. The tests and
`benchmarks/gauge.py` say how often it errs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from isoloss.laws import Array


@dataclass(frozen=True)
class Blocks:
    """Blocks of rows.

    Attributes
    ----------
    least
        Rows of the first blocks.
    share
        The share of the rows before it that a later one has.
    remembered
        Blocks whose root mean square is the scale of the next.
    limit
        A z beyond it is cut to it.
    """

    least: int
    share: float
    remembered: int
    limit: float


#: Blocks that trends and the least rows are told by.
LONG = Blocks(5, 0.05, 8, 2.0)
#: Blocks that are mixed.
SCALES = (Blocks(2, 0.005, 16, 3.0), LONG)
#: Values of b, equally weighted: the last find strong effects in the fewest blocks.
TILTS = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
#: Standard deviations at which differences of rows are cut; the median square of normal numbers.
FARTHEST, MEDIAN = 4.0, float(stats.chi2.median(1))
#: The largest correlation that evidence is corrected for; what is assumed before so many rows, and
#: by which share they grow until it is looked at again.
MOST_CORRELATED, UNKNOWN, LOOK, AGAIN = 0.97, 3.0, 8, 0.1
#: The power of the inflation that evidence is divided by: with 1, a correlation of 0.9 is alarmed
#: in 11% of 300 runs of 3000 rows at 5% (error 2%), with 1.5 in 4% (1%), as `benchmarks/gauge.py`
#: measures; rows without correlation pay nothing.
CAUTION = 1.5


def block_ends(rows: int, blocks: Blocks = LONG) -> NDArray[np.intp]:
    """Ends of the whole blocks among so many rows, ascending; more rows never move them."""
    ends = [0]
    while (end := ends[-1] + max(blocks.least, math.floor(blocks.share * ends[-1]))) <= rows:
        ends.append(end)
    return np.array(ends[1:], dtype=np.intp)


def block_means(values: Array, blocks: Blocks = LONG) -> Array:
    """Means over the whole blocks of rows, shape (blocks,)."""
    ends = block_ends(len(values), blocks)
    sums = np.concatenate([[0.0], np.cumsum(values)])[np.concatenate([[0], ends]).astype(int)]
    return np.asarray(np.diff(sums) / np.diff(ends, prepend=0))


def log_evidence(rows: Array, caution: float = CAUTION) -> Array:
    """The logarithm of the evidence after each row that the mean of rows is above zero.

    Parameters
    ----------
    rows
        Differences less the bound, shape (rows,).
    caution
        The power of the inflation by correlation that evidence is divided by.

    Returns
    -------
    Array
        Shape (rows,); what the last whole block has left.
    """
    parts = []
    for blocks in SCALES:
        ends, found = _of_blocks(rows, blocks, caution)
        last = np.searchsorted(ends, np.arange(1, len(rows) + 1), side="right")
        parts.append(np.concatenate([[0.0], found])[last])
    return np.asarray(np.logaddexp.reduce(parts, axis=0) - math.log(len(SCALES)))


def _of_blocks(
    rows: Array, blocks: Blocks, caution: float = CAUTION
) -> tuple[NDArray[np.intp], Array]:
    """Ends of blocks and the logarithm of the evidence after each; zero after the first, which
    gives a scale alone.
    """
    ends = block_ends(len(rows), blocks)
    found = np.zeros(len(ends))
    if len(ends) < 2:
        return ends, found
    z = scaled(block_means(rows, blocks) * np.sqrt(np.diff(ends, prepend=0)), blocks)
    tilted = 2 * TILTS[:, None] * z
    steps = math.log(2) - np.logaddexp(0.0, -tilted)  # log(1 + tanh) to all digits
    steps /= row_inflation(rows, ends) ** caution
    sums = np.cumsum(steps, axis=1)
    left = math.log(2) / np.log(np.arange(2.0, len(z) + 3))  # of the weight, before each begin
    # Weight over the product up to where it begins.
    begun = np.log(left[:-1] - left[1:]) - (sums - steps)
    grown = np.logaddexp.accumulate(begun, axis=1) + sums
    mean = np.logaddexp.reduce(grown, axis=0) - math.log(len(TILTS))
    # Products that are still to begin hold the rest of the weight at one.
    found[1:] = np.logaddexp(mean, np.log(left[1:]))
    return ends, found


def scaled(means: Array, blocks: Blocks = LONG) -> Array:
    """Block means but the first, each by the root mean square of those before it, cut."""
    squares = np.cumsum(np.concatenate([[0.0], means**2]))
    k = np.arange(1, len(means))
    first = np.maximum(0, k - blocks.remembered)
    scale = np.sqrt((squares[k] - squares[first]) / (k - first))
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(scale > 0, means[1:] / scale, np.sign(means[1:]))
    return np.clip(z, -blocks.limit, blocks.limit)


def row_inflation(rows: Array, ends: NDArray[np.intp]) -> Array:
    """What correlated rows multiply the variance of a sum of blocks by, for each block but the
    first as the rows before it show, shape (blocks - 1,).

    Means of b rows of AR(1) noise with correlation c have a share 1 - 2 c (1 - c^b) / (b (1 - c^2))
    of the variance that their sum has by all its correlations.
    """
    looks, correlated = _correlations(rows)
    at = np.searchsorted(looks, ends[:-1], side="right")
    c = np.concatenate([[0.0], correlated])[at]
    b = np.diff(ends)
    return np.where(at > 0, 1 / (1 - 2 * c * (1 - c**b) / (b * (1 - c**2))), UNKNOWN)


def _correlations(rows: Array) -> tuple[Array, Array]:
    """Counts of rows at which the correlation of neighbours is looked at, and what it is there.

    Squares of differences of neighbours are to those of next neighbours as 1 to 1 + c; each is cut
    at FARTHEST of its standard deviations, or one large jump of the mean would pass for
    correlation, and hide itself.
    """
    looks, found, count = [], [], LOOK
    apart = [(rows[lag:] - rows[:-lag]) ** 2 for lag in (1, 2)]
    while count <= len(rows):
        near, after = (_cut_mean(a[: count - lag]) for lag, a in zip((1, 2), apart, strict=True))
        c = after / near - 1 if near > 0 else 0.0
        looks.append(count)
        found.append(min(MOST_CORRELATED, max(0.0, c + (1 + 4 * c) / count)))
        count = max(count + LOOK // 2, math.floor((1 + AGAIN) * count))
    return np.array(looks), np.array(found)


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


def found_at(rows: Array, alarm: float, caution: float = CAUTION) -> int | None:
    """The first row after which the evidence reaches 1 / alarm; None where it has not."""
    over = log_evidence(rows, caution) >= -math.log(alarm)
    return int(over.argmax()) if over.any() else None


def smallest_found(rows: Array, alarm: float, begin: int = 0) -> float:
    """The constant excess over the bound from some row on that noise like this would have had found
    by now, in the unit of the rows; NaN where nothing would have been, and where these rows are
    found already with their mean taken off, so that they are no noise alone.
    """
    if len(block_ends(len(rows))) < 3:
        return math.nan
    noise = rows - rows.mean()
    spread = float(np.abs(noise).max())
    late = np.arange(len(rows)) >= begin

    def evidence(excess: float) -> float:
        return float(log_evidence(noise + excess * late).max()) + math.log(alarm)

    if spread == 0 or evidence(20 * spread) < 0 or evidence(0.0) >= 0:
        return math.nan
    return float(optimize.brentq(evidence, 0.0, 20 * spread, rtol=1e-3))
