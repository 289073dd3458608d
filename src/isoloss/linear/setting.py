"""What the engine knows of a problem and its data quantiser: five moments a coordinate, labels and norms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from isoloss.formats import Format
from isoloss.linear.grid_moments import symmetric_moments
from isoloss.linear.modes import Modes, modes_of
from isoloss.linear.quantisers import default_step, is_listed, levels_of
from isoloss.linear.regression import Regression

Array = NDArray[np.float64]
NORMAL = 3.0
#: E e^4 / eps^2 of the ideal noises, which are normal.
NOISE_KURTOSIS = 3.0
#: Second moments of u below this are zero: they would be denormal.
VANISHING = 1e-290


@dataclass(frozen=True)
class Setting:
    """Weighted coordinates with the joint moments of the feature x_i and its rounding u_i; arrays (n,).

    lam = E x^2, h = E u^2, f = E u^4, g = E u x, t = E u^3 x, b = E u^2 x^2, and for i != j
    E u_i^2 u_j^2 = rho4 h_i h_j, E u_i^2 u_j x_j = rho3 h_i g_j.
    Labels are y = <target, x> + noise of variance noise_var. `norm` and `best` are the norm and the optimum of
    clean inputs; `cross` (n, n) replaces norm best^2 where the clean norm is not diagonal here (a sketch).
    `signal` is E <best, x>^2 on clean inputs, `approximation` what no model of a sketch can learn.
    A stack of settings has arrays (P, n) and scalars (P, 1).
    """

    weight: Array
    lam: Array
    h: Array
    f: Array
    g: Array
    t: Array
    b: Array
    rho4: Array
    rho3: Array
    target: Array
    noise_var: Array
    norm: Array
    best: Array
    signal: Array
    approximation: Array
    exact: bool = True
    cross: Array | None = None

    @property
    def centre(self) -> Array:
        """c = g w* / h, the optimum on quantised inputs.

        Nearest rounding of features far below the first step has h = 0 in floating point; g / h goes to 1/2.
        """
        return self.target * np.divide(self.g, self.h, out=np.full_like(self.h, 0.5), where=self.h > 0)

    def total(self, values: Array) -> Array:
        """The sum over all coordinates of values (..., n), as (..., 1)."""
        return np.asarray(np.sum(self.weight * values, axis=-1, keepdims=True))


def stacked(settings: Sequence[Setting]) -> Setting:
    """Settings of as many coordinates each, as one with a leading axis."""
    arrays = {
        name: np.stack([getattr(each, name) for each in settings])
        for name in Setting.__dataclass_fields__
        if name not in ("exact", "cross")
    }
    cross = settings[0].cross if len(settings) == 1 else None
    return Setting(**arrays, exact=all(each.exact for each in settings), cross=cross)


def setting_of(problem: Regression, data: Format | None, scale: float | None, compressed: bool) -> Setting:
    """The setting of a problem whose data are rounded to `data` (None: not), remembered for a while."""
    return (_compressed if compressed and problem.smooth else _full)(problem, data, scale)


@lru_cache(maxsize=1024)
def _compressed(problem: Regression, data: Format | None, scale: float | None) -> Setting:
    steep = data is not None and data.noise is None and data.rounding != "sr"
    return _plain(problem, data, scale, modes_of(problem, True, steep))


@lru_cache(maxsize=2)
def _full(problem: Regression, data: Format | None, scale: float | None) -> Setting:
    return _plain(problem, data, scale, modes_of(problem, False))


def _plain(problem: Regression, data: Format | None, scale: float | None, modes: Modes) -> Setting:
    """The setting of a problem without sketch, in the coordinates of the features."""
    lam, kurtosis = modes.lam, problem.kurtosis
    h, f, g, t, b = _moments(lam, kurtosis, data, scale)
    rho4, rho3 = 1.0, 1.0
    if data is not None and data.noise == "vec" and data.eps is not None:
        fourth = 1 + 6 * data.eps + NOISE_KURTOSIS * data.eps**2
        rho4, rho3 = fourth / (1 + data.eps) ** 2, (1 + 3 * data.eps) / (1 + data.eps)
    signal = float(np.sum(modes.weight * lam * modes.target**2))
    return Setting(
        weight=modes.weight,
        lam=lam,
        h=h,
        f=f,
        g=g,
        t=t,
        b=b,
        rho4=scalar(rho4),
        rho3=scalar(rho3),
        target=modes.target,
        noise_var=scalar(problem.noise_var),
        norm=lam,
        best=modes.target,
        signal=scalar(signal),
        approximation=scalar(0.0),
        exact=data is None or data.noise is not None or is_listed(data),
    )


def scalar(value: float) -> Array:
    """A number as the (1,) that a setting holds."""
    return np.array([value])


def _moments(lam: Array, kurtosis: float, data: Format | None, scale: float | None) -> tuple[Array, ...]:
    """h, f, g, t, b of features of variance lam. Source: derived (second moments of independent noise)."""
    k4 = kurtosis * lam**2
    if data is None:
        return lam, k4, lam, k4, k4
    e = data.eps
    if data.noise == "add" and e is not None:
        return (lam + e, k4 + 6 * lam * e + NOISE_KURTOSIS * e**2, lam, k4 + 3 * lam * e, k4 + lam * e)
    if e is not None:  # one factor a sample or an element: the same on the diagonal
        s4 = 1 + 6 * e + NOISE_KURTOSIS * e**2
        return (1 + e) * lam, s4 * k4, lam, (1 + 3 * e) * k4, (1 + e) * k4
    return _grid(lam, kurtosis, data, scale)


def _grid(lam: Array, kurtosis: float, data: Format, scale: float | None) -> tuple[Array, ...]:
    """The moments on a real grid; too fine ones as noise of their mean size, which is a closure."""
    if kurtosis != NORMAL:
        raise ValueError(
            f"data on the grid '{data}' need normal features, kurtosis 3, not {kurtosis!r}; use ideal noise"
        )
    largest = float(np.sqrt(np.max(lam)))
    if is_listed(data):
        moments = symmetric_moments(levels_of(data, scale, largest), data.rounding == "sr", np.sqrt(lam))
        return tuple(np.where(moments.h > VANISHING, each, 0.0) for each in moments)
    return _moments(lam, kurtosis, *fine_noise(data, scale, largest))


def fine_noise(known: Format, scale: float | None, size: float) -> tuple[Format, float | None]:
    """Ideal noise as large as that of a grid too fine to be listed: added for integers, relative for floats."""
    if known.kind == "int":
        step = scale or default_step(known, size)
        return Format.parse(f"add({step**2 / (6 if known.rounding == 'sr' else 12)!r})"), None
    return Format.parse(f"coord({known.relative_error!r})"), None
