"""The closed forms of effective sizes and of the best model size, as functions of plain numbers.

All are orders derived in the notes on Zhang et al. 2026 (2602.19241), whose full text was not at hand: spectrum
i^-a, a target of unit size, noise eps on the data. The constants that stand here are derived here.
"""

from __future__ import annotations

import math

import numpy as np

from isoloss.formats import Format, Precision, relative_error
from isoloss.linear.quantisers import DEFAULT_SCALES, Scales, default_step, quantisers_of
from isoloss.linear.regression import Regression
from isoloss.linear.risk import INPUTS
from isoloss.linear.words import finite, one_of


def effective_size(size: float, eps: float, decay: float, constant: float = 1.0) -> float:
    """min{M, c eps^(-1/a)}: what added noise eps on the data leaves of a model of size M.

    The order is that of approximation and floor together, for clean and for quantised inputs; `size_constant`
    has c.
    """
    eps, decay = finite("eps", eps, 0.0), _decay(decay)
    return float(size) if not eps else min(float(size), constant * eps ** (-1 / decay))


def size_constant(decay: float, inputs: str = "clean", source: float | None = None) -> float:
    """The c of `effective_size` in the limit of many samples, many coordinates and small eps.

    There approximation and floor are half of I eps^((b-1)/a), and the approximation of M coordinates is half of
    M^-(b-1) / (b-1), so c = ((b-1) I)^(-1/(b-1)), with E lam_i w*_i^2 = i^-b (`source`; a for unit targets) and

        quantised  I = int t^(a-b) / (1 + t^a)      = pi / (a sin(pi (a-b+1)/a))
        clean      I = int t^(2a-b) / (1 + t^a)^2   = G(s) G(2-s) / a,  s = 2 - (b-1)/a

    Source: derived here. At a = 2: 4/pi on clean inputs, 2/pi on quantised ones.
    Raises ValueError where the integral does not exist: b above 1, below a + 1 (quantised) or 2 a + 1 (clean).
    """
    a, b = _decay(decay), finite("source", decay if source is None else source)
    one_of("inputs", inputs, INPUTS)
    top = a + 1 if inputs == "quantised" else 2 * a + 1
    if not 1 < b < top:
        raise ValueError(f"the source exponent is {b:g}; accepted is above 1 and below {top:g}")
    if inputs == "quantised":
        integral = math.pi / (a * math.sin(math.pi * (a - b + 1) / a))
    else:
        s = 2 - (b - 1) / a
        integral = math.gamma(s) * math.gamma(2 - s) / a
    return float(((b - 1) * integral) ** (-1 / (b - 1)))


def effective_samples(
    samples: float,
    decay: float,
    bias: float,
    variance: float,
    noise: float = 1.0,
    dims: float = 1.0,
) -> float:
    """N ((bias + variance) / (bias + variance noise dims))^(a/(a-1)), what quantisation leaves of N samples.

    `bias` and `variance` are those of full precision, c_b (N gamma)^-((a-1)/a) and c_v gamma sigma_0^2
    (N gamma)^-((a-1)/a); `noise` is the ratio of the sigma_G^2, `dims` that of the effective dimensions. The bias
    is taken as that of full precision.
    """
    decay = _decay(decay)
    ratio = (bias + variance) / (bias + variance * noise * dims)
    return float(samples * ratio ** (decay / (decay - 1)))


def effective_dims(size: float, span: float, decay: float, kind: str, eps: float) -> float:
    """D_eff: min{M, ((1 + eps) N gamma)^(1/a)} for relative noise eps on the data, span = N gamma; for added
    noise min{M, (N gamma)^(1/a)} + M min{1, (N gamma eps)^2}.
    """
    decay = _decay(decay)
    one_of("kind", kind, ("added", "relative"))
    if kind == "relative":
        return float(min(size, ((1 + eps) * span) ** (1 / decay)))
    return float(min(size, span ** (1 / decay)) + size * min(1.0, (span * eps) ** 2))


def best_size(
    compute: float, eps: float, decay: float, constant: float = 1.0, size_constant: float = 1.0
) -> float:
    """M_opt = min{const C^(1/(a+1)), c eps^(-1/a)} for C = M N and added noise eps on the data (0: none).

    From M^-(a-1) against N^-((a-1)/a) at full precision, and no more coordinates than added noise leaves.
    """
    decay = _decay(decay)
    free = constant * finite("compute", compute, 0.0, above=True) ** (1 / (decay + 1))
    return effective_size(free, eps, decay, size_constant)


def data_noise(
    precision: Precision | str, scales: Scales = DEFAULT_SCALES, largest: float = 1.0
) -> tuple[str, float]:
    """'added' or 'relative', and eps, of the data of a precision; ('added', 0) where they are not rounded.

    An integer adds step^2 / 6 (stochastic) or step^2 / 12, with the default step made from `largest`, the root
    mean square of the largest feature; a float has its relative error. The grids of `excess_risk` are neither
    exactly: the noise of an integer falls on features below its step.
    """
    known = quantisers_of(precision).d
    if known is None:
        return "added", 0.0
    return as_noise(known, scales.d, largest)


def as_noise(known: Format, scale: float | None, largest: float) -> tuple[str, float]:
    """'added' or 'relative', and eps, of a format of the data; see `data_noise`."""
    if known.eps is not None:
        return "added" if known.noise == "add" else "relative", known.eps
    if known.is_integer:
        step = scale or default_step(known, largest)
        return "added", step**2 / (6 if known.rounding == "sr" else 12)
    return "relative", relative_error(known)


def largest_feature(problem: Regression) -> float:
    """The root mean square of the largest feature."""
    lam = problem.lam_at(np.array([1.0])) if problem.spectrum is None else problem.lam
    return math.sqrt(float(np.max(lam)))


def _decay(decay: float) -> float:
    if finite("decay", decay) <= 1:
        raise ValueError(
            f"decay is {decay!r}; the closed forms need a spectrum i^-decay with decay above 1"
        )
    return float(decay)
