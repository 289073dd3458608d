"""What the engine knows of a problem and its data quantiser: five moments a coordinate, labels and
norms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Setting:
    """Weighted coordinates with the joint moments of the feature x_i and its rounding u_i; arrays
    (n,).

    lam = E x^2, h = E u^2, f = E u^4, g = E u x, t = E u^3 x, b = E u^2 x^2, and for i != j
    E u_i^2 u_j^2 = rho4 h_i h_j, E u_i^2 u_j x_j = rho3 h_i g_j.
    Labels are y = <target, x> + noise of variance noise_var. `norm` and `best` are the norm and the
    optimum of clean inputs; `cross` (n, n) replaces norm best^2 where the clean norm is not
    diagonal here (a sketch). `signal` is E <best, x>^2 on clean inputs, `approximation` what no
    model of a sketch can learn. A stack of settings has arrays (P, n) and scalars (P, 1).
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

    @cached_property
    def centre(self) -> Array:
        """c = g w* / h, the optimum on rounded features.

        Nearest rounding of features far below the first step has h = 0 in floating point; g / h
        goes to 1/2.
        """
        return self.target * np.divide(
            self.g, self.h, out=np.full_like(self.h, 0.5), where=self.h > 0
        )

    def total(self, values: Array) -> Array:
        """The sum over all coordinates of values (..., n), as (..., 1)."""
        return np.asarray(np.sum(self.weight * values, axis=-1, keepdims=True))


def stacked(settings: Sequence[Setting]) -> Setting:
    """Settings of as many coordinates each, as one with a leading axis."""
    # A view for one setting, copies for more: a stack of one is the common case of a large dim.
    arrays = {
        name: getattr(settings[0], name)[None]
        if len(settings) == 1
        else np.stack([getattr(each, name) for each in settings])
        for name in Setting.__dataclass_fields__
        if name not in ("exact", "cross")
    }
    cross = settings[0].cross if len(settings) == 1 else None
    return Setting(**arrays, exact=all(each.exact for each in settings), cross=cross)


def scalar(value: float) -> Array:
    """A number as the (1,) that a setting holds."""
    return np.array([value])
