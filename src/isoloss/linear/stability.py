"""The largest step size for which the second moments stay bounded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isoloss.linear.operator import Operator

Array = NDArray[np.float64]


def stable(op: Operator, gamma: Array, momentum: Array) -> NDArray[np.bool_]:
    """For which points (P,) a step of size gamma (P, 1) with momentum (P, 1) keeps the moments bounded.

    The map of second moments is positive, so it leaves stability through the eigenvalue 1, where
    gamma^2 rho sum h^2 / delta = 1 with delta = 2 gamma h (1 - b) + 2 b gamma^2 h^2 / (1 + b) - gamma^2 D.
    Source: derived.
    """
    room, slope = _room(op, momentum)
    delta = room - gamma * slope
    there = op.h > 0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        load = gamma * op.rho * op.total(np.where(there, op.h / delta, 0.0) * np.where(there, op.h, 0.0))
    return np.asarray(np.all((delta > 0) | ~there, axis=1) & (load[:, 0] < 1))


def limits(op: Operator, momentum: Array) -> Array:
    """The largest stable step size of each point, (P,); infinite where no feature is left."""
    size = np.max(op.h, axis=1, keepdims=True)
    low = np.zeros_like(size)
    with np.errstate(divide="ignore"):
        high = np.where(size > 0, 1.0 / np.where(size > 0, size, 1.0), np.inf)
    for _ in range(64):
        fine = stable(op, high, momentum)[:, None] & np.isfinite(high)
        if not fine.any():
            break
        low, high = np.where(fine, high, low), np.where(fine, 2 * high, high)
    # In a few steps towards zero, then by halving: the limit may be far below 1 / h.
    for _ in range(110):
        middle = np.where(low > 0, (low + high) / 2, high / 16)
        middle = np.where(np.isfinite(middle), middle, 0.0)
        fine = stable(op, middle, momentum)[:, None]
        low, high = np.where(fine, middle, low), np.where(fine, high, middle)
        if np.all((high - low <= 1e-15 * high) | ~(size > 0)):
            break
    return np.where(size[:, 0] > 0, low[:, 0], np.inf)


def _room(op: Operator, momentum: Array) -> tuple[Array, Array]:
    """delta / gamma is room - gamma slope."""
    return 2 * op.h * (1 - momentum), op.d - 2 * momentum * op.h**2 / (1 + momentum)
