"""One step of quantised SGD as a map of second moments: diagonal plus rank one.

Source: derived (the setting is that of Zhang et al. 2025, 2510.18259). With v = w - c, m = E v, V
the variances of v, M = V + m^2 and <a, b> the sum over coordinates, one step of size gamma is

    m+ = (1 - gamma h) m
    V+ = (1 - 2 gamma h) V + gamma^2 (D M - h^2 m^2 + rho h <h, M> + beta m + h <eta, m> + k)

where D M + rho h <h, M> + ... = E (u_i o^q)^2 of the batch mean. It closes on the diagonal because
coordinates are independent and symmetric, or a common factor times such: E u_i^2 u_j u_k = 0 for j
!= k.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isoloss.formats import Format
from isoloss.linear.moments import Setting, noise_levels
from isoloss.linear.quantisers import Quantisers

Array = NDArray[np.float64]


class Noise(NamedTuple):
    """The noise of one quantiser: variance added, relative variance, and how much of that a batch
    shares.
    """

    add: Array | float = 0.0
    mul: Array | float = 0.0
    shared: Array | float = 0.0


class Noises(NamedTuple):
    """The noise of labels, parameter in use, activation and output gradient.

    `bend` is E (noise variance of the label)'' (Stein's term of a real grid on labels), 0 for ideal
    noise.
    """

    l: Noise = Noise()  # noqa: E741  the part's letter
    w: Noise = Noise()
    a: Noise = Noise()
    g: Noise = Noise()
    bend: Array | float = 0.0


@dataclass(frozen=True)
class Operator:
    """The coefficients of one step, free of its size; arrays (P, n), rho (P, 1)."""

    weight: Array
    h: Array
    d: Array
    rho: Array
    beta: Array
    eta: Array
    k: Array
    centre: Array

    def total(self, values: Array) -> Array:
        """The sum over all coordinates of values (P, n), as (P, 1)."""
        return np.asarray(np.einsum("pn,pn->p", self.weight, values))[:, None]

    def rows(self, chosen: NDArray[np.intp] | slice) -> Operator:
        """The operator of some points only."""
        return Operator(*(getattr(self, name)[chosen] for name in Operator.__dataclass_fields__))


def ideal(known: Format | None) -> Noise:
    """The noise of an ideal format, or none."""
    levels = noise_levels(known)
    return Noise() if levels is None else Noise(levels.add, levels.mul, levels.shared)


def noises_of(points: Sequence[Quantisers]) -> Noises:
    """The ideal noises of some points, each level as (P, 1)."""
    levels = np.array([[ideal(getattr(each, part)) for part in "lwag"] for each in points])
    labels, weights, activations, gradients = (Noise(*levels[:, k].T[:, :, None]) for k in range(4))
    return Noises(labels, weights, activations, gradients)


def operator(at: Setting, noises: Noises, batch: Array) -> Operator:
    """The operator of stacked settings (P, n) under noises (P, 1) with batches (P, 1)."""
    w, a, g = noises.w, noises.a, noises.g
    h, f, c, target = at.h, at.f, at.centre, at.target
    # E u_i^4 of the own coordinate beyond what the rank-one term rho h <h, .> already holds for it.
    diagonal = f - at.rho4 * h * h
    # The square of a batch mean is B terms of a sample with itself and B (B - 1) of two samples,
    # over B^2; noise of the gradient that a batch shares multiplies the latter too.
    own = (1 + g.mul) / batch  # one sample with itself
    pair = (1 - 1 / batch) * (1 + g.shared)  # two different samples of a batch
    # Relative noise of w and a multiplies the activation: by (1 + s_w)(1 + s_a) within a sample;
    # the draw of w serves the whole batch, that of a only as far as it is shared.
    seen = (1 + w.mul) * (1 + a.mul)
    seen_pair = (1 + w.mul) * (1 + a.shared)
    # Terms linear in v, E u_i^2 r u_j with r = y - <u, c> the residual at the optimum: zero where r
    # is independent of u (normal features, added noise), and not for real grids.
    pull = at.rho3 * at.g * target - at.rho4 * h * c
    skew = target * at.t - c * f - h * pull
    # What two samples of a batch see in common beyond the mean: it acts on v as on c.
    apart = (seen_pair - 1) * h * h
    # E (u_i r)^2 at w = c: the residual, the noise of w and a on the activation <u, c>, and added
    # noise.
    constant = own * (
        _residual(at, pull, noises)
        + _spread(at, diagonal, c * c * (seen - 1) + (1 + a.mul) * w.add)
        + a.add * h
    )
    # Added in three steps in this order, which the golden digits are made with.
    constant = constant + g.add * h / batch
    constant = constant + pair * (
        apart * c * c + (1 + a.shared) * w.add * h * h + noises.l.shared * (at.g * target) ** 2
    )
    return Operator(
        weight=at.weight,
        h=h,
        d=own * seen * diagonal + pair * seen_pair * h * h,
        rho=own * seen * at.rho4,
        beta=2 * (own * ((seen - 1) * diagonal * c - skew) + pair * apart * c),
        eta=2 * own * ((seen - 1) * at.rho4 * h * c - pull),
        k=constant,
        centre=c,
    )


def _spread(at: Setting, diagonal: Array, values: Array) -> Array:
    """E u_i^2 (sum_j u_j e_j)^2 for uncorrelated e_j of the given squares."""
    return diagonal * values + at.rho4 * at.h * at.total(at.h * values)


def _residual(at: Setting, pull: Array, noises: Noises) -> Array:
    """E u_i^2 (y + e_l - <u, c>)^2: noise, what the data quantiser leaves unexplained, and label
    noise.
    """
    c, target, h = at.centre, at.target, at.h
    # Labels are <w*, x> + noise, so the residual y - <u, c> splits into independent shares of the
    # coordinates; i != j factor by rho4 and rho3, i = j needs the fourth moments t, b, f.
    power = at.lam * target**2  # of each coordinate's share of the label
    unexplained = power - 2 * at.rho3 * at.g * target * c + at.rho4 * h * c * c
    alone = target**2 * at.b - 2 * target * c * at.t + c * c * at.f
    # E u_i^2 y^2, what relative noise on the label multiplies.
    label = h * (at.noise_var + at.total(power) - power) + target**2 * at.b
    residual = h * (at.noise_var + at.total(unexplained) - unexplained) + alone
    bend = noises.bend * (at.g * target) ** 2
    return residual + noises.l.add * h + noises.l.mul * label + bend
