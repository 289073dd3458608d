"""The average of laws at points that not all of them see: each counts where it can tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from isoloss.fits.compare_laws.ranking import Entry
from isoloss.fits.doubt import NO_REPEATS, Prediction, as_seen, joined, of_rows
from isoloss.fits.identify import SHARE
from isoloss.fits.seeing import Standing, View, asked_of
from isoloss.fits.unseen_parts import repeats
from isoloss.fits.warning import ResultWarning, WarningKind, by_law
from isoloss.laws import DomainError, Inputs


def by_those_that_see(
    entries: Sequence[Entry],
    x: Inputs,
    predicted: Callable[[Sequence[Entry], Inputs], Prediction],
    blank: Prediction,
) -> Prediction:
    """The prediction of each point by the laws that see it, with weights that add up to one.

    Where none does, it is that of the laws whose loss bounds it, without an interval, else unknown,
    or undefined where no law has a loss.

    Parameters
    ----------
    entries
        Laws of weight.
    x
        The points.
    predicted
        The average of some of the laws at some points.
    blank
        A prediction of all points without losses.

    Raises
    ------
    DomainError
        No law of weight is defined at any point.
    """
    of_laws = [e.fit.views_at(x) for e in entries]
    groups: dict[tuple[View, ...], list[int]] = {}
    for row, seen in enumerate(zip(*of_laws, strict=True)):
        groups.setdefault(seen, []).append(row)
    by: dict[tuple[tuple[int, ...], Standing], list[int]] = {}
    for seen, rows in groups.items():
        by.setdefault(asked_of(seen), []).extend(rows)
    if not any(asked for asked, _ in by):
        why = _reasons(entries, of_laws, range(len(of_laws[0])))
        raise DomainError(f"no law of weight is defined there; {why}")
    parts = []
    for (asked, standing), rows in by.items():
        rows.sort()
        part, points = of_rows(blank, rows), x.take(np.array(rows))
        some = _reweighted([entries[i] for i in asked])
        if standing != "unknown":
            part = predicted(some, points)
        elif asked:
            part = replace(part, warnings=doubts_of_laws(some, points))
        own = [of_laws[asked[0] if asked else 0][row] for row in rows]
        part = as_seen(part, points, own, entries[asked[0]].fit.law.name if asked else "")
        left = [i for i in range(len(entries)) if i not in asked]
        parts.append(_with_those_left(part, points, entries, of_laws, rows, asked, left))
    return parts[0] if len(parts) == 1 else joined(parts, list(by.values()))


def doubts_of_laws(entries: Sequence[Entry], x: Inputs) -> tuple[ResultWarning, ...]:
    """What the runs do not tell some laws of points, each by name where they differ."""
    return by_law([(e.fit.law.name, e.fit.doubts(x)) for e in entries])


def _reweighted(entries: Sequence[Entry]) -> list[Entry]:
    total = sum(e.weight for e in entries)
    return [replace(e, weight=e.weight / total) for e in entries]


def _with_those_left(
    part: Prediction,
    x: Inputs,
    entries: Sequence[Entry],
    of_laws: Sequence[Sequence[View]],
    rows: Sequence[int],
    asked: Sequence[int],
    left: Sequence[int],
) -> Prediction:
    """The prediction of some rows with a warning about the laws that do not count there."""
    if not asked:
        text = f"{len(rows)} points have no loss: {_reasons(entries, of_laws, rows)}"
        text = text if len(rows) > 1 else text.replace("points have", "point has")
        return replace(part, warnings=(ResultWarning(WarningKind.NOT_DEFINED, text),))
    sees = [of_laws[asked[0]][row].sees for row in rows]
    if not left or not any(sees):
        return part
    names = [f"'{x.levels.items[k]}'" for k in np.unique(x.level[np.array(sees)])]
    laws = [entries[i].fit.law.name + _why_left(of_laws[i], rows) for i in left]
    again = " with repeated tokens" if repeats(x).all() else ""
    share = sum(entries[i].weight for i in asked) / sum(e.weight for e in entries)
    rests = f", so it rests on {100 * share:.2g}% of the weight" if share < SHARE else ""
    text = (
        f"{', '.join(names)}{again} {'are' if len(names) > 1 else 'is'} judged without "
        f"law{'s' if len(laws) > 1 else ''} {', '.join(laws)}{rests}"
    )
    said = ResultWarning(WarningKind.UNSEEN_PARTS, text)
    return replace(part, warnings=(*part.warnings, said))


def _why_left(seen: Sequence[View], rows: Sequence[int]) -> str:
    """Why a law does not count, where it is not for a missing term that other warnings name."""
    own = [seen[row] for row in rows]
    names = dict.fromkeys(name for view in own for name in view.unheld)
    if names:
        return f" (no run tells {', '.join(names)})"
    lost = next(
        (v.undefined for v in own if v.undefined and v.undefined.startswith(NO_REPEATS)), ""
    )
    if lost:
        return f" ({lost})"
    return " (not defined there)" if any(view.undefined for view in own) else ""


def _reasons(
    entries: Sequence[Entry], of_laws: Sequence[Sequence[View]], rows: Iterable[int]
) -> str:
    """Every reason of every law why rows have no loss, with its points where there are several."""
    rows, said = list(rows), []
    for entry, own in zip(entries, of_laws, strict=True):
        counts = Counter(own[row].undefined or "defined there" for row in rows)
        several = len(counts) > 1
        reasons = [f"{why} ({n} of {len(rows)})" if several else why for why, n in counts.items()]
        said.append(f"{entry.fit.law.name}: {', '.join(reasons)}")
    return "; ".join(said)
