"""The covariance of correlated normal numbers after rounding, exact: a series of Hermite
polynomials (Mehler).

For z, z' standard normal with correlation r, E Q(z) Q'(z') = sum over k of c_k c'_k r^k, with c_k =
E Q(z) h_k(z) and h_k the normalised Hermite polynomials. Nearest rounding is a staircase: c_k = sum
over its jumps J at t of J phi(t) h_{k-1}(t) / sqrt k. Stochastic rounding is x itself in the mean,
flat beyond the largest number m: c_1 = P(|z| < m), and c_k = -2 phi(m) h_{k-2}(m) / sqrt(k (k - 1))
for odd k > 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import count

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from isoloss.formats import Format
from isoloss.linear.moments.feature_moments import data_moments, noise_levels
from isoloss.linear.quantisers import is_listed, levels_of

Array = NDArray[np.float64]
#: Terms of the series; those left out are below r^TERMS.
TERMS = 400


def rounded_covariance(
    gram: Array, data: Format, scale: float | None, largest: float
) -> tuple[Array, Array]:
    """E u u' (n, n) of u, z ~ N(0, gram) rounded element by element, and gains E u_i z_i / E z_i^2
    (n,).

    `largest` is the root mean square that an integer's default step is made from.
    """
    variance = np.diag(gram)
    noise = noise_levels(data)
    if noise is not None and noise.one_factor:
        return (1 + noise.mul) * gram, np.ones_like(variance)
    # The diagonal has its exact moments; only correlations need the series.
    h, _, g, _, _ = data_moments(variance, 3.0, data, scale)
    if noise is not None or not is_listed(data):
        covariance = gram.copy()
    else:
        sd = np.sqrt(variance)
        # Dither is, like stochastic rounding, x itself in the mean, and flat beyond the ends.
        kept = data.rounding is not None
        coefficients = _coefficients(levels_of(data, scale, largest), kept, sd)
        correlation = gram / np.outer(sd, sd)
        # Odd terms only, since Q is odd: r, r^3, r^5, ..., each an outer product of coefficients.
        covariance, power, square = np.zeros_like(gram), correlation.copy(), correlation**2
        for row in coefficients:
            covariance += np.outer(row, row) * power
            power *= square
    np.fill_diagonal(covariance, h)
    return covariance, g / variance


def _coefficients(levels: Array, stochastic: bool, sd: Array) -> Array:
    """c_1, c_3, c_5, ... of Q(sd z), one row each: (TERMS / 2, n)."""
    if stochastic:
        # Saturation is the only thing that stochastic rounding does in the mean.
        ends = levels[-1] / sd
        tail = [
            -2 * row / math.sqrt(k * (k - 1)) for k, row in zip(_odd(3), _waves(ends), strict=False)
        ]  # h_1, h_3, ... at k = 3, 5, ...
        return np.asarray(sd * np.array([erf(ends / math.sqrt(2)), *tail]))
    cuts, jumps = (levels[1:] + levels[:-1]) / 2, np.diff(levels)
    waves = _waves(cuts / sd[:, None], even=True)
    return np.array(
        [2 * row @ jumps / math.sqrt(k) for k, row in zip(_odd(1), waves, strict=False)]
    )


def _odd(first: int) -> range:
    return range(first, TERMS, 2)


def _waves(t: Array, even: bool = False) -> Iterator[Array]:
    """phi(t) h_k(t) for k = 0, 2, 4, ... where `even`, else for k = 1, 3, 5, ..., without end."""
    now = np.exp(-(t**2) / 2) / math.sqrt(2 * math.pi)
    after = t * now
    for k in count(1):
        if (k % 2 == 1) == even:
            yield now
        # h_{k+1} sqrt(k + 1) = t h_k - sqrt(k) h_{k-1}, with the density inside so that nothing
        # overflows.
        now, after = after, (t * after - math.sqrt(k) * now) / math.sqrt(k + 1)
