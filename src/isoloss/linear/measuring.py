"""The risk and its parts from the mean and the spread of the iterate."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isoloss.formats import Format
from isoloss.linear.setting import Setting

Array = NDArray[np.float64]


class Measured(NamedTuple):
    """Parts of the risk of some points, each (P,)."""

    bias: Array
    variance: Array
    approximation: Array
    rounding: Array
    floor: Array


def norm_of(at: Setting, inputs: str) -> Array:
    """The norm that the risk is measured in, (P, n): of clean or of quantised inputs."""
    return at.norm if inputs == "clean" else at.h


def optimum_of(at: Setting, inputs: str) -> Array:
    """The optimum that the risk is measured from, (P, n)."""
    return at.best if inputs == "clean" else at.centre


def measured(at: Setting, mean: Array, spread: Array, inputs: str, rounding: Array) -> Measured:
    """The parts of the risk of w with mean (P, n) and sum of norm times variance `spread` (P,)."""
    floor = _clean_bias(at, at.centre) if inputs == "clean" else _quantised_floor(at)
    error = mean - at.centre
    bias = _clean_bias(at, mean) if inputs == "clean" else 0.5 * at.total(at.h * error**2)[:, 0]
    return Measured(bias, 0.5 * spread, np.broadcast_to(at.approximation[:, 0], bias.shape), rounding, floor)


def bias_by_coordinate(at: Setting, mean: Array, inputs: str) -> Array:
    """The share of every coordinate (P, n) in the bias, weights included.

    Raises ValueError where the clean norm mixes the directions that the model learns in (a sketch).
    """
    if inputs == "clean" and at.cross is not None:
        raise ValueError(
            "clean inputs mix the eigendirections of this quantised sketch; ask for inputs 'quantised'"
        )
    error = mean - optimum_of(at, inputs)
    return np.asarray(0.5 * at.weight * norm_of(at, inputs) * error**2)


def relative_rounding(known: Format | None, at: Setting, mean: Array, spread: Array, inputs: str) -> Array:
    """What ideal noise on the result adds to the risk, (P,).

    Half eps tr H where it is added, half eps E ||w||_H^2 where it is relative. Source: derived.
    """
    if known is None or known.eps is None:
        return np.zeros(len(spread))
    norm = norm_of(at, inputs)
    if known.noise == "add":
        return np.asarray(0.5 * known.eps * at.total(np.broadcast_to(norm, mean.shape))[:, 0])
    if inputs == "clean" and at.cross is not None:
        size = np.array([row @ at.cross @ row for row in mean])
    else:
        size = at.total(norm * mean**2)[:, 0]
    return np.asarray(0.5 * known.eps * (size + spread))


def _clean_bias(at: Setting, mean: Array) -> Array:
    """0.5 ||mean - w*||^2 in the norm of clean inputs."""
    if at.cross is None:
        return np.asarray(0.5 * at.total(at.norm * (mean - at.best) ** 2)[:, 0])
    # H w* = H_q c on these coordinates, and cross holds the clean norm with the correlations of c.
    size = np.array([row @ at.cross @ row for row in mean])
    return np.asarray(0.5 * (size - 2 * at.total(mean * at.h * at.centre)[:, 0] + at.signal[:, 0]))


def _quantised_floor(at: Setting) -> Array:
    learned = at.h * at.centre**2
    if at.cross is None:
        return np.asarray(0.5 * at.total(at.norm * at.best**2 - learned)[:, 0])
    return np.asarray(0.5 * (at.signal - at.total(learned))[:, 0])
