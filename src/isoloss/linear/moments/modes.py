"""Few weighted coordinates that stand for all of a smooth spectrum: an exact head, then Gauss
rules.

Every quantity of the theory is a sum over coordinates i of a smooth function of i. The first 32 are
kept; each dyadic block of the others, (32, 64], (64, 128], ..., is summed by the 8-point Gauss rule
of the discrete uniform measure on it, which is exact for polynomials of i up to degree 15. Blocks
of spectra steeper than i^-2 are shorter, so that the spectrum falls by at most 4 in each. Nearest
rounding to a real grid makes the second moment of u fall like exp(-step^2 i^a / 8) where features
are much smaller than a step: its blocks are an eighth as long.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from isoloss.linear.checks import fits_in_memory
from isoloss.linear.regression import Regression

Array = NDArray[np.float64]
HEAD = 32
NODES = 8
#: Vectors of dim numbers that the uncompressed engine holds at once, complex ones counted twice: 13
#: nodes in several.
VECTORS = 160


@dataclass(frozen=True)
class Modes:
    """Weighted coordinates (n,): sums over all coordinates are sums of weight times the value here.

    lam: variance of the feature. target: root of E w*_i^2.
    """

    weight: Array
    lam: Array
    target: Array


def modes_of(problem: Regression, compressed: bool, steep: bool = False) -> Modes:
    """The coordinates of a problem without sketch, compressed where that is asked for and holds.

    `steep`: the data are rounded to the nearest number of a real grid.
    """
    if compressed and problem.smooth:
        index, weight = compressed_index(
            problem.dim, min(1.0, 2.0 / max(problem.decay, 2.0)) / (8 if steep else 1)
        )
    else:
        fits_in_memory(
            f"a problem of dim {problem.dim} in full",
            8.0 * VECTORS * problem.dim,
            "use a power law with method 'exact', which compresses it",
        )
        index, weight = np.arange(1.0, problem.dim + 1), np.ones(problem.dim)
    return Modes(weight, problem.lam_at(index), np.sqrt(problem.target_squares_at(index)))


@lru_cache(maxsize=256)
def compressed_index(dim: int, octaves: float = 1.0) -> tuple[Array, Array]:
    """Indices and weights of a rule for sums over i = 1..dim, both (n,); n grows like log dim.

    `octaves` is the length of a block in doublings of i, at most 1.

    Reference: Golub and Welsch 1969, on the recurrence of the Gram polynomials.
    """
    # Blocks (low, high] after the head, each a whole number of indices.
    low = HEAD
    indices, weights = [np.arange(1.0, min(dim, HEAD) + 1)], [np.ones(min(dim, HEAD))]
    while low < dim:
        high = min(max(int(low * 2.0**octaves), low + 1), dim)
        nodes, shares = _gauss(high - low)
        indices.append(low + 1 + nodes)
        weights.append((high - low) * shares)
        low = high
    return np.concatenate(indices), np.concatenate(weights)


@lru_cache(maxsize=1024)
def _gauss(count: int) -> tuple[Array, Array]:
    """Nodes and shares (of sum one) of the rule for the uniform measure on 0, 1, ..., count - 1."""
    if count <= NODES:
        return np.arange(float(count)), np.full(count, 1.0 / count)
    # Golub and Welsch: nodes and weights are eigenvalues and first components of the Jacobi matrix
    # of the Gram polynomials.
    k = np.arange(1.0, NODES)
    # In units of the half-length, or the squares of the counts would overflow nothing but lose
    # digits.
    beta = k**2 * (1 - (k / count) ** 2) / (4 * (4 * k**2 - 1))
    values, vectors = np.linalg.eigh(np.diag(np.sqrt(beta), 1) + np.diag(np.sqrt(beta), -1))
    return (count - 1) / 2 + count * values, vectors[0] ** 2
