"""How noisy a quantised gradient is, in the two numbers of the bounds: a factor alpha and a level
sigma_G^2.

The step w+ = w - gamma G(w) has E G = H_q (w - c), with c the optimum on rounded features. What a
bound needs of its noise is, with v = w - c and on the diagonal,

    E G G' <= alpha <h, v^2> H_q + sigma_G^2 H_q

(cross terms aside, which the split of v into bias and variance takes care of). In the literature
alpha is the constant of the fourth moment; noise relative to w, to activations and to gradients
acts on v as on c, so it enters alpha here, and the constant that the notes leave open in sigma_G^2
of multiplicative noise is alpha_B.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from isoloss.linear.exact import Noise, Noises, ideal, operator
from isoloss.linear.moments import Setting, stacked
from isoloss.linear.quantisers import Quantisers


class NoiseSources(NamedTuple):
    """sigma_G^2 by what makes it, of the mean over a batch, in squared units of the label.

    Attributes
    ----------
    labels : float
        The noise that labels have by themselves, noise_var / B.
    d, l, w, a, g : float
        What the quantiser of each part adds.
    """

    labels: float  # the noise that labels have by themselves, noise_var / B
    d: float
    l: float  # noqa: E741  the part's letter
    w: float
    a: float
    g: float

    @property
    def total(self) -> float:
        """sigma_G^2."""
        return float(sum(self))


@dataclass(frozen=True)
class GradientNoise:
    """alpha and sigma_G^2 of a problem, a batch and a precision.

    Attributes
    ----------
    alpha : float
        The constant of the fourth moment, noise relative to w, a and g included.
    data_alpha : float
        alpha without that noise: for normal features 1 + 2/B, 3 at B = 1.
    sources : NoiseSources
        sigma_G^2 from above, by what makes it.
    fixed : float
        The part of sigma_G^2 that does not depend on the iterate, from below.
    """

    alpha: float
    data_alpha: float
    sources: NoiseSources
    fixed: float

    @property
    def level(self) -> float:
        """sigma_G^2."""
        return self.sources.total

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {at:.4g}" for name, at in self.sources._asdict().items() if at)
        return f"gradient noise: alpha {self.alpha:.4g}, sigma_G^2 {self.level:.4g} ({parts})"


def gradient_noise(at: Setting, quantisers: Quantisers, batch: int) -> GradientNoise:
    """alpha and sigma_G^2 from above, per source.

    alpha_1 = max(rho4, max E u_i^4 / h_i^2), 3 for normal features; alpha_B = alpha_1 / B + 1 -
    1/B; S = ||w*||_H^2, S_q = ||c||_{H_q}^2, and on the mean over a batch of B

        labels  sigma^2 / B
        d       (sigma_q^2 - sigma^2) / B, sigma_q^2 the least number with E r^2 u_i^2 <= sigma_q^2
        h_i for
                r = y - <c, u>: sigma^2 + w*'H(H+D)^-1 D w* for added noise
        l       add: eps / B.  coord: eps (sigma^2 + alpha_1 S) / B.  vec: that + (1 - 1/B) eps S_q
        w       add: alpha_B eps tr H_q.  relative: alpha_B eps S_q
        a       add: eps / B.  coord: alpha_1 eps p / B.  vec: alpha_B eps p,
                p = (1 + eps_w) S_q, and eps_w tr H_q more where that is added
        g       add: eps / B.  relative: eps times all of the above
        alpha   (1 + eps_g) (alpha_B (1 + eps_w) + (1 + eps_w) eps_a alpha_a), alpha_a = alpha_1 / B
        (coord) or
                alpha_B (vec), with relative noise only

    Source: sigma_G^2 of Zhang et al. 2025 (2510.18259) as read in secondary notes, which have it up
    to constants for multiplicative noise; constants and the place of that noise in alpha are
    derived here.
    """
    weights, activations, gradients, labels = (
        ideal(each) for each in (quantisers.w, quantisers.a, quantisers.g, quantisers.l)
    )
    there = at.h > 0
    # Divided twice: h^2 is zero in floats where nearest rounding leaves little of a feature.
    curve = float(np.max(at.f[there] / at.h[there] / at.h[there], initial=1.0))
    alpha_1 = max(float(at.rho4[0]), curve)
    alpha = alpha_1 / batch + 1 - 1 / batch
    trace, size = _sum(at, at.h), _sum(at, at.h * at.centre**2)
    noise_var = float(at.noise_var[0])
    signal = _sum(at, at.lam * at.target**2)
    bare = _bare(at, batch)
    seen = (1 + _num(weights.mul)) * size + _num(weights.add) * trace
    alpha_a = alpha if _num(activations.shared) else alpha_1 / batch
    before = NoiseSources(
        labels=noise_var / batch,
        d=max(bare - noise_var / batch, 0.0),
        l=_label(labels, noise_var + alpha_1 * signal, size, batch),
        w=alpha * (_num(weights.add) * trace + _num(weights.mul) * size),
        a=_num(activations.add) / batch + alpha_a * _num(activations.mul) * seen,
        g=0.0,
    )
    sources = before._replace(g=_num(gradients.add) / batch + _num(gradients.mul) * before.total)
    growth = (1 + _num(weights.mul)) * (alpha + _num(activations.mul) * alpha_a)
    fixed = noise_var + sum(_num(each.add) for each in (labels, activations, gradients))
    return GradientNoise((1 + _num(gradients.mul)) * growth, alpha, sources, fixed / batch)


def _label(noise: Noise, power: float, size: float, batch: int) -> float:
    apart = (_num(noise.add) + _num(noise.mul) * power) / batch
    return apart + (1 - 1 / batch) * _num(noise.shared) * size


def _bare(at: Setting, batch: int) -> float:
    """max E (u r)_i^2 / (B h_i), r what the optimum on rounded data leaves of a label."""
    op = operator(stacked([at]), Noises(), np.array([[float(batch)]]))
    there = op.h[0] > 0
    return float(np.max(op.k[0][there] / op.h[0][there], initial=0.0))


def _sum(at: Setting, values: np.ndarray) -> float:
    return float(at.total(values)[0])


def _num(level: object) -> float:
    return float(level)  # type: ignore[arg-type]
