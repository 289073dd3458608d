"""Repeated tokens: which law lends its map to those without a term, and how many epochs it knows.

One function for all verbs, so that `predict` and `plan` give one loss and the same warnings.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isoloss.fits.unseen_parts import repeats
from isoloss.fits.warning import ResultWarning, WarningKind
from isoloss.laws import (
    LENDER,
    MOST_EPOCHS,
    DomainError,
    Inputs,
    Law,
    lent_constants,
    preset,
    sees_repetition,
    with_repetition,
)
from isoloss.runs import compact


def repeating(law: Law, x: Inputs) -> Law:
    """The law, with a term for repeated tokens where some point repeats them.

    Raises
    ------
    DomainError
        It has none and can take none.
    """
    again = repeats(x)
    if x.unique_tokens is None or not again.any():
        return law
    return with_repetition(law, float(x.unique_tokens[again].min()))


def repeating_where_able(law: Law, x: Inputs) -> Law:
    """As `repeating`; the law as it is where it has no such term and can take none."""
    try:
        return repeating(law, x)
    except DomainError:
        return law


def repetition_warnings(
    laws: Sequence[Law], tokens: float, unique: float, most: float = MOST_EPOCHS
) -> tuple[ResultWarning, ...]:
    """What to know of repeated tokens in the losses of some laws.

    Parameters
    ----------
    laws
        The laws as they are, without what is lent to them.
    tokens, unique
        The tokens of a training, and the different ones among them.
    most
        The most epochs that the evidence of repetition holds.
    """
    if tokens <= unique * (1 + 1e-9):
        return ()
    epochs, found = tokens / unique, []
    borrowers = [law.name for law in laws if not sees_repetition(law)]
    if borrowers:
        source, own = preset(LENDER), lent_constants()
        constants = ", ".join(f"{name} = {value:.4g}" for name, value in own.items())
        text = (
            f"{epochs:.3g} epochs of {compact(unique)} unique tokens: no term for repeated tokens "
            f"in {', '.join(borrowers)}; {LENDER} lends its map with {constants} "
            f"({source.source}), not measured with the constants of other laws and taken as exact "
            "in intervals"
        )
        found.append(ResultWarning(WarningKind.UNTESTED, text, tuple(own)))
    if (why := too_many_epochs(tokens, unique, most)) is not None:
        found.append(ResultWarning(WarningKind.EXTRAPOLATION, why))
    return tuple(found)


def too_many_epochs(tokens: float, unique: float, most: float = MOST_EPOCHS) -> str | None:
    """Reason where tokens repeat more often than in the runs behind the map, or None."""
    epochs = tokens / unique
    if epochs <= most * (1 + 1e-9):
        return None
    known = (
        f"the larger runs of {LENDER} obey its law up to {most:.3g} epochs, and of the rise of the "
        "loss at 44 it gives less than half"
        if most == MOST_EPOCHS
        else f"the fitted runs repeat {most:.3g} times at most"
    )
    return f"{epochs:.3g} epochs of {compact(unique)} unique tokens lie outside the runs: {known}"


def most_epochs(law: Law, runs: Inputs | None) -> float:
    """The most epochs that the evidence for a law's repetition holds: of its own runs, where it was
    fitted to them with a term of its own, else those of the published map.
    """
    if runs is None or "R_D" in law.fixed or not sees_repetition(law):
        return MOST_EPOCHS
    again = repeats(runs)
    if runs.unique_tokens is None or not again.any():
        return MOST_EPOCHS
    return float((runs.tokens / runs.unique_tokens).max())


def warnings_at(
    laws: Sequence[Law], x: Inputs, most: float = MOST_EPOCHS
) -> tuple[ResultWarning, ...]:
    """`repetition_warnings` at the point of some that repeats most."""
    if x.unique_tokens is None:
        return ()
    if (x.unique_tokens > x.tokens * (1 + 1e-9)).all():
        text = "there are more unique tokens than are trained on, so none repeats"
        return (ResultWarning(WarningKind.UNTESTED, text),)
    k = int(np.argmax(x.tokens / x.unique_tokens))
    return repetition_warnings(laws, float(x.tokens[k]), float(x.unique_tokens[k]), most)
