"""Ideal noise: the three error models of the theory, so that a study can put `vec(0.004)` where
`e4m3` stood."""

from __future__ import annotations

from math import sqrt
from typing import Any

from isoloss.formats.number import Format
from isoloss.formats.rounding.arrays import AnyArray, draws


def with_noise(xp: Any, x: AnyArray, known: Format, random: Any) -> AnyArray:
    """x with normal noise of level eps: x + e ('add'), (1 + s) x with one s a vector ('vec') or
    element ('coord').

    E e^2 = E s^2 = eps, independent; a vector is the last axis.
    Reference: Zhang, Su, Zou 2025 (arXiv 2510.18259), the definitions of additive and
    multiplicative quantisers; 'coord' is what element-wise rounding of floats does.
    """
    shape = (*x.shape[:-1], 1) if known.noise == "vec" and x.shape else tuple(x.shape)
    normal = draws(xp, x, "normal", random, shape, str(known)) * sqrt(known.eps or 0.0)
    return x + normal if known.noise == "add" else x + x * normal
