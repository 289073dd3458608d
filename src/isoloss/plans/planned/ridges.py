"""Plans along the ridge of a fit: where constants that the runs do not hold would take them.

Bootstrap replicates follow a ridge only part of the way. Each point of the ridge that a fit keeps
(`Fit.identified`) is planned again: intervals hold what it reaches, and a size that moves along a
part that only a bound ends is not told by the runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isoloss.fits import Along, join_ridges
from isoloss.plans.budget import Budget
from isoloss.plans.planned.panels import Planned
from isoloss.plans.search import levels_of, loss_of, search


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
    hours
        Those of the device hours; None on a cost model.
    """

    law: str
    weight: float
    loose: tuple[str, ...]
    params: Along
    tokens: Along
    loss: Along
    hours: Along | None = None


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
        hours = None
        if found.space.hours is not None:
            spent = np.log(found.space.hours.spent(best.params, best.tokens))
            hours = known.of_counts(spent, level)
        out.append(Ridge(m.law.name, m.weight, known.not_held(level), n, d, moved, hours))
    return tuple(out)


def widened(
    ends: tuple[float, float], along: Sequence[tuple[float, Along]], j: int, level: float
) -> tuple[float, float]:
    """An interval that holds what the ridges reach at a candidate; NaN where they move it."""
    if not along or ends[0] != ends[0]:
        return ends
    reach = join_ridges(along, level)
    if reach.moved[j]:
        return float("nan"), float("nan")
    low, high = np.exp([reach.low[j], reach.high[j]])
    return float(np.fmin(ends[0], low)), float(np.fmax(ends[1], high))


def withheld_by_ridges(ridges: Sequence[Ridge], j: int, level: float) -> str | None:
    """Reason why the runs do not tell the size of a candidate, or None where they do."""
    for name in ("params", "tokens"):
        moved = [(r.weight, getattr(r, name)) for r in ridges]
        if moved and join_ridges(moved, level).moved[j]:
            first = max((r for r in ridges if getattr(r, name).moved[j]), key=lambda r: r.weight)
            return (
                f"{first.law}: the size moves along a ridge on which its runs do not tell "
                f"{', '.join(first.loose)} apart"
            )
    return None
