"""The largest step size for which the second moments stay bounded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isoloss.linear.exact.step_operator import Operator

Array = NDArray[np.float64]


def stable(op: Operator, gamma: Array, momentum: Array) -> NDArray[np.bool_]:
    """For which points (P,) a step of size gamma (P, 1) with momentum (P, 1) keeps the moments
    bounded.

    The map of second moments is positive, so it leaves stability through the eigenvalue 1, where
    gamma^2 rho sum h^2 / delta = 1 with delta = 2 gamma h (1 - b) + 2 b gamma^2 h^2 / (1 + b) -
    gamma^2 D. Source: derived.
    """
    room, slope = _room(op, momentum)
    # delta is what one step takes off V_i beyond what its own noise gives back; it must stay
    # positive, and the rank-one load below one.
    delta = room - gamma * slope
    there = op.h > 0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        load = (
            gamma
            * op.rho
            * op.total(np.where(there, op.h / delta, 0.0) * np.where(there, op.h, 0.0))
        )
    return np.asarray(np.all((delta > 0) | ~there, axis=1) & (load[:, 0] < 1))


def limits(op: Operator, momentum: Array) -> Array:
    """The largest stable step size of each point, (P,); infinite where no feature is left.

    Newton's method on the load, halving where it leaves the bracket.
    """
    room, slope = _room(op, momentum)
    there = (op.h > 0) & (room > 0)
    # The end of the bracket: where the first coordinate loses its delta.
    ends = np.divide(room, slope, out=np.full_like(room, np.inf), where=there & (slope > 0))
    low, high = np.zeros(len(ends)), np.min(ends, axis=1)
    # Without slope the load would be linear: its end is beyond the limit, or as good a first guess
    # as any.
    light = op.rho[:, 0] * np.einsum("pn,pn->p", op.weight * op.h, _ratio(op.h, room, there))
    with np.errstate(divide="ignore"):
        gamma = np.where(np.isfinite(high), np.minimum(1 / light, high) / 2, 1 / light)
    empty = ~(light > 0)
    gamma[empty] = 1.0
    done = empty.copy()
    for _ in range(200):
        delta = room - gamma[:, None] * slope
        share = _ratio(op.h, delta, there & (delta > 0))
        # The load rises with gamma; where Newton's step leaves the bracket its middle is taken.
        load = gamma * op.rho[:, 0] * np.einsum("pn,pn->p", op.weight * op.h, share)
        # Its derivative with respect to gamma.
        rise = load / gamma + gamma * op.rho[:, 0] * np.einsum(
            "pn,pn,pn->p", op.weight, share**2, slope
        )
        fine = (load < 1) & np.all((delta > 0) | ~there, axis=1)
        low, high = np.where(fine, gamma, low), np.where(fine, high, gamma)
        with np.errstate(divide="ignore", invalid="ignore"):
            guess = gamma + (1 - load) / rise
        middle = np.where(np.isfinite(high), (low + high) / 2, 2 * low)
        near = np.abs(guess - gamma) <= 1e-15 * gamma
        after = np.where((guess > low) & (guess < high), guess, middle)
        done |= near | (np.isfinite(high) & (high - low <= 1e-15 * high))
        if done.all():
            break
        gamma = np.where(done, gamma, after)
    # A hair below the root, so that a step size of '1 limit' is judged stable in floating point.
    return np.where(empty, np.inf, (1 - 1e-13) * gamma)


def _ratio(above: Array, below: Array, where: NDArray[np.bool_]) -> Array:
    return np.divide(above, below, out=np.zeros_like(above), where=where)


def _room(op: Operator, momentum: Array) -> tuple[Array, Array]:
    """delta / gamma is room - gamma slope."""
    return 2 * op.h * (1 - momentum), op.d - 2 * momentum * op.h**2 / (1 + momentum)
