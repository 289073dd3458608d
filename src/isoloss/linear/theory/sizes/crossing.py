"""Where a falling curve of risk over whole sizes meets a level."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

Curve = Callable[[list[int]], list[float]]
#: Sizes looked at in one pass, unless said otherwise.
POINTS = 48


def crossing(
    curve: Curve,
    aim: float,
    usual: int,
    most: Callable[[], int],
    who: str,
    points: int = POINTS,
) -> tuple[float, str]:
    """The least size at which `curve` is at most `aim`, and "" or why there is none.

    Looked for in 1..usual first, then in usual..most(); in log risk over log size between whole
    sizes.
    """
    best = math.inf
    for first in (True, False):
        low, high = (1, usual) if first else (usual, most())
        sizes = _between(low, high, points)
        risks = curve(sizes)
        if first and risks[0] < aim:
            return math.nan, f"the risk of {who} of size 1 is {risks[0]:.4g}, below {aim:.4g}"
        reached = next((k for k, risk in enumerate(risks) if risk <= aim), None)
        if reached is not None:
            return _refined(curve, aim, sizes, risks, reached, points), ""
        best = min(best, *risks)
    return (
        math.nan,
        f"the risk of {who} is {best:.4g} at best up to size {sizes[-1]}, above {aim:.4g}",
    )


def _refined(
    curve: Curve, aim: float, sizes: list[int], risks: list[float], reached: int, points: int
) -> float:
    """The crossing between two neighbouring whole sizes, or between close ones."""
    while reached and sizes[reached] - sizes[reached - 1] > 1:
        near = (math.log(sizes[reached]) - math.log(sizes[reached - 1])) < 1e-3
        if near:
            break
        sizes = _between(sizes[reached - 1], sizes[reached], points)
        risks = curve(sizes)
        reached = next((k for k, risk in enumerate(risks) if risk <= aim), len(sizes) - 1)
    if not reached:
        return float(sizes[0])
    (left, right), (above, below) = (
        sizes[reached - 1 : reached + 1],
        risks[reached - 1 : reached + 1],
    )
    if not (above > below > 0):
        return float(right)
    share = math.log(above / aim) / math.log(above / below)
    return float(left * (right / left) ** min(max(share, 0.0), 1.0))


def _between(low: int, high: int, points: int) -> list[int]:
    """Whole sizes from low to high, evenly in the logarithm, both ends included."""
    return sorted({round(each) for each in np.geomspace(low, high, points)} | {low, high})
