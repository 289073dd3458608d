"""Random numbers that are a function of where they are used, so that loops over them run in
vectors.

A key of 64 bits says where: seed, purpose, replicate and row. Element i of a row is a hash of i and
the key (two multiplications of 32 bits, keyed before and between), so nothing is carried from one
to the next, threads share nothing, and two precisions that ask in the same place get the same
number. Normal numbers come in pairs (Box and Muller), in float32 with polynomials in place of log,
sine and cosine, which have no vectors in numba.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from isoloss.linear.sampled.kernels.compiled import apart, loose, strict

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_ONE, _TWO = np.float32(1), np.float32(2)
_UNIT, _HALF_UNIT = np.float32(2.0**-31), np.float32(2.0**-32)
_TURN = np.float32(math.pi / 2 * 2.0**-32)
_LN2, _ROOT_HALF = np.float32(math.log(2)), np.float32(math.sqrt(0.5))
# log(1 + m) - m + m^2 / 2 over m^3 on [sqrt(1/2), sqrt 2): the coefficients of Cephes, public
# domain.
_L0, _L1, _L2 = (
    np.float32(7.0376836292e-2),
    np.float32(-1.1514610310e-1),
    np.float32(1.1676998740e-1),
)
_L3, _L4, _L5 = (
    np.float32(-1.2420140846e-1),
    np.float32(1.4249322787e-1),
    np.float32(-1.6668057665e-1),
)
_L6, _L7, _L8 = (
    np.float32(2.0000714765e-1),
    np.float32(-2.4999993993e-1),
    np.float32(3.3333331174e-1),
)
_S1, _S2, _S3 = np.float32(-1 / 6), np.float32(1 / 120), np.float32(-1 / 5040)
_C1, _C2, _C3, _C4 = (
    np.float32(-0.5),
    np.float32(1 / 24),
    np.float32(-1 / 720),
    np.float32(1 / 40320),
)


@strict
def mixed(z: Any) -> Any:
    """64 bits that look unrelated to z (the finaliser of splitmix64)."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@strict
def key_at(base: Any, at: int) -> Any:
    """The key of place `at` = 0, 1, ... under the key `base`."""
    return mixed(base + (np.uint64(at) + np.uint64(1)) * _GOLDEN)


def _word(context: Any, i: Any, key: Any) -> Any:
    """The 32 random bits of element i of the row with a key, as instructions: numba's own products
    have 64 bits.
    """

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        # Two rounds of xor-shift and multiply, of the form of Wellons's lowbias32, keyed before and
        # between by the halves of the key.
        narrow = ir.IntType(32)
        number = partial(ir.Constant, narrow)
        place, key = arguments
        low = builder.trunc(key, narrow)
        high = builder.trunc(builder.lshr(key, ir.Constant(ir.IntType(64), 32)), narrow)
        x = builder.add(builder.mul(builder.trunc(place, narrow), number(0x9E3779B9)), low)
        x = builder.mul(builder.xor(x, builder.lshr(x, number(16))), number(0x21F0AAAD))
        x = builder.xor(builder.xor(x, builder.lshr(x, number(15))), high)
        x = builder.mul(x, number(0x735A2D97))
        return builder.xor(x, builder.lshr(x, number(15)))

    return types.uint32(types.int64, types.uint64), code


word: Any = intrinsic(_word)


@strict
def uniform(i: int, key: Any) -> Any:
    """A float32 uniform on [0, 1), in steps of 2^-31 near 0."""
    return np.float32(np.int32(word(i, key) >> np.uint32(1))) * _UNIT


@loose
def logarithm(x: Any) -> Any:
    """log x of a positive normal float32."""
    # x = 2^e m: the exponent read off the bits, m moved into [sqrt(1/2), sqrt 2).
    bits = np.float32(x).view(np.int32)
    exponent = np.float32(np.int32((bits >> np.int32(23)) - np.int32(126)))
    m = np.int32((bits & np.int32(0x007FFFFF)) | np.int32(0x3F000000)).view(np.float32)
    low = m < _ROOT_HALF
    exponent = exponent - _ONE if low else exponent
    m = m + m - _ONE if low else m - _ONE
    p = _L3 + m * (_L2 + m * (_L1 + m * _L0))
    p = _L8 + m * (_L7 + m * (_L6 + m * (_L5 + m * (_L4 + m * p))))
    return exponent * _LN2 + (m + m * m * (p * m + _C1))


@loose
def normal_pair(i: int, key: Any) -> Any:
    """Two independent standard normal float32, from words 2 i and 2 i + 1; at most 6.7 in
    magnitude.
    """
    # Box and Muller: a radius from the first word (half a unit up, never log 0), an angle from the
    # second.
    first, second = word(2 * i, key), word(2 * i + 1, key)
    radius = math.sqrt(
        -_TWO * logarithm(np.float32(np.int32(first >> np.uint32(1))) * _UNIT + _HALF_UNIT)
    )
    angle = (
        np.float32(np.int32(second)) * _TURN
    )  # an eighth of a turn to either side; two bits say which quarter
    square = angle * angle
    sine = angle * (_ONE + square * (_S1 + square * (_S2 + square * _S3)))
    cosine = _ONE + square * (_C1 + square * (_C2 + square * (_C3 + square * _C4)))
    # The two lowest bits of the second word choose the quarter; the angle hardly feels them.
    cosine = -cosine if np.uint32(second << np.uint32(31)) != np.uint32(0) else cosine
    swap = np.int32(second << np.uint32(30)) < np.int32(0)
    return radius * (sine if swap else cosine), radius * (cosine if swap else sine)


@strict
def normal(key: Any) -> Any:
    """One standard normal float32 of its own key."""
    return normal_pair(0, key)[0]


@apart
def normal_row(out: Any, key: Any) -> None:
    """Fill a row (n,) of float32 with standard normal numbers."""
    half = out.size // 2
    for i in range(half):
        out[i], out[half + i] = normal_pair(i, key)
    if out.size > 2 * half:
        out[2 * half] = normal_pair(half, key)[0]
