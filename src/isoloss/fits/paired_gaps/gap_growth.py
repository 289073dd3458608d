"""How a gap grows with tokens and params, from gaps that may be zero or negative.

    gap = c N^-n D^d,  by  sum_i (gap_i - mu_i) x_i = 0,  mu_i = exp(x_i b),  x = (1, log N, log D)

This is Poisson pseudo-maximum likelihood (Santos Silva and Tenreyro 2006, eq. 11): consistent
whatever the variance, and without the bias that logarithms of noisy gaps have, which must leave
out what is not positive. Its errors are by jackknife over clusters, runs that share their noise:
those of one size, seed and learning rate, whose lengths lie on one trajectory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from isoloss.fits.paired_gaps.paired import LEAST, Slope, as_one
from isoloss.laws import Array

Names = Sequence[str]
#: Slopes of a logarithm beyond this are no power law.
STEEPEST = 20.0
#: Where a mean gap is so many standard errors from zero or fewer, its growth cannot be known.
FAINTEST = 2.0


@dataclass(frozen=True)
class Growth:
    """Exponents of a gap.

    Attributes
    ----------
    slopes
        Exponents with jackknife errors by name: "tokens" and "params"; where the two move as one,
        "together" in tokens, or "tokens per param".
    clusters
        Names of the clusters.
    left
        The exponents with each cluster left out, shape (clusters, slopes).
    """

    slopes: dict[str, Slope]
    clusters: tuple[str, ...]
    left: Array

    def less(self, other: Growth, name: str) -> Slope | None:
        """The exponent of this less that of another, their clusters left out together.

        None where they share too few clusters.
        """
        if name not in self.slopes or name not in other.slopes:
            return None
        shared = [c for c in self.clusters if c in other.clusters]
        mine, theirs = (
            g.left[[g.clusters.index(c) for c in shared], list(g.slopes).index(name)]
            for g in (self, other)
        )
        freedom = len(shared) - 1 - max(len(self.slopes), len(other.slopes))
        value = self.slopes[name].value - other.slopes[name].value
        return Slope(value, _jackknifed(mine - theirs), freedom) if freedom > 0 else None


def growth(gap: Array, params: Array, tokens: Array, clusters: Sequence[str]) -> Growth | str:
    """The exponents of gaps of shape (n,) at params and tokens; runs of a cluster share noise.

    A sentence instead where they cannot be known: neither varies, too few clusters, or gaps of
    about zero.
    """
    names, columns = _varying(np.log(params), np.log(tokens))
    if not names:
        return "neither params nor tokens vary"
    index: NDArray[np.intp]
    found, index = np.unique(np.array(clusters, dtype=str), return_inverse=True)
    freedom = len(found) - 1 - len(names)
    if freedom < 1:
        return f"{len(found)} trajectories are too few for {len(names)} exponents"
    sums = np.bincount(index, gap)
    mean, error = sums.mean(), sums.std(ddof=1) / math.sqrt(len(sums))
    if not mean > FAINTEST * error:
        return "the gap is not clearly above zero"
    x = np.column_stack([np.ones(len(gap)), *columns])
    whole = _solved(x, gap)
    left = [_solved(x[index != k], gap[index != k]) for k in range(len(found))]
    if whole is None or any(b is None for b in left):
        return "no power law fits these gaps"
    slopes = np.array(left)[:, 1:]
    errors = [_jackknifed(slopes[:, k]) for k in range(len(names))]
    known = {name: Slope(float(whole[1 + k]), errors[k], freedom) for k, name in enumerate(names)}
    return Growth(known, tuple(str(c) for c in found), slopes)


def _varying(n: Array, d: Array) -> tuple[Names, list[Array]]:
    """Which of params and tokens vary, centred; one name for both where they move as one."""
    n, d = n - n.mean(), d - d.mean()
    if moved := as_one(n, d):
        return (["together"], [d]) if moved > 0 else (["tokens per param"], [d - n])
    found = [(name, v) for name, v in (("params", n), ("tokens", d)) if v.std() > LEAST]
    return [name for name, _ in found], [v for _, v in found]


def _solved(x: Array, gap: Array) -> Array | None:
    """The root of the estimating equation; None where there is none.

    It is the maximum of sum gap x b - exp(x b), which is concave.
    """
    scale = float(np.mean(gap))
    if not scale > 0:
        return None
    y = gap / scale

    def value(b: Array) -> float:
        z = x @ b
        return float(np.sum(np.exp(np.minimum(z, 50.0)) - y * z)) / len(y)

    def slope(b: Array) -> Array:
        return x.T @ (np.exp(np.minimum(x @ b, 50.0)) - y) / len(y)

    def curvature(b: Array) -> Array:
        return (x.T * np.exp(np.minimum(x @ b, 50.0))) @ x / len(y)

    found = optimize.minimize(
        value,
        np.zeros(x.shape[1]),
        jac=slope,
        hess=curvature,
        method="trust-exact",
        options={"gtol": 1e-10},
    )
    b = np.asarray(found.x)
    solved = np.abs(slope(b)).max() < 1e-6 and np.abs(b[1:]).max(initial=0.0) < STEEPEST
    return b if solved else None


def _jackknifed(left: Array) -> float:
    """The standard error of an estimate from its values with each of g clusters left out."""
    g = len(left)
    return math.sqrt((g - 1) / g * float(np.sum((left - left.mean()) ** 2)))
