"""A seeded permutation of any length, read off place by place: no list of it is ever made.

A Feistel network turns 2h bits into 2h bits one to one: with the number as halves (l, r), a round
is (l, r) -> (r, l xor f(r)), which is undone by (l, r) -> (r xor f(l), l), whatever f. Numbers that
land at `count` or above are sent through again until they land below (cycle walking), which keeps
it one to one on 0 .. count - 1. Nothing here depends on the version of numpy, so an order stays
what it was. Reference: Black and Rogaway 2002, Ciphers with arbitrary finite domains, section 3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ROUNDS = 6
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def shuffled(places: NDArray[np.int64], count: int, *key: int) -> NDArray[np.int64]:
    """Where a permutation of 0 .. count - 1 sends these places, shape of places; `key` says which
    permutation.
    """
    half = max(1, ((count - 1).bit_length() + 1) // 2)
    # The generator's state is promised to stay the same by numpy, unlike what it shuffles.
    keys = np.random.SeedSequence(key).generate_state(ROUNDS, np.uint64).astype(np.uint64)
    out = _through(np.asarray(places).astype(np.uint64), half, keys)
    beyond = out >= count
    while beyond.any():
        out[beyond] = _through(out[beyond], half, keys)
        beyond = out >= count
    return out.astype(np.int64)


def _through(x: NDArray[np.uint64], half: int, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    bits, mask = np.uint64(half), np.uint64((1 << half) - 1)
    left, right = x >> bits, x & mask
    for key in keys:
        mixed = (right + key) * _MIX[0]
        mixed = (mixed ^ (mixed >> np.uint64(29))) * _MIX[1]
        left, right = right, left ^ ((mixed >> np.uint64(32)) & mask)
    return (left << bits) | right
