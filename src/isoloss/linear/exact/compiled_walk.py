"""Step after step in machine code: the recursion of state.py in one pass over the coordinates.

A step needs one sum over all coordinates, which couples them; it is taken up while the step before
writes its numbers, so that every number is read and written once a step and stays in the nearest
cache. Numbers far below any digit of a risk are set to zero, since denormal ones cost a hundred
times as much. Needs numba, imported with this file and nowhere else in the exact engine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])
#: Means and second moments below these are zero.
NO_MEAN, NO_SQUARE = 1e-140, 1e-280


def compiled(function: F) -> F:
    """The function in machine code, sums in any order."""
    # reassoc and contract let sums run in vector lanes; NaN and infinities keep their meaning.
    return _made(function, fastmath={"reassoc", "contract", "nsz"})


def compiled_strictly(function: F) -> F:
    """The function in machine code, each operation as it is written."""
    return _made(function)


def _made(function: F, **manner: Any) -> F:
    try:
        made: Any = numba.njit(cache=True, error_model="numpy", **manner)(function)
    except RuntimeError:  # no folder that the machine code can be kept in
        made = numba.njit(error_model="numpy", **manner)(function)
    return cast(F, made)


@compiled
def walk_plain(sizes: Any, known: Any, state: Any, summing: bool) -> None:
    """Plain SGD through steps of sizes (T,); known (6, n) is h, D, beta, k and the weights of
    the two sums; state (5, n) is moved in place.
    """
    h, own, beta, const, by_square, by_mean = known
    mean, var, total, var_total, cov = state
    n, pull = h.size, 0.0
    for i in range(n):
        pull += by_square[i] * (var[i] + mean[i] * mean[i]) + by_mean[i] * mean[i]
    for t in range(sizes.size):
        gamma, here, pull = sizes[t], pull, 0.0
        if summing:
            for i in range(n):
                total[i] += mean[i]
                joined = cov[i] + var[i]
                var_total[i] += cov[i] + joined
                # cov(sum + v, v+), before v moves.
                joined -= gamma * h[i] * joined
                cov[i] = joined if abs(joined) > NO_SQUARE else 0.0
        for i in range(n):
            m, v, gh = mean[i], var[i], gamma * h[i]
            square = own[i] * (v + m * m) - (h[i] * m) * (h[i] * m)
            added = gamma * gamma * (square + beta[i] * m + h[i] * here + const[i])
            v = v - 2 * gh * v + added
            m -= gh * m
            m = m if abs(m) > NO_MEAN else 0.0
            v = v if v > NO_SQUARE else 0.0
            mean[i], var[i] = m, v
            # The sum that the next step needs.
            pull += by_square[i] * (v + m * m) + by_mean[i] * m


@compiled
def walk_ruled(sizes: Any, known: Any, state: Any, rule: Any, summing: bool) -> None:
    """The same for a rule (keep, carry, direct) with a state of its own; state is (9, n)."""
    h, own, beta, const, by_square, by_mean = known
    mean, var, total, var_total, cov, speed, var_speed, cov_speed, cov_total = state
    b, c, d = rule
    n, pull = h.size, 0.0
    for i in range(n):
        pull += by_square[i] * (var[i] + mean[i] * mean[i]) + by_mean[i] * mean[i]
    for t in range(sizes.size):
        gamma, here, pull = sizes[t], pull, 0.0
        if summing:
            for i in range(n):
                total[i] += mean[i]
                joined = cov[i] + var[i]
                var_total[i] += cov[i] + joined
                turned = b * (cov_total[i] + cov_speed[i]) - gamma * h[i] * joined
                joined = joined + c * turned - d * gamma * h[i] * joined
                cov_total[i] = turned if abs(turned) > NO_SQUARE else 0.0
                cov[i] = joined if abs(joined) > NO_SQUARE else 0.0
        for i in range(n):
            m, v, u, gh = mean[i], var[i], speed[i], gamma * h[i]
            square = own[i] * (v + m * m) - (h[i] * m) * (h[i] * m)
            added = gamma * gamma * (square + beta[i] * m + h[i] * here + const[i])
            # Letters of state.py: drift = cov(v, u+), pulled = cov(u, g) b - var g.
            push, pulled, drift = gh * m, b * gh * cov_speed[i] - added, b * cov_speed[i] - gh * v
            after = b * b * var_speed[i] - b * gh * cov_speed[i] - pulled
            u = b * u - push
            m += c * u - d * push
            v += 2 * c * drift + c * c * after - 2 * d * gh * v - 2 * c * d * pulled + d * d * added
            both = drift + c * after - d * pulled
            m = m if abs(m) > NO_MEAN else 0.0
            v = v if v > NO_SQUARE else 0.0
            mean[i], var[i] = m, v
            speed[i] = u if abs(u) > NO_MEAN else 0.0
            var_speed[i] = after if after > NO_SQUARE else 0.0
            cov_speed[i] = both if abs(both) > NO_SQUARE else 0.0
            pull += by_square[i] * (v + m * m) + by_mean[i] * m
