"""Ideal noise on arrays, so that a study can put `vec(0.004)` where `e4m3` stood."""

from __future__ import annotations

from math import sqrt
from typing import Any

from isoloss.formats.noises import NOISES, NoiseLevels
from isoloss.formats.number import Format
from isoloss.formats.rounding.arrays import AnyArray, draws


def with_noise(xp: Any, x: AnyArray, known: Format, random: Any) -> AnyArray:
    """x + n + s x with the normal noise of a format (noises.py); a vector is the last axis."""
    add, mul, shared = NOISES[str(known.noise)].levels(known.eps or 0.0)
    whole, vector = tuple(x.shape), (*x.shape[:-1], 1) if x.shape else ()
    if not mul:
        return x + draws(xp, x, "normal", random, whole, str(known)) * sqrt(add)
    if not add and shared in (0.0, mul):
        shape = vector if shared else whole
        return x + x * (draws(xp, x, "normal", random, shape, str(known)) * sqrt(mul))
    return _mixed(xp, x, NoiseLevels(add, mul, shared), random, str(known))


def _mixed(xp: Any, x: AnyArray, at: NoiseLevels, random: Any, why: str) -> AnyArray:
    """Noise with more than one source: three numbers an element are drawn at once, since a seed
    draws once.
    """
    added, own, common = draws(xp, x, "normal", random, (3, *x.shape), why)
    factor = own * sqrt(at.mul - at.shared)
    if x.shape:
        common = common[..., :1]  # the first element's number serves its whole vector
    return x + added * sqrt(at.add) + x * (factor + common * sqrt(at.shared))
