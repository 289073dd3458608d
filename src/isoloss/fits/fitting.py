"""The verb ``fit``: any law to any runs, with everything that is needed to judge the result."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np

from isoloss.fits.caution import Caution
from isoloss.fits.doubt import (
    Draws,
    Resample,
    allocation,
    check_level,
    efficiencies,
    lack_of_fit,
    loss_draws,
    noise,
    resample,
    summarise,
    with_noise,
)
from isoloss.fits.holdout import Split, split
from isoloss.fits.paired_gaps import gaps
from isoloss.fits.result import Facts, Fit, HeldOut, Points, Sensitivity
from isoloss.fits.sample import FitError, Sample, as_runs, as_sample
from isoloss.fits.solve import (
    BASE,
    HUBER,
    SQUARES,
    Objective,
    Optimum,
    as_objective,
    optimise,
    pose,
    unheld,
)
from isoloss.fits.warnings_of_fit import errors, judge
from isoloss.laws import Array, Box, Law, Mask, preset
from isoloss.runs import Runs

Tick = Callable[[int], None]
#: Where a row stands, at the end of the reason for which it is excluded.
_PLACE = re.compile(r" \([^()]*row \d+\)$")


def fit(
    law: str | Law,
    runs: Runs | Any,
    *,
    objective: str | Objective = "huber",
    holdout: str | Callable[[Sample], Mask] | None = None,
    per: str | None = None,
    fixed: Mapping[str, float] | None = None,
    draws: int = 400,
    how: Resample | None = None,
    starts: int = 24,
    level: float = 0.9,
    seed: int = 0,
    tick: Tick | None = None,
) -> Fit:
    """The law fitted to the usable runs, with intervals, hold-out, certificate and warnings.

    ``law``: a preset's name or a Law. ``runs``: Runs, or anything that runs.read takes. ``objective``: "huber" (1e-3 on log loss, summed), "squares" (log loss),
    "student", "plain" (squares of the loss) or an Objective. ``holdout``: a rule of fits.holdout.RULES; these rows
    are predicted, never fitted. ``per``: a column whose values each get a base of their own, precision constants
    shared. ``fixed``: constants held at a value. ``how``: resampling ("runs", "groups", "fractional", "wild"; by
    default groups where runs are grouped). ``tick`` is called with the number of refits just finished.

    Raises FitError, DomainError or ValueError with one sentence where the fit cannot be made, also where held-out
    runs depend on constants that no fitted run holds. Reference: Hoffmann et al. 2022,
    section 3.3 for the objective; Besiroglu et al. 2024 for refits of resampled tables.
    """
    check_level(level)
    runs = as_runs(runs)
    sample = as_sample(runs, per)
    law = preset(law) if isinstance(law, str) else law
    law = law.fix(**fixed) if fixed else law
    law = with_bases(law, sample) if per is not None else law
    objective = as_objective(objective)
    rows = split(sample, holdout, seed) if holdout is not None else None
    train = sample.take(rows.train) if rows is not None else sample
    optimum = optimum_of(law, train, objective, starts, seed)
    spread = resample(train, optimum, draws, how, seed + 1, tick)
    return _assemble(runs, sample, rows, train, optimum, spread, level, seed)


def with_bases(law: Law, sample: Sample) -> Law:
    """The law with a base for every group of a sample."""
    names = [k.name for k in law.constants if k.name in BASE]
    if not names:
        raise FitError(
            f"law {law.name!r} has no base of its own ({', '.join(BASE)}) that could differ between groups"
        )
    return law.per(names, sample.x.groups)


def optimum_of(
    law: Law, sample: Sample, objective: Objective, starts: int = 24, seed: int = 0
) -> Optimum:
    """The best constants alone, without intervals."""
    problem, absent = pose(law, sample, objective)
    return optimise(problem, absent, starts, seed)


def held_out(
    optimum: Optimum, spread: Draws, test: Sample, rule: str, level: float, seed: int
) -> HeldOut:
    """Predictions of rows that were not fitted, each with the interval of a new run.

    Raises FitError where they depend on constants that no fitted row holds: such a prediction would be a guess.
    """
    law = optimum.law
    guessed = unheld(law, optimum.absent, test.x)
    if guessed:
        raise FitError(
            f"runs held out by {rule!r} depend on {', '.join(guessed)}, which no other run holds: law {law.name!r} cannot predict them"
        )
    centre = law.loss(test.x)
    residual = optimum.problem.residuals(optimum.theta[None, :])[0]
    mean = loss_draws(optimum.problem.coordinates, spread.theta, test.x)
    drawn = with_noise(mean, residual, len(optimum.theta), seed)
    prediction = summarise(test.x, centre, drawn, level, "run", law.box)
    covered = float(prediction.covers(test.loss).mean())
    return HeldOut(rule, errors(test.loss, centre, covered), prediction, test.loss)


def _assemble(
    runs: Runs,
    sample: Sample,
    rows: Split | None,
    train: Sample,
    optimum: Optimum,
    spread: Draws,
    level: float,
    seed: int,
) -> Fit:
    objective = optimum.problem.objective
    law = replace(optimum.law, box=box_of(train), evidence="F")
    residual = np.log(law.loss(train.x) / train.loss)
    fitted = errors(train.loss, law.loss(train.x))
    held = (
        None
        if rows is None
        else held_out(optimum, spread, sample.take(rows.test), rows.rule, level, seed)
    )
    jacobian = optimum.problem.jacobian(optimum.theta)
    score = optimum.problem.residuals(optimum.theta[None, :])[0]
    lack = lack_of_fit(train.x, jacobian, score, objective, train.clusters)
    paired = gaps(train)
    flop = float(np.median(6 * train.x.params * train.x.tokens))
    exponents = _exponent(optimum, spread.theta, flop)
    failed = Caution(
        "undefined_draws",
        f"{spread.failed} refits ended nowhere and are left out of every interval",
    )
    return Fit(
        law=law,
        objective=objective,
        level=level,
        draws=spread.theta,
        resample=spread.how,
        certificate=optimum.certificate,
        absent=optimum.absent,
        points=_points(law, sample, rows),
        fitted=fitted,
        held_out=held,
        flop=flop,
        exponent=_with_interval(exponents, level),
        exponent_draws=exponents[1:],
        sensitivity=_sensitivity(optimum, flop),
        lack_of_fit=lack,
        noise=noise(train.cells, residual, len(optimum.theta)),
        gaps=paired,
        gap_score=None if paired is None else paired.score(law, train),
        efficiencies=efficiencies(optimum),
        cautions=judge(train, optimum, fitted, held, lack, paired)
        + ((failed,) if spread.failed else ()),
        facts=_facts(runs, sample, seed),
        optimum=optimum,
        sample=train,
    )


def box_of(sample: Sample) -> Box:
    """The region that runs cover."""
    x = sample.x
    ratio = x.tokens / x.params
    edges = [(float(v.min()), float(v.max())) for v in (x.params, x.tokens, ratio)]
    return Box(
        edges[0],
        edges[1],
        edges[2],
        ", ".join(sorted({str(x.levels.items[k]) for k in np.unique(x.level)})),
    )


def _points(law: Law, sample: Sample, rows: Split | None) -> Points:
    held = np.zeros(len(sample), dtype=bool)
    if rows is not None:
        held[rows.test] = True
    names = tuple(str(sample.x.levels.items[k]) for k in sample.x.level)
    return Points(sample.x.params, sample.x.tokens, names, sample.loss, law.loss(sample.x), held)


def _exponent(optimum: Optimum, draws: Array, flop: float) -> Array:
    """The compute-optimal exponent of params, at the optimum and then for every refit."""
    group = optimum.problem.x.groups[0] if optimum.problem.x.groups else None
    return allocation(
        optimum.problem.coordinates, np.vstack([optimum.theta, draws]), flop, group
    ).exponent


def _with_interval(found: Array, level: float) -> tuple[float, float, float]:
    drawn = found[1:][np.isfinite(found[1:])]
    low, high = (
        np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2]) if len(drawn) else (np.nan, np.nan)
    )
    return float(found[0]), float(low), float(high)


def _sensitivity(optimum: Optimum, flop: float) -> Sensitivity | None:
    """What the other usual objective gives for the same law and runs."""
    other = SQUARES if optimum.problem.objective.kind != "squares" else HUBER
    problem = replace(optimum.problem, objective=other)
    if not len(optimum.theta):
        return None
    again = optimise(problem, optimum.absent, 8, 0)
    group = problem.x.groups[0] if problem.x.groups else None
    exponent = float(allocation(problem.coordinates, again.theta[None, :], flop, group).exponent[0])
    return Sensitivity(str(other), problem.coordinates.values(again.theta), exponent)


def _facts(runs: Runs, sample: Sample, seed: int) -> Facts:
    reasons: dict[str, int] = {}
    for reason in runs.excluded["reason"] if len(runs.excluded) else ():
        kind = _PLACE.sub("", str(reason))
        reasons[kind] = reasons.get(kind, 0) + 1
    sources = (
        sorted({str(s) for s in runs["source"] if s is not None})
        if "source" in runs.columns
        else []
    )
    return Facts(len(sample), reasons, runs.hash, tuple(sources), seed, version("isoloss"))
