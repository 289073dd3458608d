"""A whole descent as a chain of stretches of constant step size, each jumped over or stepped
through.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isoloss.linear.descent import SGD, first_averaged
from isoloss.linear.exact.contour import (
    contour_advanced,
    contour_holds,
    contour_means,
    contour_spread,
)
from isoloss.linear.exact.heavy_ball import ball_advanced, ball_holds
from isoloss.linear.exact.state import Seen, State, start, state_of
from isoloss.linear.exact.step_operator import Operator
from isoloss.linear.exact.walking import Way, announced, check_walk, varied, walked
from isoloss.linear.update_rules import Coefficients

Array = NDArray[np.float64]
#: Size of what still turns below which few coordinates stand for all.
TURNING = 1e-13


@dataclass(frozen=True)
class Stretch:
    """`steps` steps of one size, or of the given sizes (steps,); `summing` adds their iterates to
    the sum.
    """

    size: float | Array
    steps: int
    summing: bool


@dataclass(frozen=True)
class Course:
    """The stretches of a descent and how many iterates its result averages (0: the last
    iterate).
    """

    stretches: tuple[Stretch, ...]
    averaged: int
    rule: Coefficients

    @property
    def shape(self) -> tuple[object, ...]:
        """What courses share that run side by side."""
        sizes = tuple(
            (each.summing, each.steps if isinstance(each.size, np.ndarray) else 0)
            for each in self.stretches
        )
        return sizes, self.rule.still, self.rule.heavy

    @property
    def smooth(self) -> bool:
        """Whether the result is smooth in the eigenvalue: with rule, what turns has died in
        every stretch.
        """
        fewest = min(each.steps for each in self.stretches)
        return self.rule.keep == 0 or fewest * math.log(self.rule.keep) < 2 * math.log(TURNING)

    def scaled(self, size: float) -> Course:
        """The course with all step sizes times `size`."""
        longer = tuple(replace(each, size=each.size * size) for each in self.stretches)
        return replace(self, stretches=longer)


def course_of(sgd: SGD, step_size: float, iterate: str) -> Course:
    """The course of a descent whose first step size is `step_size`."""
    # The average runs over w_first..w_{T-1}, so stretches are cut there: before it nothing is
    # summed.
    first = first_averaged(iterate, sgd.steps)
    cut = sgd.steps if first is None else first
    stretches = []
    stages = sgd.stages(step_size)
    if stages is None:
        check_walk(sgd.steps)
        sizes = sgd.step_sizes(step_size)
        pieces = [(sizes[:cut], cut, False), (sizes[cut:], sgd.steps - cut, True)]
        stretches = [Stretch(*piece) for piece in pieces if piece[1]]
    else:
        at = 0
        for size, steps in stages:
            # A stretch that the cut falls into becomes two, of the same size.
            before = min(max(cut - at, 0), steps)
            stretches += [
                Stretch(size, part, late)
                for part, late in ((before, False), (steps - before, True))
                if part
            ]
            at += steps
    return Course(tuple(stretches), 0 if first is None else sgd.steps - first, sgd.coefficients)


@dataclass(frozen=True)
class Outcome:
    """Mean of v (P, n) of the result, and its variance: by coordinate (P, n), and summed with a
    norm (P,).
    """

    mean: Array
    var: Array | None
    spread: Array


def run(
    op: Operator, courses: list[Course], way: Way, norm: Array, by_coordinate: bool = False
) -> Outcome:
    """The result of courses of one shape under stacked operators."""
    # Points of one shape run side by side: arrays (P, n), a row a point.
    rule = Coefficients(*np.array([each.rule for each in courses], dtype=float).T[:, :, None])
    at = start(op, not courses[0].rule.still)
    count = len(courses[0].stretches)
    announced(_steps_to_walk(op, courses, rule, way), op.h.shape[1], way)
    for k in range(count):
        stretches = [each.stretches[k] for each in courses]
        # Of the last stretch only the total spread is asked, which costs one inversion and no
        # state.
        if k == count - 1 and not by_coordinate and _all_jump(op, stretches, rule, way):
            return _ended(at, op, stretches, courses, norm)
        at = advanced(at, op, stretches, rule, way.part(k / count, (k + 1) / count))
    return _read(at, op, courses, norm)


def _steps_to_walk(op: Operator, courses: list[Course], rule: Coefficients, way: Way) -> int:
    """The steps, over all points, that have to be taken one by one."""
    count = 0
    for stretches in zip(*(each.stretches for each in courses), strict=True):
        steps = np.array([each.steps for each in stretches])
        if way.jump and not isinstance(stretches[0].size, np.ndarray):
            gamma = np.array([[each.size] for each in stretches])
            steps = steps[~_jumps(op, gamma, rule, steps, way)]
        if len(steps):
            check_walk(int(steps.max()))
        count += int(steps.sum())
    return count


def advanced(
    at: State,
    op: Operator,
    stretches: list[Stretch],
    rule: Coefficients,
    way: Way,
    seen: Seen | None = None,
) -> State:
    """The state behind one stretch of every point: the contour where it holds, else step by step.

    With `seen` (a closure) step by step.
    """
    steps = np.array([each.steps for each in stretches])
    summing = stretches[0].summing
    if isinstance(stretches[0].size, np.ndarray) or seen is not None:
        sizes = np.array([np.broadcast_to(each.size, each.steps) for each in stretches])
        return varied(at, op, sizes, rule, summing, way, seen)
    gamma = np.array([[each.size] for each in stretches])
    # Some points of a stack may jump while others have to walk; each keeps its row.
    jump = _jumps(op, gamma, rule, steps, way)
    if jump.all():
        return _jumped(at, op, gamma, rule, steps, summing)
    merged = [None if each is None else each.copy() for each in at.arrays()]
    for chosen, far in ((np.flatnonzero(jump), True), (np.flatnonzero(~jump), False)):
        if not len(chosen):
            continue
        part, here = at.rows(chosen), op.rows(chosen)
        moved = (
            _jumped(part, here, gamma[chosen], rule.rows(chosen), steps[chosen], summing)
            if far
            else walked(part, here, gamma[chosen], steps[chosen], rule.rows(chosen), summing, way)
        )
        for into, new in zip(merged, moved.arrays(), strict=True):
            if into is not None and new is not None:
                into[chosen] = new
    return state_of(merged)


def _jumped(
    at: State,
    op: Operator,
    gamma: Array,
    rule: Coefficients,
    steps: NDArray[np.int64],
    summing: bool,
) -> State:
    if at.speed is None:
        return contour_advanced(at, op, gamma, steps, summing)
    return ball_advanced(at, op, gamma, rule, steps, summing)


def _jumps(
    op: Operator, gamma: Array, rule: Coefficients, steps: NDArray[np.int64], way: Way
) -> NDArray[np.bool_]:
    if not way.jump:
        return np.zeros(len(steps), dtype=bool)
    if not rule.still:
        return ball_holds(op, gamma, rule, steps)
    return contour_holds(op, gamma, steps)


def _all_jump(op: Operator, stretches: list[Stretch], rule: Coefficients, way: Way) -> bool:
    if isinstance(stretches[0].size, np.ndarray) or not rule.still:
        return False
    gamma = np.array([[each.size] for each in stretches])
    return bool(_jumps(op, gamma, rule, np.array([each.steps for each in stretches]), way).all())


def _ended(
    at: State, op: Operator, stretches: list[Stretch], courses: list[Course], norm: Array
) -> Outcome:
    """The outcome behind a last stretch that only the total spread is asked of."""
    gamma, steps = (
        np.array([[each.size] for each in stretches]),
        np.array([each.steps for each in stretches]),
    )
    summing = stretches[0].summing
    mean, total = contour_means(at, op, gamma, steps, summing)
    spread = contour_spread(at, op, gamma, steps, summing, norm)
    if not courses[0].averaged:
        return Outcome(mean, None, spread)
    count = np.array([each.averaged for each in courses], dtype=float)
    return Outcome(total / count[:, None], None, spread / count**2)


def _read(at: State, op: Operator, courses: list[Course], norm: Array) -> Outcome:
    if not courses[0].averaged:
        return Outcome(at.mean, at.var, op.total(norm * at.var)[:, 0])
    count = np.array([[each.averaged] for each in courses], dtype=float)
    var = at.var_total / count**2
    return Outcome(at.total / count, var, op.total(norm * var)[:, 0])
