"""What the compiled closure of nearest rounding takes: the operator's parts that no level changes,
and every level that does not move, as arrays and numbers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isoloss.formats import Format
from isoloss.linear.exact.state import State
from isoloss.linear.exact.step_operator import Noise, ideal
from isoloss.linear.exact.walking import Way, kernels_of, pace_of, pieces_of
from isoloss.linear.moments import Setting, fine_noise
from isoloss.linear.quantisers import is_grid, is_listed, levels_of

Array = NDArray[np.float64]
#: Kinds of a part, as in nearest_walk.py: ideal noise or none; noise in place of a grid too fine to
#: list; a listed grid.
IDEAL, FINE, LISTED = range(3)


class Part(NamedTuple):
    """One of activation and gradient: its kind, ideal noise or that in place of a fine grid, and
    how a listed grid rounds.
    """

    kind: int
    add: float
    mul: float
    shared: float
    is_float: bool
    stochastic: bool


class Nearest(NamedTuple):
    """A closure of nearest rounding as compiled code takes it."""

    known: Array
    scalars: tuple[float, ...]
    parts: tuple[Part, Part]
    grids: tuple[Array, Array, Array]
    step: float  # of the parameter's grid where that is even, else 0


def nearest_of(
    at: Setting,
    batch: float,
    label: tuple[float, Noise, float],
    parts: tuple[tuple[Format | None, float | None, float], ...],
    levels: Array,
) -> Nearest:
    """The arrays of a stacked setting of one point; `label` is gain, noise and bend of the labels,
    `parts` format, scale and default size of activation and gradient, `levels` the parameter's
    grid.
    """
    rho4, rho3 = float(np.ravel(at.rho4)[0]), float(np.ravel(at.rho3)[0])
    noise_var = float(np.ravel(at.noise_var)[0])
    h, c, target = at.h, at.centre, at.target
    # The letters of step_operator.py, at gains of one: a gain of labels over activations multiplies
    # c and target, and with them each of these by itself or its square.
    diagonal, pull = at.f - rho4 * h * h, rho3 * at.g * target - rho4 * h * c
    skew = target * at.t - c * at.f - h * pull
    power = at.lam * target**2
    left = power - 2 * rho3 * at.g * target * c + rho4 * h * c * c
    alone = target**2 * at.b - 2 * target * c * at.t + c * c * at.f
    rest = h * (noise_var + at.total(left) - left) + alone
    on_label = h * (noise_var + at.total(power) - power) + target**2 * at.b
    spread = diagonal * c * c + rho4 * h * at.total(h * c * c)
    arrays = (at.weight, h, diagonal, c, skew, pull, rest, on_label, (at.g * target) ** 2, spread)
    sum_label = noise_var + float(at.total(power)[0, 0])
    sum_left = noise_var + float(at.total(power - h * c * c)[0, 0])
    gain, noise, bend = label
    scalars = (batch, rho4, gain, *(float(each) for each in noise), bend, sum_label, sum_left)
    signed = np.concatenate([-levels[:0:-1], levels])
    (on_a, a_grid), (on_g, g_grid) = (_part(*each) for each in parts)
    return Nearest(
        np.array([np.broadcast_to(each, h.shape)[0] for each in arrays], dtype=float),
        scalars,
        (on_a, on_g),
        (a_grid, g_grid, signed),
        even_step(levels),
    )


def even_step(levels: Array) -> float:
    """The distance of levels that ascend evenly from 0; 0 for others."""
    # Without an absolute tolerance: any grid is even beside numbers large enough.
    even = np.allclose(np.diff(levels), levels[1], rtol=1e-12, atol=0.0)
    return float(levels[1]) if even else 0.0


def _part(known: Format | None, scale: float | None, size: float) -> tuple[Part, Array]:
    none = np.zeros(1)
    if known is None or not is_grid(known):
        add, mul, shared = (float(each) for each in ideal(known))
        return Part(IDEAL, add, mul, shared, False, False), none
    if not is_listed(known):
        fine = ideal(fine_noise(known, scale, size)[0])
        return Part(FINE, float(fine.add), float(fine.mul), 0.0, known.is_float, False), none
    part = Part(LISTED, 0.0, 0.0, 0.0, known.is_float, known.rounding == "sr")
    return part, np.asarray(levels_of(known, scale, size), dtype=float)


def nearest_walked(
    nearest: Nearest, at: Array, sizes: Array, rule: Any, summing: bool, way: Way
) -> Array:
    """The moments (9, n) of w and its speed, in the order of a state, behind steps of sizes
    (T,).
    """
    kernels, state = kernels_of("nearest_walk"), at.copy()
    work = np.zeros((5, state.shape[1]))
    pace = pace_of(len(sizes), state.shape[1], way, nearest=True)
    for piece in pieces_of(len(sizes), pace.machine):
        now = np.ascontiguousarray(sizes[piece])
        kernels.walk_nearest(now, *nearest, tuple(rule), state, work, summing)
        if way.told is not None:
            way.told(piece.stop / len(sizes))
    return state


def around(at: Array, centre: Array, summed: int) -> State:
    """The state of v = w - centre for moments (9, n) of w, `summed` of which are in the sum."""
    mean, var, total, *others = (each[None] for each in at)
    return State(mean - centre, var, total - summed * centre, *others)
