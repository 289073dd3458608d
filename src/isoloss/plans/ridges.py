"""Plans along the ridge of a fit: where constants that the runs do not hold would take them.

Bootstrap replicates follow a ridge only part of the way. Each point of the ridge that a fit keeps
(`Fit.identified`) is planned again: intervals hold what it reaches, and a size that moves along a
part that only a bound ends is not told by the runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isoloss.fits import Along
from isoloss.plans.budget import Budget
from isoloss.plans.panels import Planned
from isoloss.plans.search import levels_of, loss_of, search

#: A plan is withheld, and without an interval, where laws of this share of the weight move it.
SHARE = 0.5


@dataclass(frozen=True)
class Ridge:
    """Where the ridge of one law takes the plan of each of n candidates.

    Attributes
    ----------
    law, weight
        Its name, and its share among the laws.
    loose
        The constants that its runs do not hold.
    params, tokens, loss
        Ends and moves of the logs of these.
    """

    law: str
    weight: float
    loose: tuple[str, ...]
    params: Along
    tokens: Along
    loss: Along


def ridges_of(found: Planned, budget: Budget, level: float) -> tuple[Ridge, ...]:
    """The ridges of the laws of a plan, at a level; none where their runs hold all constants."""
    out = []
    levels = levels_of(found.space.precisions)
    for m in found.members:
        if m.fit is None or not m.fit.identified.followed:
            continue
        known = m.fit.identified
        c = {**m.values, **m.fit.coordinates.constants(known.theta)}
        of_law = loss_of(m, c, levels, budget)
        # A point of the ridge may have no best size: its plan stands at the edge, and has moved.
        best = search(of_law, found.space, len(known.theta), endless=True)
        with np.errstate(all="ignore"):
            params, tokens, loss = (np.log(v) for v in (best.params, best.tokens, best.loss))
        n, d = (known.of_counts(each, level) for each in (params, tokens))
        moved = known.of_losses(loss, level)
        out.append(Ridge(m.law.name, m.weight, known.not_held(level), n, d, moved))
    return tuple(out)


def widened(
    ends: tuple[float, float], along: Sequence[tuple[float, Along]], j: int, level: float
) -> tuple[float, float]:
    """An interval that holds what the ridges reach at a candidate; NaN where they move it.

    Laws below the share that the interval leaves out at a side do not widen it.
    """
    if sum(weight for weight, each in along if each.moved[j]) >= SHARE:
        return float("nan"), float("nan")
    heard = [each for weight, each in along if weight > (1 - level) / 2]
    low = [ends[0], *(float(np.exp(each.low[j])) for each in heard)]
    high = [ends[1], *(float(np.exp(each.high[j])) for each in heard)]
    if ends[0] != ends[0]:
        return ends
    return float(np.nanmin(low)), float(np.nanmax(high))


def withheld_by_ridges(ridges: Sequence[Ridge], j: int) -> str | None:
    """Reason why the runs do not tell the size of a candidate, or None where they do."""
    moved = [each for each in ridges if each.params.moved[j] or each.tokens.moved[j]]
    if sum(each.weight for each in moved) < SHARE:
        return None
    first = max(moved, key=lambda each: each.weight)
    return (
        f"{first.law}: the size moves along a ridge on which its runs do not tell "
        f"{', '.join(first.loose)} apart"
    )
