"""From points, each a problem, a descent and a precision, to the mean and the spread of their
results.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoloss.formats import Format
from isoloss.linear.asked import Spelled, check_point, check_scales
from isoloss.linear.descent import SGD, sized
from isoloss.linear.exact.chain import Course, course_of, run
from isoloss.linear.exact.closures import Closure, closed, judged
from isoloss.linear.exact.measuring import Solved, norm_of
from isoloss.linear.exact.stability import limits, stable
from isoloss.linear.exact.step_operator import Operator, noises_of, operator
from isoloss.linear.exact.walking import Way
from isoloss.linear.moments import Setting, noise_levels, setting_of, stacked
from isoloss.linear.quantisers import Quantisers, Scales, is_grid, quantisers_of, spelled_noises
from isoloss.linear.regression import Regression
from isoloss.linear.risk import How, Inputs
from isoloss.linear.update_rules import Coefficients

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Point:
    """One problem, descent and precision, with what the engine made of them."""

    problem: Regression
    sgd: SGD
    quantisers: Quantisers
    scales: Scales
    setting: Setting
    course: Course  # of step size one

    @property
    def key(self) -> tuple[object, ...]:
        """What points share that run side by side."""
        shared = (
            self.quantisers.closed
            and self.setting.cross is None
            and not is_grid(self.quantisers.post)
        )
        alone = None if shared else id(self)
        return len(self.setting.weight), self.course.shape, alone

    def how(self, inputs: Inputs) -> How:
        """Whether all second moments close exactly; on clean inputs a sketch may mix directions."""
        mixed = inputs == "clean" and self.setting.cross is not None
        closed = self.quantisers.closed and not is_grid(self.quantisers.post)
        return "exact" if self.setting.exact and closed and not mixed else "closure"


def point_of(
    problem: Regression,
    sgd: SGD,
    precision: Spelled,
    iterate: str,
    scales: Scales,
    compressed: bool,
) -> Point:
    """A problem, descent and precision with their setting.

    All coordinates are taken where the result is not smooth in the eigenvalue: grids on parameters,
    and momentum that still turns.
    """
    problem, sgd, precision = check_point((problem, sgd, precision))
    check_scales(scales)
    quantisers, course = quantisers_of(precision), course_of(sgd, 1.0, iterate)
    if problem.sketch is not None:
        _check_sketched(quantisers)
    # Grids on parameters act on every coordinate by itself, and what turns is not smooth in h: then
    # no few coordinates stand for all.
    few = (
        compressed
        and course.smooth
        and all(each is None or each.noise is not None for each in (quantisers.w, quantisers.post))
    )
    setting = setting_of(problem, quantisers.d, scales.d, few)
    return Point(problem, sgd, quantisers, scales, setting, course)


def _check_sketched(quantisers: Quantisers) -> None:
    """Raise ValueError if the rounding of parameters depends on the basis of a sketch."""
    for part, known in (("w", quantisers.w), ("-> w", quantisers.post)):
        if known is not None and not _is_basis_free(known):
            raise ValueError(
                f"'{part}:{known}' of a sketch depends on its basis, no exact risk; "
                f"accepted are {spelled_noises(basis_free=True)}"
            )


def _is_basis_free(known: Format) -> bool:
    noise = noise_levels(known)
    return noise is not None and noise.basis_free


def limit_of(point: Point) -> float:
    """The largest stable step size of a point; infinite where no feature is left."""
    rule = rules_of([point])
    if point.quantisers.closed:
        return float(limits(stack([point])[1], rule)[0])
    op, gain = judged(closure_of(point))
    return float(limits(op, rule)[0]) / gain


def rules_of(points: Sequence[Point]) -> Coefficients:
    """The update rules of points, a row a point."""
    made = np.array([each.course.rule for each in points], dtype=float)
    return Coefficients(*made.T[:, :, None])


def stack(points: Sequence[Point]) -> tuple[Setting, Operator, Coefficients]:
    """Settings, operators and update rules of points of as many coordinates each."""
    setting = stacked([each.setting for each in points])
    batch = np.array([[float(each.sgd.batch)] for each in points])
    op = operator(setting, noises_of([each.quantisers for each in points]), batch)
    return setting, op, rules_of(points)


def solved(points: Sequence[Point], inputs: Inputs, way: Way, by_coordinate: bool) -> Solved:
    """Mean and spread of the results of points that run side by side.

    Raises ValueError for an unstable step size.
    """
    if not points[0].quantisers.closed:
        return _solved_by_closure(points[0], inputs, way)
    # One operator with a row a point; the step sizes are shares of its limits.
    setting, op, rule = stack(points)
    sizes = step_sizes([each.sgd for each in points], op, rule)
    courses = [each.course.scaled(size) for each, size in zip(points, sizes, strict=True)]
    outcome = run(op, courses, way, norm_of(setting, inputs), by_coordinate)
    hows = [each.how(inputs) for each in points]
    noises = noises_of([each.quantisers for each in points])
    return Solved(
        setting, outcome.mean + op.centre, outcome.var, outcome.spread, sizes, hows, noises, setting
    )


def _solved_by_closure(point: Point, inputs: Inputs, way: Way) -> Solved:
    closure = closure_of(point)
    op, gain = judged(closure)
    (size,) = step_sizes([point.sgd], op, rules_of([point]), gain)
    course = point.course.scaled(size)
    # Levels of noise change along training, so a closure is its own run through the course.
    end = closed(closure, course.stretches, course.rule, way)
    mean, var = (end.state.mean, end.state.var)
    if course.averaged:
        # The average is around the last optimum: _recentred moved the sum with it.
        mean, var = end.state.total / course.averaged, end.state.var_total / course.averaged**2
    at, levels = closure.setting, end.levels
    spread = at.total(norm_of(at, inputs) * var)[:, 0]
    trained, how = levels.trained(at), point.how(inputs)
    return Solved(
        at, mean + end.centre, var, spread, [size], [how], levels.noises, trained, levels.gain
    )


def closure_of(point: Point) -> Closure:
    """The closure of a point with real grids on other parts than data."""
    batch = np.array([[float(point.sgd.batch)]])
    return Closure(point.quantisers, point.scales, stacked([point.setting]), batch)


def step_sizes(
    descents: Sequence[SGD], op: Operator, rule: Coefficients, gain: float = 1.0
) -> list[float]:
    """The first step size of every descent as a number, once each is known to be stable.

    `gain` is what a real grid multiplies the step size with.

    Raises ValueError with the limit for the first that is not, and where there is none.
    """
    shared = any(each.share is not None for each in descents)
    most = limits(op, rule) / gain if shared else np.zeros(len(descents))
    pairs = zip(descents, most, strict=True)
    sizes = np.array([sized(each, float(limit)) for each, limit in pairs])
    # Given sizes are judged as well; a share below one is stable by construction.
    fine = stable(op, gain * sizes[:, None], rule)
    if not fine.all():
        at = int(np.argmin(fine))
        here = np.array([at])
        limit = float(limits(op.rows(here), rule.rows(here))[0]) / gain
        raise ValueError(
            f"the step size {sizes[at]:.6g} is unstable; the limit for this problem, batch, "
            f"momentum and precision is {limit:.6g}"
        )
    return [float(each) for each in sizes]
