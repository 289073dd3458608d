"""Distributions of the numbers that are rounded: symmetric about 0 and of variance 1."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Distribution:
    """How |x| is distributed: its density, P(|x| <= m), and where a share below 1e-30 lies
    beyond."""

    name: str
    density: Callable[[Array], Array]
    below: Callable[[ArrayLike], Array]
    reach: float
    draw: Callable[[np.random.Generator, int], Array]


def _normal_below(m: ArrayLike) -> Array:
    from scipy.special import ndtr  # formats are read everywhere, errors computed seldom

    below: Array = 2 * ndtr(np.asarray(m, dtype=np.float64)) - 1
    return below


NORMAL = Distribution(
    "normal",
    lambda x: np.exp(-(x**2) / 2) * math.sqrt(2 / math.pi),
    _normal_below,
    12.0,
    lambda rng, n: rng.standard_normal(n),
)
LAPLACE = Distribution(
    "laplace",
    lambda x: math.sqrt(2) * np.exp(-math.sqrt(2) * x),
    lambda m: -np.expm1(-math.sqrt(2) * np.asarray(m)),
    50.0,
    lambda rng, n: rng.laplace(scale=math.sqrt(0.5), size=n),
)
UNIFORM = Distribution(
    "uniform",
    lambda x: np.where(x <= math.sqrt(3), 1 / math.sqrt(3), 0.0),
    lambda m: np.clip(np.asarray(m) / math.sqrt(3), 0.0, 1.0),
    math.sqrt(3),
    lambda rng, n: rng.uniform(-math.sqrt(3), math.sqrt(3), n),
)
DISTRIBUTIONS = {each.name: each for each in (NORMAL, LAPLACE, UNIFORM)}


def distribution(name: str) -> Distribution:
    """The distribution of a name; ValueError for an unknown one."""
    known = DISTRIBUTIONS.get({"gaussian": "normal"}.get(name, name))
    if known is None:
        raise ValueError(f"unknown distribution {name!r}; there are {', '.join(DISTRIBUTIONS)}")
    return known
