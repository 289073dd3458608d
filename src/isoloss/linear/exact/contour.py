"""Any number of constant steps at once, by inverting the generating function of the moments on a
contour.

With p = e^s, x = p - 1 and X~ = sum_t X_t p^(-t-1), one step (step_operator.py) becomes, by
coordinate,

    (x + delta) V~ = V_0 + gamma^2 (h (rho <h, V~> + rho <h, m2~> + <eta, m~>) + (D - h^2) m2~ +
    beta m~ + k / x) m~ = m_0 / (x + gamma h),   m2~ = m_0^2 / (x + gamma h (2 - gamma h)),   delta
    = 2 gamma h - gamma^2 D

so <h, V~> follows from a sum over coordinates (Sherman and Morrison), and X_T is the integral of
e^(sT) p X~ over 2 pi i on the modified Talbot contour of 26 nodes (13 with their conjugates), which
leaves 1e-11 of the variance of an average and 1e-14 of that of the last iterate. Cost: O(n),
whatever T is. Source: derived; contour of Weideman 2006 with the constants of Dingfelder and
Weideman 2015.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isoloss.linear.exact.state import State
from isoloss.linear.exact.step_operator import Operator

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
NODES = 26
#: Complex numbers that one array of the work holds, so that a few of them stay in cache.
BLOCK = 16_384
#: Fewer steps are stepped through: the contour would leave the strip where p = e^s is one to one.
FEWEST = 64
#: How small the share of what the contour does not enclose must be.
LOST = 1e-15


def _nodes() -> tuple[Complex, Complex]:
    """s T and the weight e^(sT) d(sT) 2 / N of the nodes above the axis."""
    # The 13 nodes above the axis; those below are their conjugates, which the imaginary part stands
    # for.
    theta = np.pi * np.arange(1, NODES, 2) / NODES
    turn = 0.6407 * theta
    z = NODES * (0.5017 * theta / np.tan(turn) - 0.6122 + 0.2645j * theta)
    slope = NODES * (0.5017 / np.tan(turn) - 0.5017 * turn / np.sin(turn) ** 2 + 0.2645j)
    return z, 2.0 / NODES * np.exp(z) * slope


_POINTS, _WEIGHTS = _nodes()


def contour_holds(op: Operator, gamma: Array, steps: NDArray[np.int64]) -> NDArray[np.bool_]:
    """For which points (P,) `contour_advanced` is right: enough steps, and what alternates in sign
    has died.

    gamma h > 1 gives poles q < 0, which the contour does not enclose; their share is |q|^T.
    """
    # Poles of the mean, 1 - gamma h, and of the variance, 1 - delta; a negative one lies where the
    # contour does not go round it.
    lowest = 1.0 - gamma[:, 0] * np.max(op.h, axis=1)
    lowest = np.minimum(lowest, 1.0 - np.max(2 * gamma * op.h - gamma**2 * op.d, axis=1))
    alternating = np.clip(-lowest, 0.0, 1.0)
    return np.asarray((steps >= FEWEST) & (alternating**steps < LOST))


def contour_advanced(
    at: State, op: Operator, gamma: Array, steps: NDArray[np.int64], summing: bool
) -> State:
    """The state after `steps` (P,) steps of size gamma (P, 1); unless `summing`, the sums stay what
    they are.
    """
    # Means have a closed form; only second moments need the contour.
    mean, total = contour_means(at, op, gamma, steps, summing)
    # Points in runs, and coordinates in cuts, so that a few complex arrays (P, K, n) stay in cache.
    var, cov, var_total = np.empty_like(at.var), at.cov.copy(), at.var_total.copy()
    for rows in _some(len(steps), op.h.shape[1] * len(_POINTS)):
        near, nodes = at.rows(rows), contour_nodes(steps[rows])
        blocks = [
            (cut, _block(near, op.rows(rows), gamma[rows], nodes.x, cut)) for cut in _cuts(near)
        ]
        sums = [(block.pull, block.through, block.seen) for _, block in blocks]
        drive = _drive(op.rows(rows), gamma[rows], sums)
        for cut, block in blocks:
            # V~ of every coordinate, once the sum <h, V~> is known.
            moved = block.known + block.h * block.near * drive
            var[rows, cut] = nodes.inverted(moved)
            if summing:
                # cov~: the sum's recursion cov+ = (1 - gamma h)(cov + V) is a geometric series
                # driven by V~.
                joint = (near.cov[:, None, cut] + block.q[:, None] * moved) * block.once
                cov[rows, cut] = nodes.inverted(joint)
                var_total[rows, cut] += nodes.inverted((2 * joint + moved) / nodes.x)
    return State(mean, var, total, var_total, cov)


def contour_spread(
    at: State, op: Operator, gamma: Array, steps: NDArray[np.int64], summing: bool, norm: Array
) -> Array:
    """The sum over coordinates of norm (P, n) times the variance after the steps, of the sum or the
    last; (P,).
    """
    spread = np.empty(len(steps))
    for rows in _some(len(steps), op.h.shape[1] * len(_POINTS)):
        near, here, nodes = at.rows(rows), op.rows(rows), contour_nodes(steps[rows])
        # Only the sum with the norm is asked for: the inversion is of one number a node and not of
        # n.
        weight = here.weight * norm[rows]
        sums, parts = [], []
        for cut in _cuts(near):
            block = _block(near, here, gamma[rows], nodes.x, cut)
            sums.append((block.pull, block.through, block.seen))
            parts.append(_functional(block, near, nodes.x, cut, weight[:, cut], summing))
        known, driven = (sum(column) for column in zip(*parts, strict=True))
        whole = nodes.inverted(known + driven * _drive(here, gamma[rows], sums))[:, 0]
        before = np.sum(weight * near.var_total, axis=1) if summing else 0.0
        spread[rows] = whole + before
    return spread


def contour_means(
    at: State, op: Operator, gamma: Array, steps: NDArray[np.int64], summing: bool
) -> tuple[Array, Array]:
    """The means of v and of its sum after the steps, in closed form; both (P, n)."""
    gh, span = gamma * op.h, steps[:, None].astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        # log1p and expm1 keep the digits of 1 - (1 - gamma h)^T for small gamma h, where the power
        # loses them.
        decay = np.where(gh < 1, span * np.log1p(-gh), 0.0)
        shrunk = np.where(gh < 1, np.expm1(decay), np.power(1 - gh, span) - 1)
        counted = np.where(gh > 0, -shrunk / gh, span)
    return at.mean * (1 + shrunk), at.total + at.mean * counted if summing else at.total


class Nodes(NamedTuple):
    """x = p - 1 and the weights of the inversion, for some points; both (P, K, 1)."""

    x: Complex
    weight: Complex

    def inverted(self, values: Complex, chosen: NDArray[np.intp] | slice = slice(None)) -> Array:
        """What has the transform values (P, K, n): (P, n); or the share of the chosen nodes
        in it.
        """
        return np.asarray(np.matmul(self.weight[:, None, chosen, 0], values).imag[:, 0])


def contour_nodes(steps: NDArray[np.int64]) -> Nodes:
    """The nodes above the axis for steps (P,)."""
    span = steps[:, None, None].astype(float)
    # x = e^s - 1 and never p - 1 afterwards: s is of the size 1 / T, and p would lose it at T =
    # 1e9.
    x = np.expm1(_POINTS[:, None] / span)
    return Nodes(x, _WEIGHTS[:, None] / span * (1 + x))


class _Block(NamedTuple):
    """Transforms on some coordinates, (P, K, n), and sums over them, (P, K, 1).

    V~ = known + h near (pull + rank <h, V~>); through and seen are <h, h near> and <h, known>.
    """

    once: Complex
    known: Complex
    near: Complex
    h: Complex
    q: Array
    pull: Complex
    through: Complex
    seen: Complex


def _block(at: State, op: Operator, gamma: Array, x: Complex, cut: slice) -> _Block:
    h, weight, mean = op.h[:, cut], op.weight[:, cut], at.mean[:, cut]
    g2, gh = gamma**2, gamma * h
    # Three inverses of x + a real number: nearly all the divisions there are.
    square, wh = mean * mean, weight * h
    once, twice = _inverse(x, gh), _inverse(x, gh * (2 - gh))
    near = _inverse(x, 2 * gh - g2 * op.d[:, cut])
    pull = _dot(g2 * op.rho * wh * square, twice) + _dot(g2 * weight * op.eta[:, cut] * mean, once)
    # In place, one array after the other: allocating would take longer than the arithmetic.
    known = np.multiply(twice, _complex(g2 * (op.d[:, cut] - h * h) * square), out=twice)
    known += once * _complex(g2 * op.beta[:, cut] * mean)
    known += (1 / x) * _complex(g2 * op.k[:, cut])
    if at.var[:, cut].any():  # not in the first stretch
        known += at.var[:, None, cut]
    known *= near
    return _Block(once, known, near, _complex(h), 1 - gh, pull, _dot(wh * h, near), _dot(wh, known))


def _drive(op: Operator, gamma: Array, sums: list[tuple[Complex, Complex, Complex]]) -> Complex:
    """What multiplies h near in V~, from pull, through and seen of all blocks; (P, K, 1)."""
    # Sherman and Morrison: V~ = known + h near (pull + rank S), S = <h, V~>, gives S = (seen + pull
    # through) / (1 - rank through).
    rank = (gamma**2 * op.rho)[:, None]
    pull, through, seen = (sum(column) for column in zip(*sums, strict=True))
    return np.asarray(pull + rank * (seen + pull * through) / (1 - rank * through))


def _functional(
    block: _Block, at: State, x: Complex, cut: slice, weight: Array, summing: bool
) -> tuple[Complex, Complex]:
    """The parts without and with the drive of the sum of weight times the transform of the
    variance; (P, K, 1).
    """
    # The same sums as in contour_advanced, but contracted with the weights before the inversion.
    by_h = weight * block.h[:, 0].real
    if not summing:
        return _dot(weight, block.known), _dot(by_h, block.near)
    tail = block.once * _complex(2 * block.q)
    tail += 1
    cov = at.cov[:, cut]
    before = _dot(2 * weight * cov, block.once) if cov.any() else 0.0
    known = np.multiply(block.known, tail, out=block.known)
    tail *= block.near
    return (_dot(weight, known) + before) / x, _dot(by_h, tail) / x


def _inverse(x: Complex, real: Array) -> Complex:
    """1 / (x + real) for x (P, K, 1) and real (P, n), quicker than a complex division."""
    total = real[:, None] + x.real
    # 1 / (a + ib) = (a - ib) / (a^2 + b^2), with b the same for all coordinates of a node.
    size = total * total
    size += x.imag**2
    np.divide(1.0, size, out=size)
    out = np.empty(total.shape, dtype=complex)
    np.multiply(total, size, out=out.real)
    np.multiply(size, -x.imag, out=out.imag)
    return out


def _complex(real: Array) -> Complex:
    """(P, n) as (P, 1, n) complex numbers, whose products with others are quicker than those of
    real ones.
    """
    return real[:, None].astype(complex)


def _dot(real: Array, values: Complex) -> Complex:
    """The sum over coordinates of real (P, n) times values (P, K, n), as (P, K, 1)."""
    return np.asarray(np.matmul(values, real[:, :, None]))


def _some(count: int, size: int) -> list[slice]:
    """Rows in runs whose work stays in cache; `size` complex numbers a row."""
    step = max(1, BLOCK // size)
    return [slice(low, low + step) for low in range(0, count, step)]


def _cuts(at: State) -> list[slice]:
    """Coordinates in runs whose work stays in cache."""
    rows, width = at.mean.shape
    step = max(1, BLOCK // (rows * len(_POINTS)))
    return [slice(low, low + step) for low in range(0, width, step)]
