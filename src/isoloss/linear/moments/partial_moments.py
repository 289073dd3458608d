"""Partial moments of a normal variable, with their digits in far tails too."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Array = NDArray[np.float64]


def partial_moments(
    low: Array, high: Array, mean: Array, sd: Array, most: int = 3
) -> tuple[Array, ...]:
    """E[x^k; low < x < high] for k = 0..most (3 or 4), x ~ N(mean, sd^2).

    Both ends are turned to the side where the tail is small, so that far cells keep their digits.
    """
    # Standardised ends; far from the mean the difference of two tails keeps its digits and that of
    # two shares near one does not.
    a, b = (low - mean) / sd, (high - mean) / sd
    flip = a + b > 0
    mass = np.where(flip, ndtr(-a) - ndtr(-b), ndtr(b) - ndtr(a))
    pa, pb = (np.exp(-each * each / 2) / math.sqrt(2 * math.pi) for each in (a, b))
    # The ends may be infinite: x^k phi(x) is zero there.
    with np.errstate(invalid="ignore"):
        apa, bpb = (np.where(np.isinf(e), 0.0, e * p) for e, p in ((a, pa), (b, pb)))
        aapa, bbpb = (np.where(np.isinf(e), 0.0, e * q) for e, q in ((a, apa), (b, bpb)))
    # Partial moments of z, by parts: E z = phi(a) - phi(b), E z^2 = mass + a phi(a) - b phi(b), ...
    z1 = pa - pb
    z2 = mass + apa - bpb
    z3 = 2 * z1 + aapa - bbpb
    i1 = mean * mass + sd * z1
    i2 = mean**2 * mass + 2 * mean * sd * z1 + sd**2 * z2
    i3 = mean**3 * mass + 3 * mean**2 * sd * z1 + 3 * mean * sd**2 * z2 + sd**3 * z3
    if most < 4:
        return mass, i1, i2, i3
    with np.errstate(invalid="ignore"):
        cubes = [np.where(np.isinf(e), 0.0, e * q) for e, q in ((a, aapa), (b, bbpb))]
    z4 = 3 * z2 + cubes[0] - cubes[1]
    i4 = mean**4 * mass + 4 * mean**3 * sd * z1 + 6 * mean**2 * sd**2 * z2
    return mass, i1, i2, i3, i4 + 4 * mean * sd**3 * z3 + sd**4 * z4
