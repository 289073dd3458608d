"""How much every constant of a law moves the loss of a run: what a run can say about them."""

from __future__ import annotations

import numpy as np

from isoloss.fits.solve.problem import Coordinates
from isoloss.laws import Array, Inputs, Jet, Law


def log_slopes(law: Law, theta: Array, x: Inputs) -> Array:
    """Derivatives of log loss by the free constants at many vectors (S, p), shape (S, n, p).

    ``theta`` is in the solver's coordinates and in the order of ``law.free``, as the draws of a
    fit. Zero for constants that a run does not depend on, NaN outside the law's domain.
    """
    coordinates = Coordinates(law)
    out = np.zeros((*np.shape(theta)[:1], len(x), len(coordinates.free)))
    with np.errstate(all="ignore"):
        loss = law.formula.loss(coordinates.jets(theta), x)
        if isinstance(loss, Jet):
            for i, slope in loss.grad.items():
                out[:, :, i] = slope / loss.value
    return out
