"""Any number of constant steps at once, by inverting the generating function of the moments on a contour.

With p = e^s, x = p - 1 and X~ = sum_t X_t p^(-t-1), one step of operator.py becomes, coordinate by coordinate,

    (x + delta) V~ = V_0 + gamma^2 (h (rho <h, V~> + rho <h, m2~> + <eta, m~>) + (D - h^2) m2~ + beta m~ + k / x)
    m~ = m_0 / (x + gamma h),   m2~ = m_0^2 / (x + gamma h (2 - gamma h)),   delta = 2 gamma h - gamma^2 D

so <h, V~> follows from a sum over coordinates (Sherman and Morrison), and X_T is the integral of e^(sT) p X~
over 2 pi i on the modified Talbot contour of 24 nodes (12 with their conjugates). Cost: O(n), whatever T is.
Source: derived; contour of Weideman 2006 with the constants of Dingfelder and Weideman 2015.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isoloss.linear.operator import Operator
from isoloss.linear.state import State

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
NODES = 24
#: Complex numbers that one array of the work holds, so that a few of them stay in cache.
BLOCK = 16_384
#: Fewer steps are stepped through: the contour would leave the strip where p = e^s is one to one.
FEWEST = 64
#: How small the share of what the contour does not enclose must be.
LOST = 1e-15


def _nodes() -> tuple[Complex, Complex]:
    """s T and the weight e^(sT) d(sT) 2 / N of the 12 nodes above the axis."""
    theta = np.pi * np.arange(1, NODES, 2) / NODES
    turn = 0.6407 * theta
    z = NODES * (0.5017 * theta / np.tan(turn) - 0.6122 + 0.2645j * theta)
    slope = NODES * (0.5017 / np.tan(turn) - 0.5017 * turn / np.sin(turn) ** 2 + 0.2645j)
    return z, 2.0 / NODES * np.exp(z) * slope


_POINTS, _WEIGHTS = _nodes()


def contour_holds(op: Operator, gamma: Array, steps: NDArray[np.int64]) -> NDArray[np.bool_]:
    """For which points (P,) `contour_advanced` is right: enough steps, and what alternates in sign has died.

    gamma h > 1 gives poles q < 0, which the contour does not enclose; their share is |q|^T.
    """
    lowest = 1.0 - gamma[:, 0] * np.max(op.h, axis=1)
    lowest = np.minimum(lowest, 1.0 - np.max(2 * gamma * op.h - gamma**2 * op.d, axis=1))
    alternating = np.where(lowest < 0, -lowest, 0.0)
    return np.asarray((steps >= FEWEST) & (alternating**steps < LOST))


def contour_advanced(at: State, op: Operator, gamma: Array, steps: NDArray[np.int64], summing: bool) -> State:
    """The state after `steps` (P,) steps of size gamma (P, 1); unless `summing`, the sums stay what they are."""
    mean, total = contour_means(at, op, gamma, steps, summing)
    var, cov, var_total = np.empty_like(at.var), at.cov.copy(), at.var_total.copy()
    for rows in _some(len(steps), op.h.shape[1] * len(_POINTS)):
        near, nodes = at.rows(rows), _Nodes.of(steps[rows])
        blocks = [(cut, _block(near, op.rows(rows), gamma[rows], nodes.x, cut)) for cut in _cuts(near)]
        drive = _drive(op.rows(rows), gamma[rows], [block for _, block in blocks])
        for cut, block in blocks:
            moved = block.known + block.reach * drive
            var[rows, cut] = nodes.inverted(moved)
            if summing:
                joint = (near.cov[:, None, cut] + block.q * moved) * block.once
                cov[rows, cut] = nodes.inverted(joint)
                var_total[rows, cut] += nodes.inverted((2 * joint + moved) / nodes.x)
    return State(mean, var, total, var_total, cov)


def contour_spread(
    at: State, op: Operator, gamma: Array, steps: NDArray[np.int64], summing: bool, norm: Array
) -> Array:
    """The sum over coordinates of norm (P, n) times the variance after the steps, of the sum or the last; (P,)."""
    spread = np.empty(len(steps))
    for rows in _some(len(steps), op.h.shape[1] * len(_POINTS)):
        near, here, nodes = at.rows(rows), op.rows(rows), _Nodes.of(steps[rows])
        weight = (here.weight * norm[rows])[:, None]
        blocks, sums = [], []
        for cut in _cuts(near):
            block, by = _block(near, here, gamma[rows], nodes.x, cut), weight[:, :, cut]
            blocks.append(block.without_vectors())
            sums.append(_functional(block, near, nodes.x, cut, by, summing))
        known, reach = (sum(column) for column in zip(*sums, strict=True))
        whole = nodes.inverted(known + reach * _drive(here, gamma[rows], blocks))[:, 0]
        before = np.sum(weight[:, 0] * near.var_total, axis=1) if summing else 0.0
        spread[rows] = whole + before
    return spread


def contour_means(
    at: State, op: Operator, gamma: Array, steps: NDArray[np.int64], summing: bool
) -> tuple[Array, Array]:
    """The means of v and of its sum after the steps, in closed form; both (P, n)."""
    gh, span = gamma * op.h, steps[:, None].astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        decay = np.where(gh < 1, span * np.log1p(-gh), 0.0)
        shrunk = np.where(gh < 1, np.expm1(decay), np.power(1 - gh, span) - 1)
        counted = np.where(gh > 0, -shrunk / gh, span)
    return at.mean * (1 + shrunk), at.total + at.mean * counted if summing else at.total


class _Nodes(NamedTuple):
    """x = p - 1 and the weights of the inversion, for some points; both (P, K, 1)."""

    x: Complex
    weight: Complex

    @classmethod
    def of(cls, steps: NDArray[np.int64]) -> _Nodes:
        span = steps[:, None, None].astype(float)
        x = np.expm1(_POINTS[:, None] / span)
        return cls(x, _WEIGHTS[:, None] / span * (1 + x))

    def inverted(self, values: Complex) -> Array:
        """What has the transform values (P, K, n): (P, n)."""
        return np.asarray(np.matmul(self.weight[:, None, :, 0], values).imag[:, 0])


class _Block(NamedTuple):
    """Transforms on some coordinates, (P, K, n), and sums over them, (P, K, 1).

    V~ = known + reach (pull + rank <h, V~>); through and seen are <h, reach> and <h, known>.
    """

    once: Complex
    known: Complex
    reach: Complex
    q: Array
    pull: Complex
    through: Complex
    seen: Complex

    def without_vectors(self) -> _Block:
        return self._replace(once=self.pull, known=self.pull, reach=self.pull, q=self.q[..., :1])


def _block(at: State, op: Operator, gamma: Array, x: Complex, cut: slice) -> _Block:
    h, weight, mean = op.h[:, cut], op.weight[:, cut], at.mean[:, cut]
    g2, gh = gamma**2, gamma * h
    square, wh = mean * mean, weight * h
    once, twice = _inverse(x, gh), _inverse(x, gh * (2 - gh))
    near = _inverse(x, 2 * gh - g2 * op.d[:, cut])
    pull = _dot(g2 * op.rho * wh * square, twice) + _dot(g2 * weight * op.eta[:, cut] * mean, once)
    known = twice * (g2 * (op.d[:, cut] - h * h) * square)[:, None]
    known += once * (g2 * op.beta[:, cut] * mean)[:, None]
    known += (1 / x) * (g2 * op.k[:, cut])[:, None] + at.var[:, None, cut]
    known *= near
    reach = near * h[:, None]
    return _Block(once, known, reach, (1 - gh)[:, None], pull, _dot(wh, reach), _dot(wh, known))


def _drive(op: Operator, gamma: Array, blocks: list[_Block]) -> Complex:
    """What multiplies reach in V~, from the sums of all blocks; (P, K, 1)."""
    rank = (gamma**2 * op.rho)[:, None]
    pull, through, seen = (
        sum(getattr(each, name) for each in blocks) for name in ("pull", "through", "seen")
    )
    return np.asarray(pull + rank * (seen + pull * through) / (1 - rank * through))


def _functional(
    block: _Block, at: State, x: Complex, cut: slice, weight: Array, summing: bool
) -> tuple[Complex, Complex]:
    """The parts known and reach of the sum of weight times the transform of the variance; both (P, K, 1)."""
    by = weight[:, 0]
    if not summing:
        return _dot(by, block.known), _dot(by, block.reach)
    tail = block.once * (2 * block.q)
    tail += 1
    before = _dot(2 * by * at.cov[:, cut], block.once)
    return (_dot(by, block.known * tail) + before) / x, _dot(by, block.reach * tail) / x


def _inverse(x: Complex, real: Array) -> Complex:
    """1 / (x + real) for x (P, K, 1) and real (P, n), quicker than a complex division."""
    total = real[:, None] + x.real
    size = total * total
    size += x.imag**2
    np.divide(1.0, size, out=size)
    out = np.empty(total.shape, dtype=complex)
    np.multiply(total, size, out=out.real)
    np.multiply(size, -x.imag, out=out.imag)
    return out


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
