"""The exact risk of quantised SGD: from a problem, a descent and a precision to a number.

How it works, in five steps, each in a file of its own.

1. moments/setting.py. Five moments a coordinate say all there is to know of the features x and
   their rounding u: E u^2, E u^4, E u x, E u^3 x, E u^2 x^2. For ideal noise they are polynomials,
   for a real grid on the data sums of partial moments of the normal density
   (moments/grid_moments.py).
2. exact/step_operator.py. In one step of SGD the second moments of w - c, with c the optimum on
   rounded features, move by a map that is diagonal plus rank one. Nothing off the diagonal is
   needed, since coordinates are independent and symmetric, so d numbers say what d^2 would. All
   five quantisers, any batch, any kurtosis: exact.
3. exact/contour.py. The generating function of T such steps is d scalar divisions at one point of
   the complex plane, and 13 points give the moments after T steps, for any T, to about 1e-11. The
   same for the variance of the average of all iterates, with one more pole. What alternates in sign
   (gamma h > 1), and fewer than 64 steps, are stepped through. exact/heavy_ball.py is the same with
   momentum.
4. moments/modes.py. For power laws about a hundred weighted coordinates give all sums to 1e-12.
5. exact/measuring.py. Mean and variance of the result give bias and variance of the risk; both are
   computed apart, never as a difference, so that small effects of a precision keep their digits.

Stretches of constant step size follow one another (exact/chain.py): schedules, tails and closures
are chains. What does not close exactly, real grids on labels, parameters, activations and
gradients, is in exact/closures.py and labelled 'closure'.

Source: derived; the setting is that of Zhang et al. 2025 (2510.18259) and, with a sketch, Zhang et
al. 2026 (2602.19241), whose full texts were not at hand.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isoloss.linear.asked import Asked, Spelled, check_callback, check_points, check_reading
from isoloss.linear.checks import one_of
from isoloss.linear.descent import SGD
from isoloss.linear.exact import (
    JUMP,
    STEP,
    Point,
    Way,
    limit_of,
    measured,
    point_of,
    rounding_of,
    solved,
)
from isoloss.linear.quantisers import DEFAULT_SCALES, Scales, is_grid
from isoloss.linear.regression import Regression
from isoloss.linear.risk import Inputs, Parts, Risk
from isoloss.linear.sampled import sample_risks

Array = NDArray[np.float64]
Method = Literal["exact", "contour", "full", "steps", "sampled"]
#: Which coordinates and which way each exact method takes: compressed or all, jumping or stepping.
METHODS: dict[str, tuple[bool, Way]] = {
    "exact": (True, JUMP),
    "contour": (True, JUMP),
    "full": (False, JUMP),
    "steps": (False, STEP),
}
#: Numbers of one array of a stack of points.
STACK = 16_384


def excess_risk(
    problem: Regression,
    sgd: SGD,
    precision: Spelled = "fp",
    iterate: str = "average",
    inputs: Inputs = "clean",
    method: str = "exact",
    scales: Scales = DEFAULT_SCALES,
    callback: Callable[[float], None] | None = None,
) -> Risk:
    """Expected excess risk of w after SGD with the parts of a precision rounded.

    Parameters
    ----------
    problem : Regression
        The regression problem.
    sgd : SGD
        Steps, batch, step size, schedule, momentum.
    precision : Precision or str
        Formats of data d, labels l, parameter in use w, activations a, output gradients g; '->
        w:...' rounds the result.
    iterate : str
        'last' (w_T), 'average' (of w_0..w_{T-1}), 'tail' (of the last half of these) or 'tail
        0.25'.
    inputs : str
        'clean': 0.5 E ||w - w*||_H^2. 'in use': the features are rounded where w is used too, 0.5 E
        ||w - w_q*||_{H_q}^2 + floor; both are parts.
    method : str
        'exact' chooses; 'contour' jumps on compressed modes, 'full' on all coordinates, 'steps'
        steps through all of them; 'sampled' simulates (`sample_risk`).
    scales : Scales
        Of real grids.
    callback : callable, optional
        Called with the share that is done, 0 to 1, while steps are taken one by one. What takes
        more than a few seconds is said before it starts, by a warning (`LongWalk`).

    Returns
    -------
    Risk
        Value, parts and how it was found.

    Raises
    ------
    ValueError
        Bad input, or an unstable step size; the message has the limit.
    """
    return excess_risks([(problem, sgd, precision)], iterate, inputs, method, scales, callback)[0]


def excess_risks(
    points: Iterable[Asked],
    iterate: str = "average",
    inputs: Inputs = "clean",
    method: str = "exact",
    scales: Scales = DEFAULT_SCALES,
    callback: Callable[[float], None] | None = None,
) -> list[Risk]:
    """Excess risk of many points at once; those of one shape run side by side.

    Parameters
    ----------
    points : iterable of (Regression, SGD, Precision or str)
        What `excess_risk` takes first.
    iterate, inputs, method, scales, callback
        As in `excess_risk`.

    Returns
    -------
    list of Risk
        In the order of the points, each equal to what `excess_risk` gives alone.

    Raises
    ------
    ValueError
        Bad input, or an unstable step size.
    """
    points = check_points(points)
    check_reading(iterate, inputs, scales)
    check_callback(callback)
    if one_of("method", method, (*METHODS, "sampled")) == "sampled":
        return [each.risk for each in sample_risks(points, iterate, inputs, scales=scales)]
    compressed, way = METHODS[method]
    way, done = replace(way, told=callback), 0
    made = [point_of(*each, iterate, scales, compressed) for each in points]
    groups: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for at, point in enumerate(made):
        groups[point.key].append(at)
    risks: list[Risk | None] = [None] * len(made)
    for members in groups.values():
        some = max(1, STACK // len(made[members[0]].setting.weight))
        for low in range(0, len(members), some):
            chosen = members[low : low + some]
            here = way.part(done / len(made), (done + len(chosen)) / len(made))
            for at, risk in zip(
                chosen, _risks([made[i] for i in chosen], inputs, here), strict=True
            ):
                risks[at] = risk
            done += len(chosen)
            if callback is not None:
                callback(done / len(made))
    return risks  # type: ignore[return-value]


def stability_limit(
    problem: Regression, sgd: SGD, precision: Spelled = "fp", scales: Scales = DEFAULT_SCALES
) -> float:
    """Largest step size with bounded second moments, whatever step size `sgd` has.

    Parameters
    ----------
    problem, sgd, precision, scales
        As in `excess_risk`. Batch, momentum and precision count; a schedule does not, since its
        largest size is judged.

    Returns
    -------
    float
        The limit of gamma; infinite where every feature is rounded to 0.

    Raises
    ------
    ValueError
        Bad input.
    """
    return limit_of(point_of(problem, sgd, precision, "last", scales, True))


def _risks(points: Sequence[Point], inputs: Inputs, way: Way) -> list[Risk]:
    by_coordinate = any(is_grid(each.quantisers.post) for each in points)
    done = solved(points, inputs, way, by_coordinate)
    rounding = np.zeros(len(points))
    for known in {each.quantisers.post for each in points} - {None}:
        rows = np.flatnonzero([each.quantisers.post == known for each in points])
        rounding[rows] = rounding_of(known, points[rows[0]].scales.post, done, inputs)[rows]
    parts = measured(done.setting, done.mean, done.spread, inputs, rounding)
    # The norm of H_q is not measured on clean inputs.
    norms = parts.quantised_norm.tolist() if inputs == "in use" else [None] * len(points)
    columns = zip(*(column.tolist() for column in parts[:-1]), norms, strict=True)
    made = [Parts(*row) for row in columns]
    return [
        Risk(part.total, 0.0, how, part, inputs, size)
        for part, size, how in zip(made, done.sizes, done.hows, strict=True)
    ]
