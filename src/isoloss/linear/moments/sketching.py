"""A sketched problem as a setting: regression on u, the rounded sketch, in the eigenbasis of its
covariance.

With z = S x, G = S H S' and u normal of covariance H_q and E u y = k, the labels are y = <c, u> + r
with c = H_q^-1 k and r normal, independent of u, of variance E y^2 - <k, c>. So training is that of
a problem without data quantiser in the eigenbasis of H_q, and only the norm of clean inputs, G,
remembers the rounding.

- No rounding, and a factor a sample (`vec`, which commutes with S): the eigenbasis of G, exact.
- Normal noise added after the sketch: H_q = G + eps I, exact. Added before it: H_q = G + eps S S',
  exact in use; on clean ones the covariance of w is taken as diagonal, a closure.
- Noise by element, added noise that is not normal, and real grids: the normal u of the same
  covariance, H_q = A G A + N with the
  gains A and the noise N of every coordinate. A closure.

Source: derived; setting of Lin et al. 2024 (2406.08466) and Zhang et al. 2026 (2602.19241).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isoloss.formats import Format, NoiseLevels
from isoloss.linear.checks import fits_in_memory
from isoloss.linear.moments.feature_moments import data_moments, noise_levels, shared_factors
from isoloss.linear.moments.mixtures import NORMAL
from isoloss.linear.moments.setting import Setting, scalar
from isoloss.linear.regression import Regression

Array = NDArray[np.float64]
CHUNK = 1024
#: Square matrices of M rows that are held at once.
MATRICES = 12


class Sketch(NamedTuple):
    """Second moments of a sketch: G = S H S' (M, M), E k k' with k = E z y (M, M), and E <w*,
    x>^2.
    """

    gram: Array
    pull: Array
    signal: float


@lru_cache(maxsize=4)
def sketched_setting(problem: Regression, data: Format | None, scale: float | None) -> Setting:
    """The setting of a sketched problem, its coordinates the eigendirections of H_q.

    Raises ValueError where the M x M matrices would not fit in memory.
    """
    base = _sketch(problem)
    signal = float(np.trace(np.linalg.solve(base.gram, base.pull)))
    missed = max(base.signal - signal, 0.0)
    noise = noise_levels(data)
    if noise is not None and noise.shared and not noise.one_factor:
        raise ValueError(
            f"data rounded to '{data}' share a part of their factors, which has no exact risk "
            "with a "
            "sketch; leave sketch out"
        )
    if data is None or (noise is not None and noise.one_factor):
        return _rotated(problem, data, base, signal, missed)
    covariance, pull, reach, exact = _rounded(problem, data, scale, base)
    # The eigenbasis of H_q, eigenvalues descending: there training is diagonal.
    values, vectors = np.linalg.eigh(covariance)
    h, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    known = np.where(h > 1e-14 * h[0], h, np.inf)
    # E c c' with c = H_q^-1 k; directions without variance have none.
    pairs = vectors.T @ pull @ vectors / (known[:, None] * known)
    clean = vectors.T @ base.gram @ vectors
    c, norm = np.sqrt(np.maximum(np.diag(pairs), 0.0)), np.diag(clean).copy()
    size = np.where(c > 0, c, 1.0)
    # E c_i (V'S H w*)_i: the pull of clean inputs, which a gain other than 1 keeps from being H_q
    # c.
    pulled = np.einsum("ij,ij->j", vectors, reach @ vectors) / (known * size)
    aligned = noise is not None and noise.only_added and problem.site == "after"
    # What c leaves of the label is noise to training.
    left = base.signal - float(np.sum(h * c**2))
    return _normal(
        h, c, problem.noise_var + max(left, 0.0), norm, pulled, missed,
        signal=signal,
        cross=None if aligned else clean * pairs / (size[:, None] * size),
        exact=exact,
    )  # fmt: skip


def _rotated(
    problem: Regression, data: Format | None, base: Sketch, signal: float, missed: float
) -> Setting:
    """The setting in the eigenbasis of G, under no rounding or one factor a sample."""
    values, vectors = np.linalg.eigh(base.gram)
    lam, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    known = np.where(lam > 1e-14 * lam[0], lam, np.inf)
    squares = np.einsum("ij,ij->j", vectors, base.pull @ vectors) / known**2
    target = np.sqrt(np.maximum(squares, 0.0))
    h, f, g, t, b = data_moments(lam, 3.0, data, None)
    rho4, rho3 = shared_factors(data)
    return Setting(
        weight=np.ones(len(lam)), lam=lam, h=h, f=f, g=g, t=t, b=b, rho4=scalar(rho4),
        rho3=scalar(rho3), target=target, noise_var=scalar(problem.noise_var + missed), norm=lam,
        best=target, signal=scalar(signal), approximation=scalar(0.5 * missed),
    )  # fmt: skip


def _normal(
    h: Array,
    c: Array,
    noise_var: float,
    norm: Array,
    pulled: Array,
    missed: float,
    signal: float,
    cross: Array | None,
    exact: bool,
) -> Setting:
    """The setting of normal features u of variances h with labels <c, u> + noise."""
    best = np.divide(pulled, norm, out=np.zeros_like(h), where=norm > 0)
    return Setting(
        weight=np.ones(len(h)), lam=h, h=h, f=3 * h**2, g=h, t=3 * h**2, b=3 * h**2,
        rho4=scalar(1.0), rho3=scalar(1.0), target=c, noise_var=scalar(noise_var), norm=norm,
        best=best, signal=scalar(signal), approximation=scalar(0.5 * missed), exact=exact,
        cross=cross,
    )  # fmt: skip


def _rounded(
    problem: Regression, data: Format, scale: float | None, base: Sketch
) -> tuple[Array, Array, Array, bool]:
    """H_q, E k k' and E k z'y with k = E u y, and whether u is normal of that covariance."""
    noise = noise_levels(data)
    if problem.site == "before":
        h, _, g, _, _ = data_moments(problem.lam, 3.0, data, scale)
        covariance, pull = _sums(problem, h, g, g)
        reach = pull if noise is not None else _sums(problem, h, g, problem.lam)[1]
        return covariance, pull, reach, _is_normal(noise)
    spread = np.diag(base.gram)
    if noise is not None and noise.only_added:
        lifted = base.gram + noise.add * np.eye(len(spread))
        return lifted, base.pull, base.pull, _is_normal(noise)
    h, _, g, _, _ = data_moments(spread, 3.0, data, scale)
    # Bussgang once more, a coordinate at a time: u = A z + error, with the error uncorrelated
    # between coordinates.
    gain = g / spread
    covariance = gain[:, None] * base.gram * gain
    covariance[np.diag_indices_from(covariance)] = h
    return covariance, gain[:, None] * base.pull * gain, gain[:, None] * base.pull, False


def _is_normal(noise: NoiseLevels | None) -> bool:
    """Whether normal features stay normal under a noise: normal numbers added."""
    return noise is not None and noise.only_added and noise.kurtosis == NORMAL


@lru_cache(maxsize=2)
def _sketch(problem: Regression) -> Sketch:
    gram, pull = _sums(problem, problem.lam, problem.lam, problem.lam)
    return Sketch(gram, pull, float(problem.lam @ problem.target_squares))


def _sums(problem: Regression, h: Array, g: Array, other: Array) -> tuple[Array, Array]:
    """S diag(h) S' and E S diag(g) w* w*' diag(other) S', a few columns of S at a time."""
    rows = problem.sketch or problem.dim
    fits_in_memory(
        f"a sketch of {rows} rows of {problem.dim} features",
        8.0 * (MATRICES * rows**2 + 2 * CHUNK * rows + 12 * problem.dim),
        "use a smaller sketch",
    )
    gram, pull, means = np.zeros((rows, rows)), np.zeros((rows, rows)), np.zeros((2, rows))
    both = np.stack([g, other])
    squares = g * other * problem.target_squares
    # E w* w*' is diagonal for a random target, and an outer product for a fixed one.
    fixed = (
        None if isinstance(problem.target, str) else np.broadcast_to(problem.target, problem.dim)
    )
    for low, columns in problem.sketch_columns(CHUNK):
        here = slice(low, low + len(columns))
        gram += columns.T @ (h[here, None] * columns)
        if fixed is None:
            pull += columns.T @ (squares[here, None] * columns)
        else:
            means += (both[:, here] * fixed[here]) @ columns
    return gram, pull if fixed is None else np.outer(*means)
