"""The exact risk of quantised SGD: from a problem, a descent and a precision to a number.

How it works, in five steps, each in a file of its own.

1. setting.py. Five moments a coordinate say all there is to know of the features x and their rounding u:
   E u^2, E u^4, E u x, E u^3 x, E u^2 x^2. For ideal noise they are polynomials, for a real grid on the data
   sums of partial moments of the normal density (grid_moments.py).
2. operator.py. In one step of SGD the second moments of w - c, with c the optimum on quantised inputs, move by
   a map that is diagonal plus rank one. Nothing off the diagonal is needed, since coordinates are independent
   and symmetric, so d numbers say what d^2 would. All five quantisers, any batch, any kurtosis: exact.
3. contour.py. The generating function of T such steps is d scalar divisions at one point of the complex plane,
   and 12 points give the moments after T steps, for any T, to about 1e-11. The same for the variance of the
   average of all iterates, with one more pole. What alternates in sign (gamma h > 1), and fewer than 64 steps,
   are stepped through.
4. modes.py. For power laws about a hundred weighted coordinates give all sums to 1e-12.
5. measuring.py. Mean and variance of the result give bias and variance of the risk; both are computed apart,
   never as a difference, so that small effects of a precision keep their digits.

Stretches of constant step size follow one another (chain.py): schedules, tails and closures are chains.
What does not close exactly, real grids on labels, parameters, activations and gradients, is in closures.py and
labelled 'closure'.

Source: derived; the setting is that of Zhang et al. 2025 (2510.18259) and, with a sketch, Zhang et al. 2026
(2602.19241), whose full texts were not at hand.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isoloss.formats import Precision
from isoloss.linear.chain import Course, Way, course_of, run
from isoloss.linear.descent import SGD
from isoloss.linear.measuring import Measured, measured, norm_of, relative_rounding
from isoloss.linear.operator import Operator, noises_of, operator
from isoloss.linear.quantisers import DEFAULT_SCALES, Quantisers, Scales, quantisers_of
from isoloss.linear.regression import Regression
from isoloss.linear.risk import INPUTS, Inputs, Parts, Risk
from isoloss.linear.setting import Setting, setting_of, stacked
from isoloss.linear.stability import limits, stable
from isoloss.linear.words import one_of

Array = NDArray[np.float64]
Method = Literal["exact", "contour", "full", "steps"]
Spelled = Precision | str
#: Which coordinates and which way each exact method takes: compressed or all, jumping or stepping.
METHODS: dict[str, tuple[bool, Way]] = {
    "exact": (True, "jump"),
    "contour": (True, "jump"),
    "full": (False, "jump"),
    "steps": (False, "step"),
}
#: Numbers of one array of a stack of points.
STACK = 16_384


@dataclass(frozen=True)
class Point:
    """One problem, descent and precision, with what the engine made of them."""

    problem: Regression
    sgd: SGD
    quantisers: Quantisers
    setting: Setting
    course: Course  # of step size one

    @property
    def key(self) -> tuple[object, ...]:
        """What points share that run side by side."""
        alone = id(self) if self.setting.cross is not None else None
        return len(self.setting.weight), self.course.shape, alone


def excess_risk(
    problem: Regression,
    sgd: SGD,
    precision: Spelled = "fp",
    iterate: str = "average",
    inputs: Inputs = "clean",
    method: str = "exact",
    scales: Scales = DEFAULT_SCALES,
) -> Risk:
    """The expected excess risk of w after `sgd` on `problem` with the parts of `precision` rounded.

    `inputs` 'clean': 0.5 E ||w - w*||_H^2. 'quantised': 0.5 E ||w - w_q*||_{H_q}^2, with parts.floor beside it.
    `iterate` 'last' (w_steps), 'average' (of w_0..w_{steps-1}), 'tail' (of the last half of these) or 'tail 0.25'.
    `method` 'exact' chooses; 'contour' jumps on compressed modes, 'full' on all coordinates, 'steps' steps
    through all of them. `scales` are those of real grids.

    Raises ValueError, in one sentence, for bad input and for an unstable step size.
    """
    return excess_risks([(problem, sgd, precision)], iterate, inputs, method, scales)[0]


def excess_risks(
    points: Iterable[tuple[Regression, SGD, Spelled]],
    iterate: str = "average",
    inputs: Inputs = "clean",
    method: str = "exact",
    scales: Scales = DEFAULT_SCALES,
) -> list[Risk]:
    """The excess risk of many (problem, sgd, precision), as `excess_risk` has it; alike ones run side by side."""
    one_of("inputs", inputs, INPUTS)
    compressed, way = METHODS[one_of("method", method, tuple(METHODS))]
    made = [_point(*each, iterate, scales, compressed) for each in points]
    groups: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for at, point in enumerate(made):
        groups[point.key].append(at)
    risks: list[Risk | None] = [None] * len(made)
    for members in groups.values():
        some = max(1, STACK // len(made[members[0]].setting.weight))
        for low in range(0, len(members), some):
            chosen = members[low : low + some]
            for at, risk in zip(chosen, _risks([made[i] for i in chosen], inputs, way), strict=True):
                risks[at] = risk
    return risks  # type: ignore[return-value]


def stability_limit(
    problem: Regression, sgd: SGD, precision: Spelled = "fp", scales: Scales = DEFAULT_SCALES
) -> float:
    """The largest step size with bounded second moments, whatever step size `sgd` has; infinite for H = 0.

    It depends on batch, momentum and precision; on the schedule only through its first step size.
    """
    point = _point(problem, sgd, precision, "last", scales, True)
    _, op, momentum = _stack([point])
    return float(limits(op, momentum)[0])


def _point(
    problem: Regression, sgd: SGD, precision: Spelled, iterate: str, scales: Scales, compressed: bool
) -> Point:
    quantisers = quantisers_of(precision)
    setting = setting_of(problem, quantisers.d, scales.d, compressed)
    return Point(problem, sgd, quantisers, setting, course_of(sgd, 1.0, iterate))


def _stack(points: Sequence[Point]) -> tuple[Setting, Operator, Array]:
    """Settings, operators and momenta of points of as many coordinates each."""
    setting = stacked([each.setting for each in points])
    batch = np.array([[float(each.sgd.batch)] for each in points])
    op = operator(setting, noises_of([each.quantisers for each in points]), batch)
    return setting, op, np.array([[each.sgd.momentum] for each in points])


def _risks(points: Sequence[Point], inputs: Inputs, way: Way) -> list[Risk]:
    setting, op, momentum = _stack(points)
    sizes = step_sizes([each.sgd for each in points], op, momentum)
    courses = [_scaled(each.course, size) for each, size in zip(points, sizes, strict=True)]
    norm = norm_of(setting, inputs)
    outcome = run(op, courses, way, norm)
    mean = outcome.mean + op.centre
    rounding = np.zeros(len(points))
    for formats in {each.quantisers.post for each in points} - {None}:
        rows = np.flatnonzero([each.quantisers.post == formats for each in points])
        added = relative_rounding(formats, setting, mean, outcome.spread, inputs)
        rounding[rows] = added[rows]
    parts = measured(setting, mean, outcome.spread, inputs, rounding)
    hows = ["exact" if each.setting.exact else "closure" for each in points]
    return _made(parts, sizes, hows, inputs)


def _made(parts: Measured, sizes: Sequence[float], hows: Sequence[str], inputs: Inputs) -> list[Risk]:
    rows = zip(*(column.tolist() for column in parts), sizes, hows, strict=True)
    made = ((Parts(*row[:5]), row[5], row[6]) for row in rows)
    return [Risk(part.total, 0.0, how, part, inputs, size) for part, size, how in made]


def step_sizes(descents: Sequence[SGD], op: Operator, momentum: Array) -> list[float]:
    """The first step size of every descent as a number, once each is known to be stable.

    Raises ValueError with the limit for the first that is not.
    """
    shares = [each.share for each in descents]
    limit = limits(op, momentum) if any(share is not None for share in shares) else np.zeros(len(shares))
    sizes = np.array(
        [
            float(each.step_size) if share is None else share * limit[row]
            for row, (each, share) in enumerate(zip(descents, shares, strict=True))
        ]
    )
    fine = stable(op, sizes[:, None], momentum) & np.isfinite(sizes)
    if not fine.all():
        at = int(np.argmin(fine))
        here = np.array([at])
        most = float(limits(op.rows(here), momentum[here])[0])
        raise ValueError(
            f"the step size {sizes[at]:.6g} is unstable; the limit for this problem, batch, momentum and precision is {most:.6g}"
        )
    return [float(each) for each in sizes]


def _scaled(course: Course, size: float) -> Course:
    return replace(course, stretches=tuple(replace(each, size=each.size * size) for each in course.stretches))
