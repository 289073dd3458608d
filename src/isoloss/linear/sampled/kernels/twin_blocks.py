"""The compiled twin of shared scales: rows whose groups are divided by a scale made of their
largest magnitude.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from isoloss.linear.sampled.kernels.compiled import apart, strict
from isoloss.linear.sampled.kernels.counter_rng import uniform
from isoloss.linear.sampled.kernels.rules import (
    CODE,
    GROUP,
    LOW,
    NEAREST_EQUAL,
    NEAREST_FLOAT,
    POWER,
    RANDOM_EQUAL,
    SCALE,
    SCALING,
    SMALLEST,
    STEP,
    TOP,
    TWO_LEVELS,
    UNIT,
)
from isoloss.linear.sampled.kernels.twin import (
    nearest_equal,
    nearest_float,
    power_of_two,
    random_equal,
    random_float,
)

_E4M3_MAX, _E4M3_NORMAL, _E4M3_UNIT, _E4M3_STEP = (
    np.float32(each) for each in (448, 2**-6, 2**-3, 2**-9)
)
_LEAST_SCALE = np.float32(2.0**-127)


@apart
def blocks_row(out: Any, x: Any, rule: Any, key: Any) -> None:
    """Fill out (n,) with x (n,) rounded in groups that share a scale each."""
    # Groups of neighbours, each divided by its own scale, rounded, and multiplied back.
    group, tiny, tensor = int(rule[GROUP]), rule[SCALE], rule[SCALE]
    if int(rule[SCALING]) == TWO_LEVELS:
        # NVFP4: one number a row in float32, so that the groups' scales fit in e4m3.
        tensor = max(_largest(x) / (rule[TOP] * rule[STEP] * _E4M3_MAX), tiny / _E4M3_STEP)
    for low in range(0, x.size, group):
        here = x[low : low + group]
        scale = _scale(_largest(here), rule, tensor, tiny)
        for i in range(group):
            out[low + i] = _rounded(here[i] / scale, rule, low + i, key) * scale


@strict
def _largest(x: Any) -> Any:
    most = math.fabs(x[0])
    for i in range(1, x.size):
        most = max(most, math.fabs(x[i]))
    return most


@strict
def _scale(largest: Any, rule: Any, tensor: Any, tiny: Any) -> Any:
    top = rule[TOP] * rule[STEP]
    if int(rule[SCALING]) == POWER:
        # MX: the scale is a power of two, 2^(floor log2 largest - floor log2 top).
        return max(power_of_two(largest) / power_of_two(top), _LEAST_SCALE)
    if int(rule[SCALING]) == TWO_LEVELS:
        share = nearest_float(
            largest / top / tensor, -_E4M3_MAX, _E4M3_MAX, _E4M3_NORMAL, _E4M3_UNIT
        )
        return max(share, _E4M3_STEP) * tensor
    return max(largest / top, tiny)


@strict
def _rounded(y: Any, rule: Any, i: int, key: Any) -> Any:
    code, low, top, step = int(rule[CODE]), rule[LOW], rule[TOP], rule[STEP]
    if code == NEAREST_EQUAL:
        return nearest_equal(y / step, low, top) * step
    if code == RANDOM_EQUAL:
        return random_equal(y / step, low, top, uniform(i, key)) * step
    if code == NEAREST_FLOAT:
        return nearest_float(y, low, top, rule[SMALLEST], rule[UNIT])
    return random_float(y, low, top, rule[SMALLEST], rule[UNIT], uniform(i, key))
