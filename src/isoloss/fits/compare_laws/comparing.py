"""The verb ``compare``: laws ranked by what they predict unseen, with weights for an average."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from isoloss.fits.arguments import FitError, check_inside_bounds, shown
from isoloss.fits.compare_laws.comparison import Comparison
from isoloss.fits.compare_laws.forms import Form, forms
from isoloss.fits.compare_laws.ranking import Found, judge_comparison, ranked
from isoloss.fits.compare_laws.unseen import unseen
from isoloss.fits.doubt import Resample
from isoloss.fits.evidence import HoldOut, Split, check_rule, splits
from isoloss.fits.fitting import fit_checked
from isoloss.fits.law_arguments import LawLike, as_laws
from isoloss.fits.paired_gaps import Target, check_target, gapless, laws_of, runs_of
from isoloss.fits.sample import Sample, as_sample
from isoloss.fits.settings import Callback, Settings, settings
from isoloss.fits.solve import Objective
from isoloss.fits.solving import solved_on, with_bases
from isoloss.laws import DomainError
from isoloss.runs import Runs

#: Hold-outs of every comparison unless told otherwise: extrapolation in size and in length.
DEFAULT_RULES = ("largest", "longest")


def compare(
    laws: LawLike | Sequence[LawLike],
    runs: Runs | Any,
    *,
    target: Target = "loss",
    holdouts: HoldOut | Sequence[HoldOut] | None = None,
    objective: str | Objective = "student",
    per: str | None = None,
    draws: int = 200,
    how: Resample | None = None,
    starts: int = 24,
    level: float = 0.9,
    seed: int = 0,
    callback: Callback | None = None,
) -> Comparison:
    """Fit laws to the same runs and rank them by held-out error, with stacking weights.

    Each law is fitted to all runs and, once a hold-out, to the rows that it leaves; laws that are
    one form on these runs are fitted once and share one weight. Weights maximise the held-out log
    score of the mixture, sizes of model as units, with a prior that is equal in part and by AICc in
    part.

    Parameters
    ----------
    laws
        Laws, names of laws, or fits, whose laws are fitted again; no two of one name.
    runs
        Runs, a list of Run, a data frame, a path, or the name of a public table.
    target
        "loss", or "gap", as in ``fit``.
    holdouts
        One rule of `RULES` or several; by default "largest" and "longest", as far as the runs allow
        them.
    objective, per, draws, how, starts, level, seed, callback
        As in ``fit``; replicates are drawn once a form, and weights do not depend on them.

    Returns
    -------
    Comparison
        Entries ranked by held-out error. A law that is not defined on these runs, or cannot predict
        held-out ones, is listed with the reason.

    Raises
    ------
    FitError
        No law can be fitted, two laws have one name, or an argument is not accepted.
    ValueError
        No law has a name that is given, or the runs cannot be read.

    Notes
    -----
    Reference: Yao et al. 2018 (stacking of predictive distributions); Burnham and Anderson 2002
    (AICc of data that are not independent).
    """
    chosen = laws_of(as_laws(laws), check_target(target))
    for law in chosen:
        check_inside_bounds(law)
    rules = _rules(holdouts)
    asked = settings(objective, per, draws, how, starts, level, seed, callback)
    runs = runs_of(chosen, runs, target, per)
    missing = {law.name: gapless(law, runs) for law in chosen} if target == "gap" else {}
    blind = {name: why for name, why in missing.items() if why is not None}
    chosen = [law for law in chosen if law.name not in blind]
    sample = as_sample(runs, per)
    parts = _splits(sample, rules, seed, strict=holdouts is not None)
    groups, refused = forms(chosen, sample, asked)
    refused = blind | refused
    found: list[list[Found]] = []
    for group in groups:
        try:
            found.append(_fitted(group, runs, sample, parts, asked))
        except (FitError, DomainError) as error:
            refused |= {form.law.name: str(error) for form in group}
    if not found:
        said = "; ".join(f"{name}: {reason}" for name, reason in refused.items())
        raise FitError(f"no law can be fitted to these runs: {said}")
    entries = ranked(found, [part.test for part in parts], sample, level, seed)
    names = tuple(part.rule for part in parts)
    return Comparison(entries, refused, names, level, judge_comparison(entries), seed)


def _rules(holdouts: Any) -> Sequence[HoldOut]:
    """The hold-out rules, one or several; FitError for what is none."""
    if holdouts is None:
        return DEFAULT_RULES
    if isinstance(holdouts, str) or callable(holdouts):
        holdouts = [holdouts]
    if not isinstance(holdouts, list | tuple) or not holdouts:
        raise FitError(f"holdouts is {shown(holdouts)}; it is a rule or a list of rules")
    for rule in holdouts:
        check_rule(rule)
    return holdouts


def _splits(sample: Sample, rules: Sequence[HoldOut], seed: int, strict: bool) -> list[Split]:
    """The splits of the rules, each set of rows once; if not strict, those that apply."""
    out: list[Split] = []
    for rule in rules:
        try:
            new = splits(sample, rule, seed)
        except FitError:
            if strict:
                raise
            continue
        out += [s for s in new if not any(np.array_equal(s.test, other.test) for other in out)]
    if not out:
        raise FitError(
            "runs vary neither in params nor in tokens per param, so nothing can be held out; name "
            "holdouts"
        )
    return out


def _fitted(
    group: Sequence[Form], runs: Runs, sample: Sample, parts: Sequence[Split], asked: Settings
) -> list[Found]:
    """The fits of laws of one form, and what hold-outs show of them: solved for the first one."""
    first = group[0]
    law = with_bases(first.law, sample) if asked.per is not None else first.law
    solved = solved_on(law, sample, asked)
    fit = fit_checked(first.law, runs, None, asked, solved)
    held = tuple(unseen(fit, sample, rows, asked) for rows in parts)
    moved = ((form, form.moved(solved, first)) for form in group[1:])
    others = [fit_checked(form.law, runs, None, asked, own) for form, own in moved]
    return [(each, held) for each in (fit, *others)]
