"""The five moments of a feature and its rounding that a setting holds, for ideal noise and for real
grids.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isoloss.formats import Format, NoiseLevels, noise_model, relative_error
from isoloss.linear.moments.mixtures import moments_on_grid
from isoloss.linear.quantisers import default_step, is_listed, levels_of

Array = NDArray[np.float64]
#: Second moments of u below this are zero: they would be denormal.
VANISHING = 1e-290


def data_moments(
    lam: Array, kurtosis: float, data: Format | None, scale: float | None
) -> tuple[Array, ...]:
    """h, f, g, t, b of features of variance lam. Source: derived (second moments of independent
    noise).
    """
    # E x^4, (n,).
    k4 = kurtosis * lam**2
    if data is None:
        return lam, k4, lam, k4, k4
    noise = noise_levels(data)
    return _grid(lam, kurtosis, data, scale) if noise is None else _noisy(lam, k4, noise)


def noise_levels(known: Format | None) -> NoiseLevels | None:
    """The variances of an ideal noise, u = x + n + s x; None where a format is none or a real
    grid.
    """
    if known is None or known.noise is None:
        return None
    return noise_model(known.noise).levels(known.eps or 0.0)


def _noisy(lam: Array, k4: Array, noise: NoiseLevels) -> tuple[Array, ...]:
    """h, f, g, t, b of u = (1 + s) x + n, with n and s symmetric and independent of x.

    On the diagonal it makes no difference whether s is shared. Each line is the expansion of E u^j
    x^k, with E (1 + s)^2, (1 + s)^3, (1 + s)^4 = s2, s3, s4; of the distribution only the kurtosis
    counts.
    """
    e, add = noise.mul, noise.add
    s2, s3, s4 = 1 + e, 1 + 3 * e, 1 + 6 * e + noise.fourth
    return (
        s2 * lam + add,
        s4 * k4 + 6 * (s2 * lam) * add + noise.kurtosis * add**2,
        lam,
        s3 * k4 + 3 * lam * add,
        s2 * k4 + lam * add,
    )


def shared_factors(data: Format | None) -> tuple[float, float]:
    """rho4 and rho3 of a setting: what a factor that all coordinates share adds between two of
    them.
    """
    noise = noise_levels(data)
    if noise is None or not noise.shared:
        return 1.0, 1.0
    # Two symmetric factors of variance m and covariance c: E (1+s)^2 (1+s')^2 and E (1+s)^2 (1+s').
    m, c = noise.mul, noise.shared
    fourth = 1 + (2 * m + 4 * c) + noise.pair
    return fourth / (1 + m) ** 2, (1 + (m + 2 * c)) / (1 + m)


def _grid(lam: Array, kurtosis: float, data: Format, scale: float | None) -> tuple[Array, ...]:
    """The moments on a real grid; too fine ones as noise of their mean size, which is a closure."""
    # An integer's default step is made for the largest feature.
    largest = float(np.sqrt(np.max(lam)))
    if is_listed(data):
        moments = moments_on_grid(data, levels_of(data, scale, largest), kurtosis, np.sqrt(lam))
        # Denormal moments would make quotients such as g / h noise; they are zero together.
        return tuple(np.where(moments.h > VANISHING, each, 0.0) for each in moments)
    return data_moments(lam, kurtosis, *fine_noise(data, scale, largest))


def fine_noise(known: Format, scale: float | None, size: float) -> tuple[Format, float | None]:
    """Ideal noise as large as that of a grid too fine to be listed: added for integers, relative
    for floats.
    """
    if known.is_integer:
        # Uniform error in a cell of width step: step^2 / 12 to nearest; stochastic, p (1 - p)
        # step^2 in the mean, step^2 / 6.
        step = scale or default_step(known, size)
        noise = "add_uniform" if known.rounding == "dither" else "add"
        return Format.parse(f"{noise}({step**2 / (6 if known.rounding == 'sr' else 12)!r})"), None
    return Format.parse(f"coord({relative_error(known)!r})"), None
