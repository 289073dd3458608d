"""Quantisers on rows and on single numbers, compiled: a rule of rules.py in, real rounding or ideal
noise out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from isoloss.linear.sampled.kernels.compiled import apart, strict
from isoloss.linear.sampled.kernels.counter_rng import (
    key_at,
    normal,
    normal_row,
    uniform,
    word,
)
from isoloss.linear.sampled.kernels.rules import (
    ADD,
    CODE,
    COMMON,
    COORD,
    DITHER_EQUAL,
    GROUP,
    LOW,
    MIXED,
    NEAREST_EQUAL,
    NEAREST_FLOAT,
    NONE,
    OWN,
    PLACES,
    RANDOM_EQUAL,
    RANDOM_FLOAT,
    SCALE,
    SMALLEST,
    SPREAD,
    TOP,
    UNIT,
    VEC,
)
from isoloss.linear.sampled.kernels.twin import (
    clipped,
    dithered_equal,
    nearest_equal,
    nearest_float,
    random_equal,
    random_float,
)
from isoloss.linear.sampled.kernels.twin_blocks import blocks_row


@apart
def round_row(out: Any, x: Any, rule: Any, key: Any, noise: Any) -> None:
    """Fill out (n,) with x (n,) as a rule of its type rounds it; `noise` (n,) is float32 to work
    in.
    """
    # One branch a row, outside of the loop over elements, which then runs in vectors.
    code = int(rule[CODE])
    if rule[GROUP] > 0:
        blocks_row(out, x, rule, key)
    elif code == NONE:
        for i in range(x.size):
            out[i] = x[i]
    elif code <= COORD:
        _noisy_row(out, x, code, rule, key, noise)
    elif code == MIXED:
        _mixed_row(out, x, rule, key, noise)
    elif code in (NEAREST_EQUAL, RANDOM_EQUAL, DITHER_EQUAL):
        _equal_row(out, x, code, rule[SCALE], rule[LOW], rule[TOP], key)
    else:
        _float_row(out, x, code, rule, key)


@apart
def _standard_row(noise: Any, rule: Any, key: Any) -> None:
    """Fill noise (n,) with numbers of variance one, of the distribution of a rule."""
    if rule.size == PLACES:
        normal_row(noise, key)
        return
    for i in range(noise.size):
        # The upper 16 bits of a word choose one of the equal shares of the table.
        noise[i] = rule[PLACES + np.int64(word(i, key) >> np.uint32(16))]


@strict
def _standard(rule: Any, key: Any) -> Any:
    """One such number, in float32."""
    if rule.size == PLACES:
        return normal(key)
    return np.float32(rule[PLACES + np.int64(word(0, key) >> np.uint32(16))])


@strict
def _noisy_row(out: Any, x: Any, code: int, rule: Any, key: Any, noise: Any) -> None:
    spread = rule[SPREAD]
    if code == VEC:
        shift = spread * _standard(rule, key)
        for i in range(x.size):
            out[i] = x[i] + x[i] * shift
        return
    _standard_row(noise, rule, key)
    if code == ADD:
        for i in range(x.size):
            out[i] = x[i] + spread * noise[i]
    else:
        for i in range(x.size):
            out[i] = x[i] + x[i] * (spread * noise[i])


@apart
def _mixed_row(out: Any, x: Any, rule: Any, key: Any, noise: Any) -> None:
    # Three sources of noise ask in three places, or they would get the same numbers.
    shift = rule[COMMON] * _standard(rule, key_at(key, 0))
    _standard_row(noise, rule, key)
    for i in range(x.size):
        out[i] = x[i] + x[i] * shift + rule[SPREAD] * noise[i]
    _standard_row(noise, rule, key_at(key, 1))
    for i in range(x.size):
        out[i] += x[i] * (rule[OWN] * noise[i])


@strict
def _equal_row(out: Any, x: Any, code: int, scale: Any, low: Any, top: Any, key: Any) -> None:
    if code == NEAREST_EQUAL:
        for i in range(x.size):
            out[i] = nearest_equal(x[i] / scale, low, top) * scale
    elif code == DITHER_EQUAL:
        for i in range(x.size):
            out[i] = dithered_equal(x[i] / scale, low, top, uniform(i, key)) * scale
    else:
        for i in range(x.size):
            out[i] = random_equal(x[i] / scale, low, top, uniform(i, key)) * scale


@strict
def _float_row(out: Any, x: Any, code: int, rule: Any, key: Any) -> None:
    scale, low, top, smallest, unit = rule[SCALE], rule[LOW], rule[TOP], rule[SMALLEST], rule[UNIT]
    if code == NEAREST_FLOAT:
        for i in range(x.size):
            out[i] = nearest_float(x[i] / scale, low, top, smallest, unit) * scale
    elif code == RANDOM_FLOAT:
        for i in range(x.size):
            out[i] = random_float(x[i] / scale, low, top, smallest, unit, uniform(i, key)) * scale
    else:
        for i in range(x.size):
            out[i] = clipped(x[i] / scale, low, top) * scale


@strict
def rounded_one(x: Any, rule: Any, key: Any, shared: Any) -> Any:
    """One number as a rule of its type rounds it; `shared` is the key of a factor that all of its
    vector have.
    """
    code = int(rule[CODE])
    scale, low, top = rule[SCALE], rule[LOW], rule[TOP]
    if code == NONE:
        return x
    if code == ADD:
        return x + rule[SPREAD] * _standard(rule, key)
    if code == MIXED:
        own = rule[OWN] * _standard(rule, key_at(key, 1)) + rule[COMMON] * _standard(rule, shared)
        return x + rule[SPREAD] * _standard(rule, key) + x * own
    if code <= COORD:
        return x + x * (rule[SPREAD] * _standard(rule, shared if code == VEC else key))
    if code == NEAREST_EQUAL:
        return nearest_equal(x / scale, low, top) * scale
    if code == RANDOM_EQUAL:
        return random_equal(x / scale, low, top, uniform(0, key)) * scale
    if code == DITHER_EQUAL:
        return dithered_equal(x / scale, low, top, uniform(0, key)) * scale
    if code == NEAREST_FLOAT:
        return nearest_float(x / scale, low, top, rule[SMALLEST], rule[UNIT]) * scale
    if code == RANDOM_FLOAT:
        return (
            random_float(x / scale, low, top, rule[SMALLEST], rule[UNIT], uniform(0, key)) * scale
        )
    return clipped(x / scale, low, top) * scale
