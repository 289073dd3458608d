"""What a rounded run has learnt once its common scale is taken off, and the full-precision models
that it is held against.

Rounding the data inflates the second moment of every direction, h_j = mu_j / g_j. The inflation of
the leading direction, s = h_1 / mu_1, is a mere change of scale: SGD of step size gamma on features
that are s times as large in square is SGD of step size gamma s whose result is read 1 / s as large.
So the rounded run is read as s w and held against full precision of step size gamma s. For a
relative noise that leaves nothing else: s = 1 + eps, s w_q* = w*.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from isoloss.linear.asked import Spelled
from isoloss.linear.descent import SGD
from isoloss.linear.exact import JUMP, measured, point_of, rounding_of, solved
from isoloss.linear.moments import setting_of
from isoloss.linear.quantisers import is_grid
from isoloss.linear.regression import Regression
from isoloss.linear.risk import How
from isoloss.linear.risk_of import stability_limit
from isoloss.linear.theory.model_sizes import (
    View,
    first_coordinates,
    of_size,
    seen_risks,
    signal_of,
)

#: Sums over coordinates are known to this share of the whole signal.
DIGITS = 1e-12
#: What full precision has left to learn after some numbers of steps.
Curve = Callable[[list[int]], list[float]]


class Learnt(NamedTuple):
    """A rounded run, read as s w on clean inputs: approximation + hidden + trained is its risk.

    `seen` is the problem as its M directions see it at full precision, the leading one first, and
    `approximation` what they miss; `hidden` is the floor of s w_q*, `trained` what more samples
    would still remove; `scale` is s, `step_size` gamma as a number.
    """

    seen: Regression
    approximation: float
    hidden: float
    trained: float
    scale: float
    step_size: float
    how: How
    risk: float


def learnt(problem: Regression, size: int, sgd: SGD, precision: Spelled, view: View) -> Learnt:
    """The rounded run of a model of a size, its common scale taken off.

    Raises ValueError for an unstable step size.
    """
    here, missed = of_size(problem, size, view.model)
    point = point_of(here, sgd, precision, view.iterate, view.scales, True)
    done = solved([point], "clean", JUMP, is_grid(point.quantisers.post))
    at, nothing = done.setting, np.zeros(1)
    leading = int(np.argmax(at.norm[0]))
    largest, inflated = float(at.norm[0, leading]), float(at.h[0, leading])
    # Data that round to nothing, or a problem without features, have no scale to take off.
    scale = inflated / largest if largest > 0 and inflated > 0 else 1.0
    optimum = measured(at, scale * at.centre, nothing, "clean", nothing)
    result = measured(at, scale * done.mean, scale**2 * done.spread, "clean", nothing)
    hidden = float(optimum.bias[0])
    trained = float(result.bias[0] + result.variance[0]) - hidden
    after = rounding_of(point.quantisers.post, view.scales.post, done, "clean")
    standing = measured(at, done.mean, done.spread, "clean", after)
    risk = missed + float(sum(each[0] for each in standing[:4]))
    missed += float(at.approximation[0, 0])
    how, size_of_step = done.hows[0], done.sizes[0]
    return Learnt(_directions(here), missed, hidden, trained, scale, size_of_step, how, risk)


def _directions(here: Regression) -> Regression:
    """A problem without sketch; of a sketched one its eigendirections, as independent coordinates.

    What the sketch misses is noise of its labels.
    """
    if here.sketch is None:
        return here
    at = setting_of(here, None, None, True)
    return Regression(
        len(at.norm), noise_var=float(at.noise_var[0]), target=at.best, spectrum=at.norm
    )


def size_of_optimum(run: Learnt) -> tuple[float, float]:
    """M_eff, where A(M_eff) = A(M) + hidden, and A(M_eff); between whole sizes A is linear."""
    signal = _never(run, 0)
    if run.hidden <= DIGITS * signal:
        return float(run.seen.dim), run.approximation
    aim = run.approximation + run.hidden
    if aim >= signal:
        return 0.0, signal
    low, high, above, below = 0, run.seen.dim, signal, run.approximation
    while high - low > 1:
        middle = (low + high) // 2
        here = _never(run, middle)
        if here > aim:
            low, above = middle, here
        else:
            high, below = middle, here
    return low + (above - aim) / (above - below), aim


def _never(run: Learnt, size: int) -> float:
    """A: what the first directions of a run can never learn at full precision, all of it for 0."""
    beyond = first_coordinates(run.seen, size)[1] if size else signal_of(run.seen) / 2
    return run.approximation + beyond


def untaught(run: Learnt, model_size: float) -> float:
    """What full precision of a size has to learn before any step: its share of the signal."""
    return sum(
        share * (_never(run, 0) - _never(run, size)) for size, share in _whole_sizes(model_size)
    )


def full_curve(run: Learnt, model_size: float, sgd: SGD, iterate: str) -> Curve:
    """What full precision of a size, perhaps between two whole ones, has left to learn.

    Size 4.3 is 0.7 of size 4 and 0.3 of size 5, as in A; size 0 has nothing to learn.
    """

    def trained(steps: list[int]) -> list[float]:
        found = np.zeros(len(steps))
        for size, share in _whole_sizes(model_size):
            points = [(run.seen, size, replace(sgd, steps=each), "fp") for each in steps]
            left = seen_risks(points, View("first", iterate)) if size else []
            found += share * np.array([each.trained for each in left]) if left else 0.0
        return [float(each) for each in found]

    return trained


def most_stable(run: Learnt, model_size: float, sgd: SGD) -> float:
    """The stability limit of full precision of a size."""
    largest = max(size for size, _ in _whole_sizes(model_size))
    if not largest:
        return math.inf
    return stability_limit(first_coordinates(run.seen, largest)[0], sgd)


def _whole_sizes(model_size: float) -> list[tuple[int, float]]:
    """The whole sizes around a size, each with its share."""
    low = int(model_size)
    share = model_size - low
    return [(low, 1 - share)] + ([(low + 1, share)] if share else [])
