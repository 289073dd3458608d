"""The closed forms of effective sizes and of the best model size, as functions of plain numbers.

All are orders derived in the notes on Zhang et al. 2026 (2602.19241), whose full text was not at
hand: spectrum i^-a, a target of unit size, noise eps on the data. The constants that stand here are
derived here.
"""

from __future__ import annotations

import math

import numpy as np

from isoloss.formats import Format, Precision, relative_error
from isoloss.linear.asked import check_inputs
from isoloss.linear.checks import finite, one_of
from isoloss.linear.moments import noise_levels
from isoloss.linear.quantisers import DEFAULT_SCALES, Scales, default_step, quantisers_of
from isoloss.linear.regression import Regression


def effective_size(size: float, eps: float, decay: float, constant: float = 1.0) -> float:
    """Model size that added noise on the data leaves, min{M, c eps^(-1/a)}.

    The order is that of approximation and floor together, for either inputs.

    Parameters
    ----------
    size : float
        M, coordinates.
    eps : float
        Variance of the added noise; 0 leaves M.
    decay : float
        a of the spectrum i^-a, above 1.
    constant : float
        c, which `size_constant` has.

    Returns
    -------
    float
        The effective size.

    Raises
    ------
    ValueError
        An argument is out of range.
    """
    eps, decay = finite("eps", eps, 0.0), _decay(decay)
    size, constant = finite("size", size, 0.0), finite("constant", constant, 0.0)
    return size if not eps else min(size, constant * eps ** (-1 / decay))


def size_constant(decay: float, inputs: str = "clean", source: float | None = None) -> float:
    """The c of `effective_size` in the limit of many samples, many coordinates and small eps.

    There approximation and floor are half of I eps^((b-1)/a), and the approximation of M
    coordinates is half of M^-(b-1) / (b-1), so c = ((b-1) I)^(-1/(b-1)), with E lam_i w*_i^2 = i^-b
    and

        in use  I = int t^(a-b) / (1 + t^a)      = pi / (a sin(pi (a-b+1)/a))
        clean   I = int t^(2a-b) / (1 + t^a)^2   = G(s) G(2-s) / a,  s = 2 - (b-1)/a

    Source: derived here. At a = 2: 4/pi on clean inputs, 2/pi in use.

    Parameters
    ----------
    decay : float
        a, above 1.
    inputs : str
        'clean' or 'in use'.
    source : float, optional
        b; by default a, unit targets.

    Returns
    -------
    float
        c.

    Raises
    ------
    ValueError
        The integral does not exist: b must be above 1, below a + 1 (in use) or 2 a + 1 (clean).
    """
    a, b = _decay(decay), finite("source", decay if source is None else source)
    check_inputs(inputs)
    top = a + 1 if inputs == "in use" else 2 * a + 1
    if not 1 < b < top:
        raise ValueError(f"the source exponent is {b:g}; accepted is above 1 and below {top:g}")
    if inputs == "in use":
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
    """Samples that quantisation leaves, N ((bias + variance) / (bias + variance noise
    dims))^(a/(a-1)).

    The bias is taken as that of full precision.

    Parameters
    ----------
    samples : float
        N.
    decay : float
        a of the spectrum i^-a, above 1.
    bias, variance : float
        Of full precision, c_b (N gamma)^-((a-1)/a) and c_v gamma sigma_0^2 (N gamma)^-((a-1)/a).
    noise : float
        Ratio of the sigma_G^2, quantised over full precision.
    dims : float
        Ratio of the effective dimensions.

    Returns
    -------
    float
        The effective samples.

    Raises
    ------
    ValueError
        An argument is out of range.
    """
    decay, samples = _decay(decay), finite("samples", samples, 0.0)
    bias, variance = finite("bias", bias, 0.0), finite("variance", variance, 0.0)
    noise, dims = finite("noise", noise, 0.0), finite("dims", dims, 0.0)
    if bias + variance * noise * dims <= 0:
        raise ValueError(
            f"bias {bias:g} and variance {variance:g} leave no risk; give a positive one"
        )
    ratio = (bias + variance) / (bias + variance * noise * dims)
    return float(samples * ratio ** (decay / (decay - 1)))


def effective_dims(size: float, span: float, decay: float, kind: str, eps: float) -> float:
    """D_eff: min{M, ((1 + eps) N gamma)^(1/a)} for relative noise eps on the data, span = N gamma;
    for added noise min{M, (N gamma)^(1/a)} + M min{1, (N gamma eps)^2}.
    """
    decay = _decay(decay)
    one_of("kind", kind, ("added", "relative"))
    if kind == "relative":
        return float(min(size, ((1 + eps) * span) ** (1 / decay)))
    return float(min(size, span ** (1 / decay)) + size * min(1.0, (span * eps) ** 2))


def best_size(
    compute: float, eps: float, decay: float, constant: float = 1.0, size_constant: float = 1.0
) -> float:
    """Best model size in closed form, min{const C^(1/(a+1)), c eps^(-1/a)} for C = M N.

    From M^-(a-1) against N^-((a-1)/a) at full precision, and no more coordinates than added noise
    leaves.

    Parameters
    ----------
    compute : float
        C, coordinates times samples.
    eps : float
        Variance of added noise on the data; 0 is none.
    decay : float
        a of the spectrum i^-a, above 1.
    constant : float
        const.
    size_constant : float
        c of `effective_size`.

    Returns
    -------
    float
        M_opt.

    Raises
    ------
    ValueError
        An argument is out of range.
    """
    decay = _decay(decay)
    constant, size_constant = (
        finite("constant", constant, 0.0),
        finite("size_constant", size_constant, 0.0),
    )
    free = constant * finite("compute", compute, 0.0, above=True) ** (1 / (decay + 1))
    return effective_size(free, eps, decay, size_constant)


def data_noise(
    precision: Precision | str, scales: Scales = DEFAULT_SCALES, largest: float = 1.0
) -> tuple[str, float]:
    """'added' or 'relative', and eps, of the data of a precision; ('added', 0) where they are not
    rounded.

    An integer adds step^2 / 6 (stochastic) or step^2 / 12, with the default step made from
    `largest`, the root mean square of the largest feature; a float has its relative error. The
    grids of `excess_risk` are neither exactly: the noise of an integer falls on features below its
    step.
    """
    known = quantisers_of(precision).d
    if known is None:
        return "added", 0.0
    return as_noise(known, scales.d, largest)


def as_noise(known: Format, scale: float | None, largest: float) -> tuple[str, float]:
    """'added' or 'relative', and eps, of a format of the data; see `data_noise`.

    Raises ValueError for noise that is both.
    """
    noise = noise_levels(known)
    if noise is not None:
        if noise.add and noise.mul:
            raise ValueError(
                f"the closed forms know noise that is added or relative, not '{known}', which is "
                "both"
            )
        return ("added", noise.add) if noise.only_added else ("relative", noise.mul)
    if known.is_integer:
        step = scale or default_step(known, largest)
        return "added", step**2 / (6 if known.rounding == "sr" else 12)
    return "relative", relative_error(known)


def is_mixed(known: Format | None) -> bool:
    """Whether noise on the data is both added and relative, for which no closed form is known."""
    noise = noise_levels(known)
    return noise is not None and noise.add > 0 and noise.mul > 0


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
