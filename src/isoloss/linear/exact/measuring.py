"""The risk and its parts from the mean and the spread of the iterate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isoloss.formats import Format
from isoloss.linear.exact.step_operator import Noises
from isoloss.linear.moments import (
    Setting,
    dithered_mean,
    fine_noise,
    noise_levels,
    rounded_moments,
)
from isoloss.linear.quantisers import is_listed, levels_of
from isoloss.linear.risk import How

Array = NDArray[np.float64]


class Measured(NamedTuple):
    """Parts of the risk of some points, each (P,)."""

    bias: Array
    variance: Array
    approximation: Array
    rounding: Array
    floor: Array
    asymptotic_bias: Array
    quantised_norm: Array


@dataclass(frozen=True)
class Solved:
    """Mean (P, n) of the result w, its variance by coordinate (P, n) or None, and summed with the
    norm (P,).

    `trained` is what the last step trained on and `noises` its noises, both in units of 1 / gain of
    a real grid on activations (closures.py); for ideal noise the setting itself, and gain 1.
    """

    setting: Setting
    mean: Array
    var: Array | None
    spread: Array
    sizes: list[float]
    hows: list[How]
    noises: Noises
    trained: Setting
    gain: float = 1.0


def norm_of(at: Setting, inputs: str) -> Array:
    """The norm that the risk is measured in, (P, n): H of clean inputs, H_q in use."""
    return at.norm if inputs == "clean" else at.h


def optimum_of(at: Setting, inputs: str) -> Array:
    """The optimum that the risk is measured from, (P, n)."""
    return at.best if inputs == "clean" else at.centre


def measured(at: Setting, mean: Array, spread: Array, inputs: str, rounding: Array) -> Measured:
    """The parts of the risk of w with mean (P, n) and sum of norm times variance `spread` (P,)."""
    # Biases are differences of vectors squared, never differences of risks: small effects keep
    # their digits.
    approximation, none = at.approximation[:, 0], np.zeros(len(spread))
    missed = np.broadcast_to(approximation, none.shape)
    if inputs == "clean":
        bias, lasting = _clean_bias(at, mean), _clean_bias(at, at.centre)
        # `spread` is summed with the norm of clean inputs: that of H_q is not known here.
        unknown = np.full(len(spread), np.nan)
        return Measured(bias, 0.5 * spread, missed, rounding, none, lasting, unknown)
    bias, floor = 0.5 * at.total(at.h * (mean - at.centre) ** 2)[:, 0], floor_in_use(at)
    norm = bias + 0.5 * spread + rounding
    return Measured(bias, 0.5 * spread, missed, rounding, floor, none, norm)


def bias_by_coordinate(at: Setting, mean: Array, inputs: str) -> Array:
    """The share of every coordinate (P, n) in the bias, weights included.

    Raises ValueError where the clean norm mixes the directions that the model learns in (a sketch).
    """
    if inputs == "clean" and at.cross is not None:
        raise ValueError(
            "clean inputs mix the eigendirections of this quantised sketch; ask for inputs 'in use'"
        )
    error = mean - optimum_of(at, inputs)
    return np.asarray(0.5 * at.weight * norm_of(at, inputs) * error**2)


def error_square(at: Setting, noises: Noises, mean: Array, var: Array) -> Array:
    """E (Q_l(y) - Q_a(<u, Q_p(w)>))^2, the error that the next step sees, (P, 1)."""
    # E w^2, (P, n).
    squares = mean**2 + var
    rounded = noises.w.add + noises.w.mul * squares
    # E y^2, what relative noise on labels multiplies.
    label = at.noise_var + at.total(at.lam * at.target**2)
    # E (y - <u, c>)^2: noise of labels and the floor of the data's rounding.
    unlearned = at.noise_var + at.total(at.lam * at.target**2 - at.h * at.centre**2)
    missing = at.total(at.h * ((mean - at.centre) ** 2 + var + rounded))
    seen = at.total(at.h * (squares + rounded))
    return np.asarray(
        unlearned
        + missing
        + noises.l.add
        + noises.l.mul * label
        + noises.a.add
        + noises.a.mul * seen
    )


def rounding_of(known: Format | None, scale: float | None, done: Solved, inputs: str) -> Array:
    """What rounding the result adds to the risk, (P,).

    Ideal noise: half eps tr H where it is added, half eps E ||w||_H^2 where it is relative. On a
    real grid each coordinate of the result is taken as normal, which is a closure. Source: derived.
    """
    if known is None:
        return np.zeros(len(done.spread))
    at, mean, spread = done.setting, done.mean, done.spread
    norm = norm_of(at, inputs)
    largest = float(np.sqrt(np.max(at.target**2)))
    if known.noise is None and not is_listed(known):
        known, scale = fine_noise(known, scale, largest)
    noise = noise_levels(known)
    if noise is None:
        return _grid_rounding(levels_of(known, scale, largest), known, done, inputs)
    added = 0.5 * noise.add * at.total(np.broadcast_to(norm, mean.shape))[:, 0]
    if not noise.mul:
        return np.asarray(added)
    if inputs == "clean" and at.cross is not None:
        # A clean norm that is not diagonal in these coordinates (a sketch).
        size = np.array([row @ at.cross @ row for row in mean])
    else:
        size = at.total(norm * mean**2)[:, 0]
    return np.asarray(added + 0.5 * noise.mul * (size + spread))


def _grid_rounding(levels: Array, known: Format, done: Solved, inputs: str) -> Array:
    """0.5 E ||Q(w) - w_best||^2 - 0.5 E ||w - w_best||^2 for a result of normal coordinates."""
    if done.var is None:
        raise AssertionError("a rounded result needs the variance of every coordinate")
    at, best = done.setting, optimum_of(done.setting, inputs)
    added = []
    for mean, var, optimum in zip(done.mean, done.var, best, strict=True):
        # E Q(w), E Q(w)^2 of every coordinate; the risk of w itself is taken off term by term.
        sd = np.sqrt(np.maximum(var, 0.0))
        if known.rounding == "dither":
            first, second = dithered_mean(levels, mean, sd)
        else:
            first, second, _ = rounded_moments(levels, known.rounding == "sr", mean, sd)
        added.append(second - 2 * optimum * first - (var + mean**2 - 2 * optimum * mean))
    return np.asarray(0.5 * at.total(norm_of(at, inputs) * np.array(added))[:, 0])


def _clean_bias(at: Setting, mean: Array) -> Array:
    """0.5 ||mean - w*||^2 in the norm of clean inputs."""
    if at.cross is None:
        return np.asarray(0.5 * at.total(at.norm * (mean - at.best) ** 2)[:, 0])
    # norm best is the pull of clean inputs, S H w*, and cross holds the clean norm, both with the
    # correlations of c.
    size = np.array([row @ at.cross @ row for row in mean])
    return np.asarray(0.5 * (size - 2 * at.total(mean * at.norm * at.best)[:, 0] + at.signal[:, 0]))


def floor_in_use(at: Setting) -> Array:
    """What rounding the features in use costs, 0.5 w*'H(H+D)^-1 D w*, of each point (P,)."""
    learned = at.h * at.centre**2
    if at.cross is None:
        return np.asarray(0.5 * at.total(at.norm * at.best**2 - learned)[:, 0])
    return np.asarray(0.5 * (at.signal - at.total(learned))[:, 0])
