"""Warnings of what a law leaves out: parts, modifiers and sparsity that it has no term for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isoloss.fits.warning import ResultWarning, WarningKind
from isoloss.laws import Inputs, Law, Sight, sights

#: How many precisions a sentence names.
MOST = 6


def unseen_in_runs(law: Law, x: Inputs, found: Sequence[Sight]) -> tuple[ResultWarning, ...]:
    """What a law leaves out of runs: those that are full precision to it, then the others.

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
        At most two, of kind UNSEEN_PARTS; none where the law sees all.
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
    return tuple(out)


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
