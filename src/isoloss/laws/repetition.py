"""Repeated tokens for laws without a term for them: the published map, lent, with what it rests on.

The map is that of Muennighoff et al. 2023 (2305.16264, eqs. 5, 6 and 17), with their R_N* and R_D*.
The runs it was fitted to (`utils/parametric_fit.ipynb` of their repository, losses by params,
tokens and unique tokens) repeat up to 44 times at 2.8B and 4.2B params. There the loss of 2.8B
params on 55B tokens rises by .015 at 4 epochs, .12 at 14 and .85 at 44, against .023, .12 and .35
by their law; 619M params rise above any law of this form from 39 epochs of 100M tokens on. So
14 epochs, the most at which law and runs agree, are the most that it is asked for.

Params count as in excess from those that are best for the unique tokens *by the law itself*. Where
that split is far outside the tokens per param of the law's runs (2.6e14 by ouyang2024 at 1e9
tokens, where its runs have 1,290 at most) the map says nothing, and is not lent.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from isoloss.laws.formula import Composed, Grouped
from isoloss.laws.inputs import DomainError
from isoloss.laws.jet import plain
from isoloss.laws.law import Law
from isoloss.laws.registry import preset
from isoloss.laws.sight import sees_repetition
from isoloss.laws.terms import best_params

#: The law whose map and constants are lent, and the most epochs at which its larger runs obey it.
LENDER, MOST_EPOCHS = "muennighoff2023", 14.0
#: The law's own best split may lie so many times outside the tokens per param of its runs.
REACH = 10.0
#: The constants that are lent.
LENT = ("R_N", "R_D")


def with_repetition(law: Law, unique: float) -> Law:
    """The law with a term for repeated tokens: its own, else the published map, lent.

    Parameters
    ----------
    law
        Any law.
    unique
        The unique tokens that there are.

    Returns
    -------
    Law
        The law itself where it has a term.

    Raises
    ------
    DomainError
        Its formula takes no map, it was fitted to runs that repeat tokens, or it knows no best
        params for so few unique tokens.
    """
    if sees_repetition(law):
        return law
    often = None if law.box is None else law.box.epochs
    if often is not None and often[1] > 1:
        raise DomainError(
            f"law {law.name!r} has no term for repeated tokens and was fitted to runs that see "
            f"them up to {often[1]:.3g} times, so its constants hold part of what repeats cost and "
            "a map lent to it would count that twice; use a law with a term for repeated tokens, "
            "or leave unique_tokens out"
        )
    inner = law.formula.inner if isinstance(law.formula, Grouped) else law.formula
    if not isinstance(inner, Composed):
        raise DomainError(
            f"law {law.name!r} has no term for repeated tokens, and its formula takes no map for "
            "them; leave it out, or leave unique_tokens out"
        )
    ratio = best_ratio(law, unique)
    most = np.inf if law.box is None else law.box.tokens_per_param[1]
    if ratio > REACH * most:
        raise DomainError(
            f"law {law.name!r} has no term for repeated tokens, and the map of {LENDER} cannot be "
            f"lent to it: of {unique:.3g} unique tokens it calls {unique / ratio:.3g} params the "
            f"best, {ratio:.3g} tokens a param, where its runs have {most:.4g} at most; leave it "
            "out, or leave unique_tokens out"
        )
    source = preset(LENDER)
    assert isinstance(source.formula, Composed)
    changed = replace(inner, maps=(*source.formula.maps, *inner.maps))
    formula = replace(law.formula, inner=changed) if isinstance(law.formula, Grouped) else changed
    decay = lent_constants()
    # What is known of repeats is then that of the lender, not that the law's own runs had none.
    box = None if law.box is None else replace(law.box, epochs=(1.0, MOST_EPOCHS))
    return replace(
        law, box=box, formula=formula, values={**law.values, **decay}, fixed=law.fixed | set(decay)
    )


def lent_constants() -> dict[str, float]:
    """The constants of the lender, by name."""
    return {name: preset(LENDER).values[name] for name in LENT}


def best_ratio(law: Law, unique: float) -> float:
    """The tokens per param that a law calls best for some tokens; NaN without such a split."""
    known = {name: law.values.get(law.ties.get(name, name)) for name in ("A", "alpha", "B", "beta")}
    values = {name: value for name, value in known.items() if value is not None and value > 0}
    if len(values) < len(known):
        return float("nan")
    with np.errstate(all="ignore"):
        return float(unique / plain(best_params(values, unique)))
