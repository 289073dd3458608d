"""What a law can say of each point: of its level, of tokens seen again, and whether it has a loss.

A prediction is made where a law can tell; elsewhere a point is "unknown" or "undefined", with the
reason, and does not touch the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from isoloss.fits.arguments import Of, check_of
from isoloss.fits.doubt.prediction import FAR, PointStanding, Prediction, outside_runs, summarise
from isoloss.fits.doubt.repetition import most_epochs, repeating, warnings_at
from isoloss.fits.sample import Sample
from isoloss.fits.seeing import View, beyond_bits, unheld_in, views
from isoloss.fits.unseen_parts import MOST, repeats, unseen_at_points
from isoloss.fits.warning import ResultWarning, WarningKind
from isoloss.laws import (
    Box,
    DomainError,
    Inputs,
    Law,
    Mask,
    is_gap_law,
    plain,
    sees_repetition,
)

Rows = NDArray[np.intp]
#: Why a law has no loss where tokens are seen again.
NO_REPEATS = "it has no term for repeated tokens"
FITTED_TO_REPEATS = f"{NO_REPEATS} and was fitted to runs that repeat them"
#: The numbers of a prediction, one a point.
COLUMNS = ("params", "tokens", "loss", "low", "high")


def views_at(
    law: Law, levels: Sequence[View], x: Inputs, absent: tuple[str, ...] = ()
) -> tuple[View, ...]:
    """What a law can say of each point, shape (n,).

    Parameters
    ----------
    law
        The law.
    levels
        What it can say of each level of the points.
    x
        The points.
    absent
        Constants on which no fitted run depends.

    Returns
    -------
    tuple of View
        That of the level, with constants of repeated tokens that no run tells, and undefined where
        the law has no loss at the point or no term for its repeated tokens.
    """
    found = [levels[k] for k in x.level]
    again = np.flatnonzero(repeats(x))
    sees = not len(again) or sees_repetition(law)
    if len(again):
        names = unheld_in(law, absent, x.take(again).at_reference()) if sees else ()
        box = law.box
        fitted = box is not None and box.epochs is not None and box.epochs[1] > 1
        lost = None if sees else FITTED_TO_REPEATS if fitted else NO_REPEATS
        for row in again.tolist():
            unheld = tuple(sorted({*found[row].unheld, *names}))
            found[row] = replace(found[row], undefined=lost, unheld=unheld)
    blind = set() if sees else set(again.tolist())
    # Whether a loss is defined is asked of the points: a level says it of the largest run alone.
    asked = [k for k, v in enumerate(found) if not v.unheld and k not in blind]
    why = undefined_rows(law, x, np.array(asked, dtype=np.intp))
    for row in asked:
        if found[row].undefined != why.get(row):
            found[row] = replace(found[row], undefined=why.get(row))
    return tuple(found)


def undefined_rows(law: Law, x: Inputs, rows: Rows) -> dict[int, str]:
    """Why a law has no loss at some rows of the points, empty where it has a loss at all."""
    try:
        law.loss(x.take(rows))
        return {}
    except DomainError as error:
        if len(rows) == 1:
            return {int(rows[0]): str(error)}
    found: dict[int, str] = {}
    for k in np.unique(x.level[rows]):
        own = rows[x.level[rows] == k]
        bad = own[_is_undefined(law, x.take(own))]
        if len(bad):
            why = undefined_rows(law, x, bad[:1])[int(bad[0])]
            found |= dict.fromkeys(bad.tolist(), why)
    return found


def _is_undefined(law: Law, x: Inputs) -> Mask:
    """Where a law has no loss, at points of one level."""
    known = {k.name: float("nan") if k.value is None else k.value for k in law.constants}
    try:
        law.formula.check(known, x)
        with np.errstate(all="ignore"):
            loss = np.broadcast_to(plain(law.formula.loss(known, x)), (len(x),))
        return np.asarray(~np.isfinite(loss))
    except DomainError:  # a factor of the level
        return np.ones(len(x), dtype=bool)


def in_parts(x: Inputs, predicted: Callable[[Inputs], Prediction]) -> Prediction:
    """The prediction of points that repeat tokens and of those that do not, each on its own.

    What is lent for repeated tokens leaves the others alone, and so does what cannot be lent.
    """
    again = repeats(x)
    rows = [part for part in (np.flatnonzero(~again), np.flatnonzero(again)) if len(part)]
    if len(rows) < 2:
        return predicted(x)
    parts, lost = [], []
    for part in rows:
        try:
            parts.append((part, predicted(x.take(part))))
        except DomainError as error:
            lost.append((part, error))
    if not parts:
        raise lost[0][1]
    first = parts[0][1]
    for part, why in lost:
        seen = [View(str(why))] * len(part)
        made = nothing(x.take(part), first.level, first.of, first.metric)
        parts.append((part, as_seen(made, x.take(part), seen, "")))
    return joined([made for _, made in parts], [part for part, _ in parts])


def where_told(
    x: Inputs,
    seen: Sequence[View],
    law: Law,
    asked: tuple[float, Of],
    predicted: Callable[[Inputs], Prediction],
) -> Prediction:
    """The prediction of the points that a law can tell, joined to those that it cannot.

    Parameters
    ----------
    x
        The points.
    seen
        What the law can say of each.
    law
        The law.
    asked
        Level of the intervals, and what they are of.
    predicted
        The prediction of some points, which the law sees or bounds.

    Returns
    -------
    Prediction
        In the order of the points, with warnings of what is not told.

    Raises
    ------
    DomainError
        The law is defined at none of the points.
    """
    check_of(asked[1])
    if all(v.undefined is not None for v in seen):
        raise DomainError(seen[0].undefined)
    told = np.flatnonzero([_standing(v) in ("seen", "at least") for v in seen])
    if len(told) == len(x):
        found = predicted(x)
    else:
        rest = np.setdiff1d(np.arange(len(x)), told)
        blank = of_rows(nothing(x, *asked, law.metric), rest)
        parts = [blank] + ([predicted(x.take(told))] if len(told) else [])
        found = joined(parts[::-1], [rest, told][: len(parts)][::-1])
    what = "gap" if is_gap_law(law) else found.what
    return as_seen(replace(found, what=what), x, seen, law.name)


def beyond_runs(law: Law, x: Inputs, sample: Sample | None) -> tuple[ResultWarning, ...]:
    """Warnings of points outside the runs of a law, in counts and in repeats of tokens."""
    most = most_epochs(law, None if sample is None else sample.x)
    return (*outside_runs(x, law.box), *warnings_at([law], x, most))


def placed(found: Prediction, law: Law, x: Inputs, sample: Sample | None) -> Prediction:
    """The prediction with what lies outside the runs of its law: warnings, no interval far out."""
    far = beyond_runs(law, x, sample)
    return not_far(replace(found, warnings=(*far, *found.warnings)), x, law.box)


def not_far(found: Prediction, x: Inputs, box: Box | None) -> Prediction:
    """The prediction without intervals where points lie `FAR` times outside the fitted runs."""
    if box is None or not (far := box.outside(x) > FAR).any():
        return found
    low, high = (np.where(far, np.nan, ends) for ends in (found.low, found.high))
    text = (
        f"{int(far.sum())} of {len(far)} points lie more than {FAR:g} times outside the fitted "
        "runs, where nothing holds the error of a law: no interval is given"
    )
    said = ResultWarning(WarningKind.EXTRAPOLATION, text)
    return replace(found, low=low, high=high, warnings=(said, *found.warnings))


def nothing(x: Inputs, level: float, of: Of, metric: str) -> Prediction:
    """A prediction without losses or intervals."""
    none = np.full(len(x), np.nan)
    names = tuple(str(x.levels.items[k]) for k in x.level)
    return Prediction(x.params, x.tokens, names, none, none, none, level, of, (), metric)


def of_rows(found: Prediction, rows: Sequence[int] | Rows) -> Prediction:
    """The rows of a prediction without warnings, which may be of others."""
    columns = {
        k: getattr(found, k)[np.array(rows)] for k in ("params", "tokens", "loss", "low", "high")
    }
    return replace(found, precision=tuple(found.precision[i] for i in rows), **columns)


def joined(parts: Sequence[Prediction], rows: Sequence[Sequence[int] | Rows]) -> Prediction:
    """Predictions of the rows of some points, in the order of the points."""
    order = np.argsort(np.concatenate([np.array(own) for own in rows]))
    params, tokens, loss, low, high = (
        np.concatenate([getattr(each, name) for each in parts])[order] for name in COLUMNS
    )
    names = [name for each in parts for name in each.precision]
    known = [s for each in parts for s in each.standing or ("seen",) * len(each)]
    warnings = tuple(dict.fromkeys(w for each in parts for w in each.warnings))
    return replace(
        parts[0], params=params, tokens=tokens, precision=tuple(names[i] for i in order),
        loss=loss, low=low, high=high, warnings=warnings,
        standing=tuple(known[i] for i in order) if set(known) - {"seen"} else (),
    )  # fmt: skip


def as_seen(found: Prediction, x: Inputs, seen: Sequence[View], law: str) -> Prediction:
    """The prediction with what a law cannot see as a bound, or as unknown, without an interval.

    Parameters
    ----------
    found
        The prediction of x.
    x
        The points.
    seen
        What the law can say of each.
    law
        Its name.
    """
    standing = tuple(map(_standing, seen))
    if set(standing) <= {"seen"}:
        return found
    known = np.array(standing)
    low, high = (np.where(known == "seen", ends, np.nan) for ends in (found.low, found.high))
    loss = np.where((known == "seen") | (known == "at least"), found.loss, np.nan)
    warnings = (*found.warnings, *_unseen(x, seen, law, found.what), *not_defined(seen, found.what))
    return replace(found, loss=loss, low=low, high=high, standing=standing, warnings=warnings)


def _standing(view: View) -> PointStanding:
    return view.standing if view.undefined is None else "undefined"


def _unseen(x: Inputs, seen: Sequence[View], law: str, what: str) -> list[ResultWarning]:
    said = {"at least": "a lower bound", "unknown": "unknown"}
    pairs = dict.fromkeys((int(k), view) for k, view in zip(x.level, seen, strict=True))
    return [
        ResultWarning(
            WarningKind.UNSEEN_PARTS,
            f"{view.why(law, x.levels.items[k])}, so its {what} is {said[view.standing]}",
            view.missing,
        )
        for k, view in sorted(pairs, key=lambda pair: pair[0])
        # The rest is said by unseen_at_points, `Fit.doubts` and not_defined.
        if view.undefined is None and not view.sees and not view.unheld
        if not view.unseen or view.tangled or view.blended
    ][:MOST]


def untold(
    x: Inputs, missing: tuple[str, ...], levels: Sequence[View], fitted: set[str]
) -> tuple[ResultWarning, ...]:
    """Warnings of points in precisions that no run had, and that rest on constants none depends on.

    Parameters
    ----------
    x
        The points.
    missing
        Constants that they rest on and no fitted run depends on.
    levels
        What the law can say of each level of the points.
    fitted
        Spellings of the precisions of the fitted runs.
    """
    found = []
    names = {k: str(x.levels.items[k]) for k in x.present}
    if missing:
        rests = [f"'{name}'" for k, name in names.items() if levels[k].unheld]
        where = f"in {', '.join(rests[:MOST])}" if rests else "where tokens are repeated"
        said = (
            f"the loss {where} rests on {', '.join(missing)}, which no fitted run depends on: not "
            "estimated, so the loss is unknown"
        )
        found.append(ResultWarning(WarningKind.NOT_IN_DATA, said, missing))
    new = sorted(set(names.values()) - fitted - {"fp"})
    if new:
        said = f"no fitted run has precision {', '.join(repr(p) for p in new[:MOST])}"
        far = beyond_bits([x.levels.items[k] for k in x.present], fitted)
        text = f"{said}; beyond the bits of the runs: {', '.join(far[:MOST])}" if far else said
        found.append(ResultWarning(WarningKind.EXTRAPOLATION, text))
    return tuple(found)


def not_defined(seen: Sequence[View], what: str = "loss") -> tuple[ResultWarning, ...]:
    """A warning of the points at which a law is not defined, with the reasons."""
    lost = [v.undefined for v in seen if v.undefined is not None]
    if not lost:
        return ()
    reasons = list(dict.fromkeys(lost))
    more = f"; and {len(reasons) - MOST} reasons more" if len(reasons) > MOST else ""
    have = "has" if len(lost) == 1 else "have"
    text = f"{len(lost)} of {len(seen)} points {have} no {what}: {'; '.join(reasons[:MOST])}{more}"
    return (ResultWarning(WarningKind.NOT_DEFINED, text),)


def prediction_of_law(law: Law, x: Inputs, level: float) -> Prediction:
    """The prediction of a law without replicates: no interval, and a warning that says so."""
    own, law = law, repeating(law, x)
    what = "gap" if is_gap_law(law) else "loss"
    missing = ResultWarning(
        WarningKind.NO_INTERVAL,
        f"{law.name} is a law without bootstrap replicates, so this {what} has no interval",
    )

    def predicted(some: Inputs) -> Prediction:
        none = np.full((2, len(some)), np.nan)
        found = summarise(some, law.loss(some), none, level, "mean", replace(law, box=None))
        # That there are no replicates is said; that none is defined is no news beside it.
        return replace(found, warnings=())

    seen = views_at(law, views(law, x.levels.items), x)
    found = where_told(x, seen, law, (level, "mean"), predicted)
    said = (*outside_runs(x, law.box), missing, *warnings_at([own], x))
    said = (*said, *unseen_at_points(law, x), *found.warnings)
    return replace(found, warnings=said)
