"""The five moments of a feature and its rounding that a setting holds, for ideal noise and for real grids."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isoloss.formats import Format, relative_error
from isoloss.linear.moments.grid_moments import symmetric_moments
from isoloss.linear.quantisers import default_step, is_listed, levels_of

Array = NDArray[np.float64]
NORMAL = 3.0
#: E e^4 / eps^2 of the ideal noises, which are normal.
NOISE_KURTOSIS = 3.0
#: Second moments of u below this are zero: they would be denormal.
VANISHING = 1e-290


def data_moments(
    lam: Array, kurtosis: float, data: Format | None, scale: float | None
) -> tuple[Array, ...]:
    """h, f, g, t, b of features of variance lam. Source: derived (second moments of independent noise)."""
    k4 = kurtosis * lam**2
    if data is None:
        return lam, k4, lam, k4, k4
    e = data.eps
    if data.noise == "add" and e is not None:
        return (
            lam + e,
            k4 + 6 * lam * e + NOISE_KURTOSIS * e**2,
            lam,
            k4 + 3 * lam * e,
            k4 + lam * e,
        )
    if e is not None:  # one factor a sample or an element: the same on the diagonal
        s4 = 1 + 6 * e + NOISE_KURTOSIS * e**2
        return (1 + e) * lam, s4 * k4, lam, (1 + 3 * e) * k4, (1 + e) * k4
    return _grid(lam, kurtosis, data, scale)


def shared_factors(data: Format | None) -> tuple[float, float]:
    """rho4 and rho3 of a setting: what a factor that all coordinates share adds between two of them."""
    if data is None or data.noise != "vec" or data.eps is None:
        return 1.0, 1.0
    fourth = 1 + 6 * data.eps + NOISE_KURTOSIS * data.eps**2
    return fourth / (1 + data.eps) ** 2, (1 + 3 * data.eps) / (1 + data.eps)


def _grid(lam: Array, kurtosis: float, data: Format, scale: float | None) -> tuple[Array, ...]:
    """The moments on a real grid; too fine ones as noise of their mean size, which is a closure."""
    if kurtosis != NORMAL:
        raise ValueError(
            f"data on the grid '{data}' need normal features, kurtosis 3, not {kurtosis!r}; use ideal noise"
        )
    largest = float(np.sqrt(np.max(lam)))
    if is_listed(data):
        moments = symmetric_moments(
            levels_of(data, scale, largest), data.rounding == "sr", np.sqrt(lam)
        )
        return tuple(np.where(moments.h > VANISHING, each, 0.0) for each in moments)
    return data_moments(lam, kurtosis, *fine_noise(data, scale, largest))


def fine_noise(known: Format, scale: float | None, size: float) -> tuple[Format, float | None]:
    """Ideal noise as large as that of a grid too fine to be listed: added for integers, relative for floats."""
    if known.is_integer:
        step = scale or default_step(known, size)
        return Format.parse(f"add({step**2 / (6 if known.rounding == 'sr' else 12)!r})"), None
    return Format.parse(f"coord({relative_error(known)!r})"), None
