"""A projected Newton method with damping that walks many parameter vectors at once.

Every vector has its own damping and stops on its own; finished ones leave the batch. Each step
minimises the local quadratic model (exact Hessian, negative curvature turned positive) plus
damping in the metric of the weighted least-squares step, within the bounds: a constant at its
bound whose gradient points outward is held there.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from isoloss.files import in_threads
from isoloss.fits.solve.problem import Problem
from isoloss.fits.solve.slots import Slots
from isoloss.laws import Array, Mask

#: Numbers a block of the batch may hold, so that its arrays stay in the processor's cache.
BLOCK = 1 << 16


@dataclass(frozen=True)
class Solution:
    """Where many walks ended.

    Attributes
    ----------
    theta
        Constants in the solver's coordinates, shape (S, p).
    value
        The objective there, shape (S,).
    gradient
        Norm of the projected gradient, shape (S,).
    converged
        Whether each walk converged, shape (S,).
    steps
        Steps of each walk, shape (S,).
    """

    theta: Array
    value: Array
    gradient: Array
    converged: Mask
    steps: Array


def solve(
    problem: Problem,
    theta: Array,
    *,
    tolerance: float = 1e-9,
    max_steps: int = 200,
    callback: Callable[[int], None] | None = None,
    bounds: tuple[Array, Array] | None = None,
) -> Solution:
    """Ends of walks downhill from theta (S, p), each until the relative fall is below tolerance.

    ``bounds`` are lower and upper ends of every walk's own, (S, p) each, in place of those of the
    constants: where the two are equal, that constant is held there.
    """
    coordinates = problem.coordinates
    lower, upper = bounds or (coordinates.lower[None, :], coordinates.upper[None, :])
    lower, upper = (np.broadcast_to(edge, np.shape(theta)) for edge in (lower, upper))
    size = max(1, BLOCK // max(1, len(problem.x)))
    blocks = [slice(start, start + size) for start in range(0, len(theta), size)]

    def walk(rows: slice) -> Solution:
        box = lower[rows], upper[rows]
        part = _walk(problem.part(rows), theta[rows], box, tolerance, max_steps)
        if callback is not None:
            callback(len(part.value))
        return part

    parts = in_threads(walk, blocks, min(len(blocks), _cores()))
    columns = zip(
        *((s.theta, s.value, s.gradient, s.converged, s.steps) for s in parts), strict=True
    )
    return Solution(*(np.concatenate(column) for column in columns))


def _cores() -> int:
    """Cores that this process may use; numpy releases the interpreter in long loops."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass
class _State:
    theta: Array
    value: Array
    damping: Array
    growth: Array


def _walk(
    problem: Problem, theta: Array, box: tuple[Array, Array], tolerance: float, max_steps: int
) -> Solution:
    lower, upper = box
    theta = np.clip(theta, lower, upper)
    count = len(theta)
    end = Solution(
        theta.copy(),
        problem.value(theta),
        np.full(count, np.inf),
        np.zeros(count, dtype=bool),
        np.zeros(count),
    )
    alive = np.flatnonzero(np.isfinite(end.value))
    state = _State(
        theta[alive], end.value[alive], np.full(len(alive), 1e-2), np.full(len(alive), 2.0)
    )
    current, lower, upper = problem.part(alive), lower[alive], upper[alive]
    slots = problem.slots
    for step in range(1, max_steps + 1):
        if not len(alive):
            break
        done, gradient = _step(current, slots, state, lower, upper, tolerance)
        end.theta[alive], end.value[alive], end.gradient[alive] = state.theta, state.value, gradient
        end.steps[alive] = step
        end.converged[alive] = done
        if done.any():
            kept = ~done
            alive = alive[kept]
            state = _State(
                state.theta[kept], state.value[kept], state.damping[kept], state.growth[kept]
            )
            current, lower, upper = problem.part(alive), lower[kept], upper[kept]
    return end


@np.errstate(all="ignore")  # walks leave the law's domain, and what is not finite is refused
def _step(
    problem: Problem, slots: Slots, s: _State, lower: Array, upper: Array, tolerance: float
) -> tuple[Mask, Array]:
    """Move the state by one step, accepted or refused; which walks are done, scaled gradients."""
    _, gradient, hessian, metric = problem.derivatives(s.theta, slots)
    held = ((s.theta <= lower) & (gradient > 0)) | ((s.theta >= upper) & (gradient < 0))
    gradient = np.where(held, 0.0, gradient)
    scale = 1.0 / np.sqrt(np.maximum(metric, 1e-30 + 1e-14 * metric.max(axis=1, keepdims=True)))
    scale = np.where(held, 0.0, scale)
    curved = hessian * scale[:, :, None] * scale[:, None, :]
    curved = np.where(np.isfinite(curved), curved, 0.0)
    downhill = np.where(np.isfinite(gradient), gradient * scale, 0.0)
    size, axes = np.linalg.eigh(curved)
    along = (axes.transpose(0, 2, 1) @ downhill[:, :, None])[:, :, 0]
    bend = np.maximum(np.abs(size), 1e-12)
    move = -(axes @ (along / (bend + s.damping[:, None]))[:, :, None])[:, :, 0] * scale
    trial = np.clip(s.theta + move, lower, upper)
    move = trial - s.theta
    promised = -(gradient * move).sum(-1) - 0.5 * (
        move * (hessian @ move[:, :, None])[:, :, 0]
    ).sum(-1)
    possible = 0.5 * (along * along / (bend + s.damping[:, None])).sum(-1)
    value = problem.value(trial)
    fell = s.value - value
    good = (fell > 0) & (fell > 1e-4 * promised)
    small = possible <= tolerance * s.value + 1e-300
    done = (small & ((s.damping <= 1.0) | ~good)) | (s.damping > 1e10)
    ratio = np.where(promised > 0, fell / np.maximum(promised, 1e-300), 0.5)
    ease = np.clip(1.0 - (2.0 * ratio - 1.0) ** 3, 0.1, 1.0)
    s.theta = np.where(good[:, None], trial, s.theta)
    s.value = np.where(good, value, s.value)
    s.damping = np.where(good, np.maximum(s.damping * ease, 1e-12), s.damping * s.growth)
    s.growth = np.where(good, 2.0, s.growth * 2.0)
    return done, np.sqrt((downhill * downhill).sum(-1))
