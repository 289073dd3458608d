"""The largest step size for which the second moments stay bounded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isoloss.linear.exact.step_operator import Operator
from isoloss.linear.update_rules import Coefficients

Array = NDArray[np.float64]


def stable(op: Operator, gamma: Array, rule: Coefficients) -> NDArray[np.bool_]:
    """For which points (P,) a step of size gamma (P, 1) of a rule (P, 1) keeps the moments bounded.

    The map of second moments is positive, so it leaves stability through the eigenvalue 1, where
    gamma^2 rho sum h^2 / delta = 1. With momentum b, delta = 2 gamma h (1 - b) + 2 b gamma^2 h^2 /
    (1 + b) - gamma^2 D; `_room` has every rule. Source: derived.
    """
    room, slope = _room(op, gamma, rule)
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
    fine = np.all((delta > 0) | ~there, axis=1) & (load[:, 0] < 1)
    if not _linear(rule):
        # Beyond the edge the formula of delta has another sign and means nothing.
        fine &= gamma[:, 0] * np.max(op.h, axis=1) < _edge(rule)[:, 0]
    return np.asarray(fine)


def limits(op: Operator, rule: Coefficients) -> Array:
    """The largest stable step size of each point, (P,); infinite where no feature is left.

    Newton's method on the load, halving where it leaves the bracket.
    """
    room, slope = _room(op, np.zeros_like(op.rho), rule)
    there = (op.h > 0) & (room > 0)
    # The end of the bracket: where the first coordinate loses its delta, or its mean its hold.
    ends = np.divide(room, slope, out=np.full_like(room, np.inf), where=there & (slope > 0))
    if not _linear(rule):
        ends = np.divide(_edge(rule), op.h, out=np.full_like(room, np.inf), where=there)
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
        if not _linear(rule):
            room, slope = _room(op, gamma[:, None], rule)
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


def _linear(rule: Coefficients) -> bool:
    """Whether delta / gamma is linear in gamma."""
    return bool(np.all(rule.direct == 0) or np.all(rule.keep == 0))


def _edge(rule: Coefficients) -> Array:
    """The gamma h at which the mean of a coordinate starts to alternate without end, (P, 1)."""
    b, c, d = rule
    return np.asarray(2 * (1 + b) / (c + d + d * b))


def _room(op: Operator, gamma: Array, rule: Coefficients) -> tuple[Array, Array]:
    """delta / gamma = room - gamma slope, with `slope` minus its derivative at gamma; both (P, n).

    With g = gamma h, the variance of v under noise of variance 1 in every gradient is T, that of an
    ARMA(2, 1) process, and delta = 1 / T + g^2 - gamma^2 D, where 1 / (g T) =

        (1 - b + g d b) (2 (1 + b) - g (c + d + d b)) / ((1 + b) k + g d b (c + d + d b)),  k = c +
        d (1 - b).
    """
    b, c, d = rule
    if np.all(d == 0):
        # Linear in gamma: the heavy ball, its u scaled by c.
        return 2 * op.h * (1 - b) / c, op.d - 2 * b * op.h**2 / (1 + b)
    if np.all(b == 0):
        return 2 * op.h / (c + d), op.d + 0.0 * op.h
    g, end = gamma * op.h, c + d + d * b
    up, across, under = 1 - b + g * d * b, 2 * (1 + b) - g * end, (1 + b) * (c + d * (1 - b))
    under = under + g * d * b * end
    inverse = up * across / under
    fall = inverse * (d * b / up - d * b * end / under) - up * end / under
    slope = op.d - op.h**2 * (1 + fall)
    return op.h * (inverse + g) - gamma * op.d + gamma * slope, slope
