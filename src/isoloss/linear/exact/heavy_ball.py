"""Any number of steps with momentum at once: the contour of contour.py for the moments of w and its
speed u.

With momentum b and g = gamma h, the variances V of v, S of u and their covariance C move by

    S+ = b^2 S - 2 b g C + G,   C+ = b C - g V + S+,   V+ = V + 2 (b C - g V) + S+

with G = gamma^2 times the variance of the stochastic gradient (state.py), which holds D V and rho h
<h, V>. The generating functions solve by hand: with e = p - b, w = 1 / (x e + 2 g p), a = 2 b g^2 /
e + gamma^2 D and Q = (p - b^2) / p + 2 b g / e - a (p + b) w,

    s = (b^2 S_0 / p - 2 b g C_0 / e + a w r + F~ + h drive) / Q,   V~ = w (r + (p + b) s),   r = e
    V_0 + 2 b C_0

where s is the transform of S+, F~ what does not depend on V, and drive the rank-one term. Source:
derived.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isoloss.linear.exact.contour import BLOCK, FEWEST, LOST, Complex, contour_nodes
from isoloss.linear.exact.state import State
from isoloss.linear.exact.step_operator import Operator

Array = NDArray[np.float64]


class _Ball(NamedTuple):
    """What all coordinates share at the nodes, each (P, K, 1): p - 1, p, p - b, p + b and b."""

    x: Complex
    p: Complex
    e: Complex
    up: Complex
    b: Array


class _Second(NamedTuple):
    """Initial second moments of (v, v), (v, u) and (u, u), each (P, 1, n)."""

    v: Array
    c: Array
    s: Array


def ball_holds(
    op: Operator, gamma: Array, momentum: Array, steps: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """For which points (P,) `ball_advanced` is right: enough steps for all that turns or alternates
    to have died.

    The roots of z^2 - (1 + b - g) z + b are complex, of size root b, or real; negative ones are not
    enclosed.
    """
    g = gamma * op.h
    # Roots middle +- sqrt(inner); where inner < 0 both have the size root b.
    middle = (1 + momentum - g) / 2
    inner = middle**2 - momentum
    turning = np.where(inner < 0, np.sqrt(momentum), 0.0)
    lowest = middle - np.sqrt(np.maximum(inner, 0.0))
    alternating = np.where((inner >= 0) & (lowest < 0), -lowest, 0.0)
    size = np.maximum(np.max(np.maximum(turning, alternating), axis=1), momentum[:, 0])
    with np.errstate(under="ignore"):
        # What turns must have died to LOST before the contour, which goes round the positive axis
        # only, is right.
        died = (steps >= FEWEST) & (size**steps < LOST)
    for row in np.flatnonzero(died):
        here = slice(row, row + 1)
        died[row] = _nothing_else(op.rows(here), gamma[here], momentum[here], steps[row])
    return np.asarray(died)


def _nothing_else(op: Operator, gamma: Array, momentum: Array, steps: int) -> bool:
    """Whether noise that feeds back makes no pole away from the axis that is still alive after the
    steps.

    Such a pole p has 1 = gamma^2 D T(p) for a coordinate, or 1 = gamma^2 rho sum h^2 T / (1 -
    gamma^2 D T), with T the response of V to G; both are below 1 on the circle |p|^steps = LOST
    where the contour does not reach.
    """
    # Angles from the edge of the contour's strip to pi, dense where a pole may sit close to the
    # axis.
    angles = np.unique(np.append(np.geomspace(8 / steps, np.pi, 24), np.linspace(0.1, np.pi, 24)))
    angles = angles[angles >= 8 / steps]
    some = max(1, BLOCK // op.h.size)
    g2, g = gamma[:, None] ** 2, (gamma * op.h)[:, None]
    for low in range(0, len(angles), some):
        x = np.expm1((math.log(LOST) / steps + 1j * angles[low : low + some])[None, :, None])
        b = momentum[:, None]
        none = np.zeros_like(g)
        _, response, _ = _second(
            _Second(none, none, none), g, none, 0.0, _Ball(x, 1 + x, 1 - b + x, 1 + b + x, b)
        )
        # By the maximum principle it is enough to look at the circle: no pole of a coordinate, then
        # none of the sum.
        own = g2 * op.d[:, None] * np.abs(response)
        if np.max(own) >= 1:
            return False
        shares = (op.weight * op.h**2)[:, None] * np.abs(response) / (1 - own)
        if np.max(g2 * op.rho[:, None] * np.sum(shares, axis=2, keepdims=True)) >= 1:
            return False
    return True


def ball_advanced(
    at: State, op: Operator, gamma: Array, momentum: Array, steps: NDArray[np.int64], summing: bool
) -> State:
    """The state after `steps` (P,) steps of size gamma (P, 1) with momentum (P, 1); sums only where
    `summing`.
    """
    arrays = [np.zeros_like(op.h) for _ in State.__dataclass_fields__]
    nodes = contour_nodes(steps)
    count = nodes.x.shape[1]
    for chosen in np.array_split(
        np.arange(count), min(count, math.ceil(count * op.h.size / BLOCK))
    ):
        # p - b = (1 - b) + x and never p - b: digits of x would be lost.
        x, b = nodes.x[:, chosen], momentum[:, None]
        ball = _Ball(x, 1 + x, 1 - b + x, 1 + b + x, b)
        moved = _transforms(at, op, gamma, ball)
        for array, values in zip(arrays, moved, strict=True):
            if values is not None:
                array += nodes.inverted(values, chosen)
    after = dict(zip(State.__dataclass_fields__, arrays, strict=True))
    if not summing:
        kept = ("total", "var_total", "cov", "cov_total")
        after |= {name: getattr(at, name) for name in kept}
    return State(**after)


def _transforms(at: State, op: Operator, gamma: Array, ball: _Ball) -> tuple[Complex, ...]:
    """The transforms of all moments of a state, in its order, each (P, K, n)."""
    x, p, e, _, b = ball
    g, g2, h = (gamma * op.h)[:, None], gamma[:, None] ** 2, op.h[:, None]
    wh, eta = (op.weight * op.h)[:, None], (op.weight * op.eta)[:, None]
    m0, u0, v, s, c, cov_total = (_there(each) for each in (
        at.mean, at.speed, at.var, at.var_speed, at.cov_speed, at.cov_total
    ))  # fmt: skip
    total, var_total, cov = (_there(each) for each in (at.total, at.var_total, at.cov))
    # Transforms of the means, from m+ = m + u+, u+ = b u - g m.
    once = 1 / (x * e + g * p)
    mean = (e * m0 + b * u0) * once
    speed = (u0 - g * mean) / e
    square, _, _ = _second(_Second(m0 * m0, m0 * u0, u0 * u0), g, g * g, 0.0, ball)
    # Force without V: squares of the means, their linear terms and the constant.
    rank = g2 * op.rho[:, None]
    pull = rank * _sum(wh * square) + g2 * _sum(eta * mean)
    force = g2 * ((op.d[:, None] - h * h) * square + op.beta[:, None] * mean + op.k[:, None] / x)
    first = _Second(v, c, s)
    known, reach, _ = _second(first, g, g2 * op.d[:, None], force, ball)
    # The rank-one term by Sherman and Morrison, as on the plain contour.
    drive = pull + rank * (_sum(wh * known) + pull * _sum(wh * h * reach)) / (
        1 - rank * _sum(wh * h * reach)
    )
    var = known + h * reach * drive
    # S~ and C~ follow from V~ by the recursions above, without a division by small numbers.
    after = ((x * e + 2 * g * p) * var - (e * v + 2 * b * c)) / ball.up
    both = (c - g * var + after) / e
    joint = (e * cov + b * cov_total + (e - g * p) * var + p * b * both) * once
    turned = (b * cov_total + p * b * both - g * p * (joint + var)) / e
    return (
        mean, var, (total + mean) / x, (var_total + 2 * joint + var) / x, joint,
        speed, (after + s) / p, both, (turned + cov_total) / p,
    )  # fmt: skip


def _second(
    first: _Second, g: Array, own: Array, force: Complex | float, ball: _Ball
) -> tuple[Complex, Complex, Complex]:
    """V~ without the rank-one term, what multiplies h drive in it, and Q."""
    x, p, e, up, b = ball
    # The 3 x 3 system of (V, C, S), solved by hand; letters are those of the top of this file.
    w = 1 / (x * e + 2 * g * p)
    a = 2 * b * g * g / e + own
    q = (p - b * b) / p + 2 * b * g / e - a * up * w
    r = e * first.v + 2 * b * first.c
    s = (b * b * first.s / p - 2 * b * g * first.c / e + a * w * r + force) / q
    return w * (r + up * s), w * up / q, q


def _there(array: Array | None) -> Array:
    if array is None:
        raise AssertionError("a state with momentum has a speed")
    return array[:, None]


def _sum(values: Complex) -> Complex:
    return np.asarray(np.sum(values, axis=2, keepdims=True))
