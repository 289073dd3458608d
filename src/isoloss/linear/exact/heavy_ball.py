"""Any number of steps with momentum at once: the contour of contour.py for the moments of w and its
speed u.

With momentum b and g = gamma h, the variances V of v, S of u and their covariance C move under the
heavy ball by

    S+ = b^2 S - 2 b g C + G,   C+ = b C - g V + S+,   V+ = V + 2 (b C - g V) + S+

with G = gamma^2 times the variance of the stochastic gradient (state.py), which holds D V and rho h
<h, V>. The generating functions solve by hand: with e = p - b, w = 1 / (x e + 2 g p), a = 2 b g^2 /
e + gamma^2 D and Q = (p - b^2) / p + 2 b g / e - a (p + b) w,

    s = (b^2 S_0 / p - 2 b g C_0 / e + a w r + F~ + h drive) / Q,   V~ = w (r + (p + b) s),   r = e
    V_0 + 2 b C_0

where s is the transform of S+, F~ what does not depend on V, and drive the rank-one term. Any other
rule u+ = b u - g, v+ = v + c u+ - d g answers noise of variance 1 in one gradient by squares of its
impulse response, whose transform has the poles of products of two roots of z^2 + y z + q:

    T(p) = ((p + q) (a^2 p + d^2 b^2) + 2 y a d b p) / ((p - q) ((p + q)^2 - y^2 p)),
    a = c + d,  y = a g - 1 - b,  q = b (1 - g d)

and V~ = (I + T (F~ + h drive)) / (1 + (g^2 - gamma^2 D) T), with I what the first moments leave.
Source: derived.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isoloss.linear.exact.contour import BLOCK, FEWEST, LOST, Complex, contour_nodes
from isoloss.linear.exact.state import State
from isoloss.linear.exact.step_operator import Operator
from isoloss.linear.update_rules import Coefficients

Array = NDArray[np.float64]


class _Ball(NamedTuple):
    """What all coordinates share at the nodes, each (P, K, 1): p - 1, p, p - b, p + b, and the rule
    (P, 1, 1).
    """

    x: Complex
    p: Complex
    e: Complex
    up: Complex
    rule: Coefficients

    @property
    def reach(self) -> Complex:
        """(c + d) p - d b, what turns gradients into steps; without a difference of near
        numbers.
        """
        b, c, d = self.rule
        return np.asarray(c + d * (1 - b) + (c + d) * self.x)


def _ball(x: Complex, rule: Coefficients) -> _Ball:
    # p - b = (1 - b) + x and never p - b: digits of x would be lost.
    wide = Coefficients(*(each[:, None] for each in rule))
    return _Ball(x, 1 + x, 1 - wide.keep + x, 1 + wide.keep + x, wide)


class _Second(NamedTuple):
    """Initial second moments of (v, v), (v, u) and (u, u), each (P, 1, n)."""

    v: Array
    c: Array
    s: Array


def ball_holds(
    op: Operator, gamma: Array, rule: Coefficients, steps: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """For which points (P,) `ball_advanced` is right: enough steps for all that turns or alternates
    to have died.

    The roots of z^2 - (1 + b - a g) z + b (1 - g d) are complex, of size root q, or real; negative
    ones are not enclosed.
    """
    b, c, d = rule
    g = gamma * op.h
    # Roots middle +- sqrt(inner); where inner < 0 both have the size root q.
    middle, both = (1 + b - (c + d) * g) / 2, b * (1 - g * d)
    inner = middle**2 - both
    turning = np.where(inner < 0, np.sqrt(np.maximum(both, 0.0)), 0.0)
    lowest = middle - np.sqrt(np.maximum(inner, 0.0))
    alternating = np.where((inner >= 0) & (lowest < 0), -lowest, 0.0)
    size = np.maximum(np.max(np.maximum(turning, alternating), axis=1), b[:, 0])
    with np.errstate(under="ignore"):
        # What turns must have died to LOST before the contour, which goes round the positive axis
        # only, is right.
        died = (steps >= FEWEST) & (size**steps < LOST)
    for row in np.flatnonzero(died):
        here = slice(row, row + 1)
        died[row] = _nothing_else(op.rows(here), gamma[here], rule.rows(here), steps[row])
    return np.asarray(died)


def _nothing_else(op: Operator, gamma: Array, rule: Coefficients, steps: int) -> bool:
    """Whether noise that feeds back makes no pole away from the axis that is still alive after the
    steps.

    Such a pole p has 1 = (gamma^2 D - g^2) T(p) for a coordinate, or 1 = gamma^2 rho sum h^2 T / (1
    - (gamma^2 D - g^2) T); both are below 1 on the circle |p|^steps = LOST where the contour does
    not reach. T is a series of squares, so turning coordinates, which are its largest on the axis,
    pass wherever the step size is stable.
    """
    # Angles from the edge of the contour's strip to pi, dense where a pole may sit close to the
    # axis.
    angles = np.unique(np.append(np.geomspace(8 / steps, np.pi, 24), np.linspace(0.1, np.pi, 24)))
    angles = angles[angles >= 8 / steps]
    some = max(1, BLOCK // op.h.size)
    g2, g = gamma[:, None] ** 2, (gamma * op.h)[:, None]
    fed = np.abs(g2 * op.d[:, None] - g * g)
    for low in range(0, len(angles), some):
        x = np.expm1((math.log(LOST) / steps + 1j * angles[low : low + some])[None, :, None])
        response = np.abs(_response(g, _ball(x, rule)))
        # By the maximum principle it is enough to look at the circle: no pole of a coordinate, then
        # none of the sum.
        own = fed * response
        if np.max(own) >= 1:
            return False
        shares = (op.weight * op.h**2)[:, None] * response / (1 - own)
        if np.max(g2 * op.rho[:, None] * np.sum(shares, axis=2, keepdims=True)) >= 1:
            return False
    return True


def ball_advanced(
    at: State,
    op: Operator,
    gamma: Array,
    rule: Coefficients,
    steps: NDArray[np.int64],
    summing: bool,
) -> State:
    """The state after `steps` (P,) steps of size gamma (P, 1) of a rule (P, 1); sums only where
    `summing`.
    """
    arrays = [np.zeros_like(op.h) for _ in State.__dataclass_fields__]
    nodes = contour_nodes(steps)
    count = nodes.x.shape[1]
    for chosen in np.array_split(
        np.arange(count), min(count, math.ceil(count * op.h.size / BLOCK))
    ):
        moved = _transforms(at, op, gamma, _ball(nodes.x[:, chosen], rule))
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
    x, p, e, up, (b, c, _) = ball
    g, g2, h = (gamma * op.h)[:, None], gamma[:, None] ** 2, op.h[:, None]
    wh, eta = (op.weight * op.h)[:, None], (op.weight * op.eta)[:, None]
    m0, u0, v, s, cov_speed, cov_total = (_there(each) for each in (
        at.mean, at.speed, at.var, at.var_speed, at.cov_speed, at.cov_total
    ))  # fmt: skip
    total, var_total, cov = (_there(each) for each in (at.total, at.var_total, at.cov))
    # Transforms of the means, from m+ = m + c u+ - d g m, u+ = b u - g m.
    moves = g * ball.reach
    once = 1 / (x * e + moves)
    mean = (e * m0 + c * b * u0) * once
    speed = (u0 - g * mean) / e
    square, _ = _second(_Second(m0 * m0, m0 * u0, u0 * u0), g, g * g, 0.0, ball)
    # Force without V: squares of the means, their linear terms and the constant.
    rank = g2 * op.rho[:, None]
    pull = rank * _sum(wh * square) + g2 * _sum(eta * mean)
    force = g2 * ((op.d[:, None] - h * h) * square + op.beta[:, None] * mean + op.k[:, None] / x)
    first = _Second(v, cov_speed, s)
    known, reach = _second(first, g, g2 * op.d[:, None], force, ball)
    # The rank-one term by Sherman and Morrison, as on the plain contour.
    drive = pull + rank * (_sum(wh * known) + pull * _sum(wh * h * reach)) / (
        1 - rank * _sum(wh * h * reach)
    )
    var = known + h * reach * drive
    if ball.rule.heavy:
        # S~ and C~ follow from V~ by the recursions above, without a division by small numbers.
        after = ((x * e + 2 * g * p) * var - (e * v + 2 * b * cov_speed)) / up
        both, fast = (cov_speed - g * var + after) / e, (after + s) / p
    else:
        noise = force + g2 * op.d[:, None] * var + h * drive
        both, fast = _with_speed(first, g, var, noise, ball)
    joint = (e * cov + c * b * cov_total + (e - moves) * var + c * p * b * both) * once
    turned = (b * cov_total + p * b * both - g * p * (joint + var)) / e
    return (
        mean, var, (total + mean) / x, (var_total + 2 * joint + var) / x, joint,
        speed, fast, both, (turned + cov_total) / p,
    )  # fmt: skip


def _with_speed(
    first: _Second, g: Array, var: Complex, noise: Complex, ball: _Ball
) -> tuple[Complex, Complex]:
    """C~ and S~ of any rule, from V~ and the transform of G."""
    e, (b, c, d) = ball.e, ball.rule
    # (p - b^2) S = S_0 - 2 b g C + G put into the recursion of C; 1 - b^2 + x keeps the digits.
    slow = ball.x + (1 - b) * (1 + b)
    pulled = first.c - g * var + (c + d) * noise + c * b * b * (first.s + noise) / slow
    both = pulled / (e + (2 * c + d) * b * g + 2 * c * b**3 * g / slow)
    return both, (first.s + noise - 2 * b * g * both) / slow


def _second(
    first: _Second, g: Array, own: Array, force: Complex | float, ball: _Ball
) -> tuple[Complex, Complex]:
    """V~ without the rank-one term, and what multiplies h drive in it."""
    if not ball.rule.heavy:
        answer = _response(g, ball)
        left = 1 + (g * g - own) * answer
        return (_left_of(first, g, ball) + answer * force) / left, answer / left
    x, p, e, up, (b, _, _) = ball
    # The 3 x 3 system of (V, C, S), solved by hand; letters are those of the top of this file.
    w = 1 / (x * e + 2 * g * p)
    a = 2 * b * g * g / e + own
    q = (p - b * b) / p + 2 * b * g / e - a * up * w
    r = e * first.v + 2 * b * first.c
    s = (b * b * first.s / p - 2 * b * g * first.c / e + a * w * r + force) / q
    return w * (r + up * s), w * up / q


def _poles(g: Array, ball: _Ball) -> tuple[Array, Complex]:
    """q of z^2 + y z + q, and (p - q) ((p + q)^2 - y^2 p), whose roots are products of two of
    its.
    """
    x, (b, c, d) = ball.x, ball.rule
    a, q = c + d, b * (1 - g * d)
    # Expanded around p = 1, where (1 + q)^2 - y^2 is a small product for a slow coordinate.
    slow = g * (c + d * (1 - b)) * (2 * (1 + b) - g * (a + d * b))
    rise = 2 * (1 + q) - (1 + b - a * g) ** 2
    return q, (x + (1 - b) + b * g * d) * (slow + x * (rise + x))


def _response(g: Array, ball: _Ball) -> Complex:
    """T(p): the transform of the squares of what one unit of gradient does to v."""
    x, (b, c, d) = ball.x, ball.rule
    a, k = c + d, c + d * (1 - b)
    q, poles = _poles(g, ball)
    first = k * ((1 + b) * k + g * d * b * (a + d * b))  # the numerator at p = 1
    rise = a * a * (2 + q) + (d * b) ** 2 - 2 * (1 + b - a * g) * a * d * b
    return np.asarray((first + x * (rise + a * a * x)) / poles)


def _left_of(first: _Second, g: Array, ball: _Ball) -> Complex:
    """I(p): the transform of the second moment of v that first moments of (v, u) leave without
    noise.
    """
    p, e, (b, c, d) = ball.p, ball.e, ball.rule
    a, f = c + d, c * b
    q, poles = _poles(g, ball)
    slow = ball.x + (1 - b) * (1 + b)  # p - b^2
    of_v = e * slow + g * b * (2 * a * p - d * (p + b * b))
    of_c = 2 * f * (slow - g * (a * p - d * b * b))
    return np.asarray((first.v * of_v + first.c * of_c + first.s * f * f * (p + q)) / poles)


def _there(array: Array | None) -> Array:
    if array is None:
        raise AssertionError("a rule with a state of its own has a speed")
    return array[:, None]


def _sum(values: Complex) -> Complex:
    return np.asarray(np.sum(values, axis=2, keepdims=True))
