"""Ideal noise on arrays, so that a study can put `vec(0.004)` where `e4m3` stood."""

from __future__ import annotations

from math import sqrt
from typing import Any

from array_api_compat import is_numpy_array

from isoloss.formats.distributions import DISTRIBUTIONS
from isoloss.formats.noises import NoiseLevels, noise_model
from isoloss.formats.number import Format
from isoloss.formats.rounding.arrays import AnyArray, draws


def with_noise(xp: Any, x: AnyArray, known: Format, random: Any) -> AnyArray:
    """x + n + s x with the noise of a format (noises.py); a vector is the last axis.

    `random` that is an array holds standard normal numbers, or uniform ones on [0, 1) where the
    distribution is another.
    """
    at = noise_model(str(known.noise)).levels(known.eps or 0.0)
    add, mul, shared = at.add, at.mul, at.shared
    whole, vector = tuple(x.shape), (*x.shape[:-1], 1) if x.shape else ()
    if not mul:
        return x + _standard(xp, x, known, random, whole) * sqrt(add)
    if not add and shared in (0.0, mul):
        shape = vector if shared else whole
        return x + x * (_standard(xp, x, known, random, shape) * sqrt(mul))
    return _mixed(xp, x, at, known, random)


def _mixed(xp: Any, x: AnyArray, at: NoiseLevels, known: Format, random: Any) -> AnyArray:
    """Noise with more than one source: three numbers an element are drawn at once, since a seed
    draws once.
    """
    added, own, common = _standard(xp, x, known, random, (3, *x.shape))
    factor = own * sqrt(at.mul - at.shared)
    if x.shape:
        common = common[..., :1]  # the first element's number serves its whole vector
    return x + added * sqrt(at.add) + x * (factor + common * sqrt(at.shared))


def _standard(xp: Any, x: AnyArray, known: Format, random: Any, shape: tuple[int, ...]) -> AnyArray:
    """Numbers of mean zero and variance one, from the distribution of a noise."""
    table = DISTRIBUTIONS[noise_model(str(known.noise)).distribution].table
    if table is None:
        return draws(xp, x, "normal", random, shape, str(known))
    # The inverse distribution function as a table: one of its equal shares an element.
    share = draws(xp, x, "uniform", random, shape, str(known))
    at = xp.astype(share * len(table), xp.int64)
    if is_numpy_array(x):
        return table.astype(x.dtype)[at]
    return xp.asarray(table.copy(), dtype=x.dtype, device=x.device)[at]
