"""The average of laws at points that not all of them see: each counts where it can tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from isoloss.fits.compare_laws.ranking import Entry
from isoloss.fits.doubt import Prediction, as_seen, joined
from isoloss.fits.seeing import asked_of
from isoloss.fits.warning import ResultWarning, WarningKind, by_law
from isoloss.laws import DomainError, Inputs


def by_those_that_see(
    entries: Sequence[Entry],
    x: Inputs,
    predicted: Callable[[Sequence[Entry], Inputs], Prediction],
) -> Prediction:
    """The prediction of each point by the laws that see it, with weights that add up to one.

    Where none does, it is that of the laws whose loss bounds it, without an interval, else unknown.

    Parameters
    ----------
    entries
        Laws of weight.
    x
        The points.
    predicted
        The average of some of the laws at some points.
    """
    seen = [e.fit.views(x) for e in entries]
    groups: dict[tuple[int, ...], list[int]] = {}
    for row, level in enumerate(x.level):
        groups.setdefault(asked_of([own[level] for own in seen])[0], []).append(row)
    parts = []
    for asked, rows in groups.items():
        if not asked:
            level = x.level[rows[0]]
            laws = zip(entries, seen, strict=True)
            reasons = (f"{e.fit.law.name}: {own[level].undefined}" for e, own in laws)
            raise DomainError(f"no law of weight is defined there; {'; '.join(reasons)}")
        some, points = _reweighted([entries[i] for i in asked]), x.take(np.array(rows))
        first = seen[asked[0]]
        found = as_seen(predicted(some, points), points, first, some[0].fit.law.name)
        names = [f"'{x.levels.items[k]}'" for k in points.present if first[k].sees]
        left = [e.fit.law.name for i, e in enumerate(entries) if i not in asked]
        parts.append(replace(found, warnings=(*found.warnings, *_without(names, left))))
    return parts[0] if len(parts) == 1 else joined(parts, list(groups.values()))


def doubts_of_laws(entries: Sequence[Entry], x: Inputs) -> tuple[ResultWarning, ...]:
    """What the runs do not tell some laws of points, each by name where they differ."""
    return by_law([(e.fit.law.name, e.fit.doubts(x)) for e in entries])


def _reweighted(entries: Sequence[Entry]) -> list[Entry]:
    total = sum(e.weight for e in entries)
    return [replace(e, weight=e.weight / total) for e in entries]


def _without(names: Sequence[str], left: Sequence[str]) -> tuple[ResultWarning, ...]:
    """A warning about the laws that do not count for some precisions."""
    if not left or not names:
        return ()
    laws = f"law{'s' if len(left) > 1 else ''} {', '.join(left)}"
    text = f"{', '.join(names)} {'are' if len(names) > 1 else 'is'} judged without {laws}"
    return (ResultWarning(WarningKind.UNSEEN_PARTS, text),)
