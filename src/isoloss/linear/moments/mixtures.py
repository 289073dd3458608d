"""Features of a kurtosis as mixtures of normals, and the five moments that a real grid gives them.

Ideal noise sees of a feature's distribution the kurtosis alone; a grid sees all of it. The features
of this room, as the sampler draws them (sampled/data_source.py), in units of their deviation:
kurtosis 3, normal; above, 0 but for a share 3 / k of the samples, which are normal of variance
k / 3; below, sqrt(q) times a normal plus or minus sqrt(1 - q), q = 1 - sqrt((3 - k) / 2), at k = 1
the sign alone. All are symmetric and rounding is odd, so one side of a mixture has the moments of
both.

Subtractive dither is clip(x) + e with e uniform on a step and independent of x, beyond the largest
number too: x + v - (x + v's rounding error) within, top - v outside, v the dither. Source: derived.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isoloss.formats import Format
from isoloss.linear.moments.grid_moments import POINT, Moments, signed_sums, symmetric_moments
from isoloss.linear.moments.partial_moments import partial_moments

Array = NDArray[np.float64]
NORMAL = 3.0
#: Kurtosis of the uniform distribution, which the error of dither has.
UNIFORM = 1.8


class Shape(NamedTuple):
    """A feature in units of its deviation: `share` of the samples are `sign` +- plus `normal` times
    a normal number, the others 0.
    """

    share: float = 1.0
    sign: float = 0.0
    normal: float = 1.0


def shape_of(kurtosis: float) -> Shape:
    """The distribution of the features of a kurtosis."""
    if kurtosis == NORMAL:
        return Shape()
    if kurtosis > NORMAL:
        return Shape(share=NORMAL / kurtosis, normal=math.sqrt(kurtosis / NORMAL))
    q = 1 - math.sqrt((NORMAL - kurtosis) / 2)
    return Shape(sign=math.sqrt(1 - q), normal=math.sqrt(q))


def moments_on_grid(known: Format, levels: Array, kurtosis: float, sd: Array) -> Moments:
    """The five moments of features of deviation sd (n,) and their rounding to +-levels."""
    shape = shape_of(kurtosis)
    mean, spread = shape.sign * sd, shape.normal * sd
    if known.rounding == "dither":
        found = _dithered(levels, mean, spread)
        rest = _dithered(levels, np.zeros_like(sd), np.zeros_like(sd))  # where the feature is 0
        pairs = zip(found, rest, strict=True)
        return Moments(*(shape.share * one + (1 - shape.share) * other for one, other in pairs))
    stochastic = known.rounding == "sr"
    if not shape.sign:  # zero is on every grid here, so zero features add nothing
        each = symmetric_moments(levels, stochastic, spread)
    elif not shape.normal:
        each = _at_points(levels, stochastic, mean)
    else:
        each = Moments(*signed_sums(levels, stochastic, mean, spread)[1:])
    return Moments(*(shape.share * moment for moment in each))


def dithered_mean(levels: Array, mean: Array, sd: Array) -> tuple[Array, Array]:
    """E u and E u^2 of x ~ N(mean, sd^2) rounded with dither to +-levels."""
    first, second = _clipped(float(levels[-1]), mean, sd)[:2]
    return first, second + _error(levels)


def _error(levels: Array) -> float:
    """The variance of a uniform error on one step."""
    return float(levels[1] - levels[0]) ** 2 / 12


def _dithered(levels: Array, mean: Array, sd: Array) -> Moments:
    """h, f, g, t, b of u = c + e, c = clip(x): expansions of E (c + e)^j x^k."""
    error = _error(levels)
    _, c2, c4, cx, c3x, c2x2 = _clipped(float(levels[-1]), mean, sd)
    x2 = mean**2 + sd**2
    return Moments(
        h=c2 + error,
        f=c4 + 6 * error * c2 + UNIFORM * error**2,
        g=cx,
        t=c3x + 3 * error * cx,
        b=c2x2 + error * x2,
    )


def _clipped(top: float, mean: Array, sd: Array) -> tuple[Array, ...]:
    """E c, c^2, c^4, c x, c^3 x, c^2 x^2 of x ~ N(mean, sd^2) and c = x clipped to -top..top."""
    sd = np.maximum(sd, POINT * (np.abs(mean) + top))
    ends = np.array([-math.inf, -top, top, math.inf])
    below, inside, above = (
        partial_moments(np.full_like(mean, low), np.full_like(mean, high), mean, sd, most=4)
        for low, high in pairwise(ends)
    )
    out = below[0] + above[0]
    slope, square = above[1] - below[1], below[2] + above[2]
    return (
        inside[1] + top * (above[0] - below[0]),
        inside[2] + top**2 * out,
        inside[4] + top**4 * out,
        inside[2] + top * slope,
        inside[4] + top**3 * slope,
        inside[4] + top**2 * square,
    )


def _at_points(levels: Array, stochastic: bool, x: Array) -> Moments:
    """The moments of numbers x >= 0 that are known for sure (up to their sign)."""
    at = np.clip(np.searchsorted(levels, x, side="right") - 1, 0, len(levels) - 2)
    low, high = levels[at], levels[at + 1]
    share = np.minimum((x - low) / (high - low), 1.0)
    if not stochastic:  # ties to even, as the grid's codes count
        share = np.where(share == 0.5, at % 2, share > 0.5).astype(float)
    u1, u2, u3, u4 = ((1 - share) * low**j + share * high**j for j in (1, 2, 3, 4))
    return Moments(u2, u4, u1 * x, u3 * x, u2 * x**2)
