"""Warnings of what a law leaves out: parts, modifiers and sparsity that it has no term for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from isoloss.fits.warning import ResultWarning, WarningKind
from isoloss.formats import Format, Precision
from isoloss.laws import (
    LAWS,
    Inputs,
    Law,
    Level,
    Mask,
    Sight,
    alike,
    as_law,
    kind_of,
    sees_repetition,
    sights,
)

#: How many precisions a sentence names.
MOST = 6


def unseen_in_runs(law: Law, x: Inputs, found: Sequence[Sight]) -> tuple[ResultWarning, ...]:
    """What a law leaves out of runs: those that are full precision to it, then the others, then
    kinds of formats that share a constant.

    Parameters
    ----------
    law
        The law that is fitted.
    x
        The runs.
    found
        What the law sees of each level of the runs, as `sights` says.

    Returns
    -------
    tuple of ResultWarning
        At most three, of kind UNSEEN_PARTS; none where the law sees all.
    """
    counts = np.bincount(x.level, minlength=len(found))
    blind = [s.is_reference for s in found]
    texts = (
        (True, "full precision to it"),
        (False, "the same to it without"),
    )
    out = []
    for full, said in texts:
        chosen = [k for k, s in enumerate(found) if s.unseen and counts[k] and blind[k] is full]
        if chosen:
            left = _left_out([found[k] for k in chosen])
            runs = int(counts[chosen].sum())
            verb = "is" if runs == 1 else "are"
            text = f"{law.name} {_has_no(left)}: {runs} of {len(x)} runs {verb} {said}"
            out.append(ResultWarning(WarningKind.UNSEEN_PARTS, text, left))
    # What a law leaves out has no constant of its own.
    return (*out, *_shared(law, [found[int(k)].level for k in np.flatnonzero(counts)]))


def repeats(x: Inputs) -> Mask:
    """Which points see tokens more than once, shape (n,)."""
    return np.asarray(x.epochs > 1)


def unseen_repeats(law: Law, x: Inputs, whole: Inputs) -> tuple[ResultWarning, ...]:
    """A warning where runs repeat tokens and a law takes each for a new one.

    Parameters
    ----------
    law
        The law.
    x
        The fitted runs.
    whole
        All runs, held-out ones too.
    """
    often = whole.epochs[repeats(whole)]
    if not len(often) or sees_repetition(law):
        return ()
    able = [name for name in LAWS if sees_repetition(as_law(name))]
    hold = "its constants hold part of what repeats cost"
    if not repeats(x).any():
        hold = "what repeats cost shows in the errors of held-out runs, which alone have them"
    text = (
        f"{law.name} has no term for repeated tokens: {len(often)} of {len(whole)} runs saw tokens "
        f"up to {often.max():.3g} times, each a new token to it, so {hold}; laws that see repeats: "
        f"{', '.join(able)}"
    )
    return (ResultWarning(WarningKind.UNSEEN_REPEATS, text, ("unique_tokens",)),)


def _shared(law: Law, present: Sequence[Level]) -> Iterator[ResultWarning]:
    """A warning where formats of several kinds have one constant, as int4 and e2m1 in a law of
    bits. Of the levels of one constant one a kind is named: the others differ in nothing else.
    """
    kinds = [tuple(kind_of(f) for f in _rounded(level)) for level in present]
    if len({k for own in kinds for k in own}) < 2:
        return
    ties = []
    for tie in alike(law, present):
        told = [k for k in tie if kinds[k]]
        firsts: dict[tuple[str, ...], int] = {}
        for k in told:
            if len(kinds[k]) == len(kinds[told[0]]):
                firsts.setdefault(kinds[k], k)
        if len(firsts) > 1:
            ties.append(" = ".join(f"'{present[k]}'" for k in firsts.values()))
    if ties:
        more = f" and {len(ties) - MOST} more" if len(ties) > MOST else ""
        text = (
            f"{law.name} has one constant for {', '.join(ties[:MOST])}{more}: formats of several "
            "kinds are one to it"
        )
        yield ResultWarning(WarningKind.UNSEEN_PARTS, text)


def _rounded(level: Level) -> list[Format]:
    formats = (*level.precision.train.values(), *level.precision.serve.values())
    return [f for f in formats if not f.is_wide]


def unseen_at_points(law: Law, x: Inputs) -> tuple[ResultWarning, ...]:
    """What a law leaves out of points to predict, and as what it takes their precisions."""
    present = [x.levels.items[k] for k in x.present]
    found = [(level, s) for level, s in zip(present, sights(law, present), strict=True) if s.unseen]
    if not found:
        return ()
    left = _left_out([s for _, s in found])
    same = [
        f"'{level}' is " + ("full precision" if s.is_reference else f"'{s.level}'")
        for level, s in found
    ]
    more = f" and {len(same) - MOST} more" if len(same) > MOST else ""
    text = f"{law.name} {_has_no(left)}: {', '.join(same[:MOST])}{more} to it"
    return (ResultWarning(WarningKind.UNSEEN_PARTS, text, left),)


def _left_out(found: Sequence[Sight]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for s in found for name in s.unseen))


def _has_no(left: Sequence[str]) -> str:
    """As "has no part d", "has no parts w, a" or "has no term for 'w@gptq', '-> w'"."""
    more = f" and {len(left) - MOST} more" if len(left) > MOST else ""
    if not all(name.isalpha() for name in left):
        return f"has no term for {', '.join(map(repr, left[:MOST]))}{more}"
    return f"has no part{'s' if len(left) > 1 else ''} {', '.join(left[:MOST])}{more}"


def rounding_of(present: Sequence[Precision]) -> dict[str, tuple[str, ...]]:
    """What the constants of some runs are of: kinds of formats, methods, parts like the weights.

    Reference: `laws.Box`, whose fields these are.
    """
    stages = {
        mark: [f for p in present for f in getattr(p, name).values() if not f.is_wide]
        for mark, name in (("", "train"), ("-> ", "serve"))
    }
    methods = {mark: {f.method for f in formats} for mark, formats in stages.items()}
    return {
        "kinds": tuple(sorted({kind_of(f) for formats in stages.values() for f in formats})),
        "methods": tuple(
            f"{m}{w}" for m, own in methods.items() if len(own) == 1 for w in own if w
        ),
        "shared": tuple(sorted(_as_weights(present))),
    }


def _as_weights(present: Sequence[Precision]) -> set[str]:
    """The parts that all runs with rounded weights, and no others, round in the same format."""
    rounded = [{s: f for s, f in p.train.items() if not f.is_wide} for p in present]
    parts = {part for formats in rounded for part in formats} - {"w"}
    return {
        part for part in parts if all(formats.get(part) == formats.get("w") for formats in rounded)
    }
