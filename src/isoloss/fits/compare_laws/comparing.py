"""The verb ``compare``: laws ranked by what they predict unseen, with weights for an average."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from isoloss.fits.arguments import FitError, shown
from isoloss.fits.compare_laws.comparison import Comparison
from isoloss.fits.compare_laws.ranking import judge_comparison, ranked
from isoloss.fits.doubt import Resample, resample
from isoloss.fits.evidence import HeldOut, HoldOut, Split, check_rule, splits
from isoloss.fits.fitting import fit_checked, held_out, optimum_of
from isoloss.fits.law_arguments import LawLike, as_laws
from isoloss.fits.result import Fit
from isoloss.fits.sample import Sample, as_runs, as_sample
from isoloss.fits.settings import Callback, Settings, settings
from isoloss.fits.solve import Objective
from isoloss.laws import DomainError
from isoloss.runs import Runs

#: Hold-outs of every comparison unless told otherwise: extrapolation in size and in length.
DEFAULT_RULES = ("largest", "longest")


def compare(
    laws: LawLike | Sequence[LawLike],
    runs: Runs | Any,
    *,
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

    Each law is fitted to all runs and, once a hold-out, to the rows that it leaves. Weights
    maximise the held-out log score of the mixture, averaged over bootstraps of the held-out runs.

    Parameters
    ----------
    laws
        Laws, names of laws, or fits, whose laws are fitted again; no two of one name.
    runs
        Runs, a list of Run, a data frame, a path, or the name of a public table.
    holdouts
        One rule of `RULES` or several; by default "largest" and "longest", as far as the runs allow
        them.
    objective, per, draws, how, starts, level, seed, callback
        As in ``fit``; replicates are drawn once a law and once a law and hold-out.

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
    Reference: Yao et al. 2018 (stacking of predictive distributions).
    """
    chosen = as_laws(laws)
    rules = _rules(holdouts)
    asked = settings(objective, per, draws, how, starts, level, seed, callback)
    runs = as_runs(runs)
    sample = as_sample(runs, per)
    parts = _splits(sample, rules, seed, strict=holdouts is not None)
    found: list[tuple[Fit, tuple[HeldOut, ...]]] = []
    refused: dict[str, str] = {}
    for law in chosen:
        try:
            fit = fit_checked(law, runs, None, asked)
            unseen = tuple(_unseen(fit, sample, rows, asked) for rows in parts)
        except (FitError, DomainError) as error:
            refused[law.name] = str(error)
            continue
        found.append((fit, unseen))
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


def _unseen(fit: Fit, sample: Sample, rows: Split, asked: Settings) -> HeldOut:
    """What the law of a fit says of rows when it has not seen them."""
    train, test = sample.take(rows.train), sample.take(rows.test)
    assert fit.optimum is not None
    law = fit.optimum.problem.coordinates.law.release(*fit.absent)
    optimum = optimum_of(law, train, asked.objective, asked.starts, asked.seed)
    spread = resample(train, optimum, asked.draws, asked.how, asked.seed + 1, asked.callback)
    return held_out(optimum, spread, test, rows.rule, asked.level, asked.seed)
