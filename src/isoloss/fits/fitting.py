"""The verb ``fit``: any law to any runs, with everything that is needed to judge the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np

from isoloss.fits.arguments import FitError, check_fixed, check_inside_bounds
from isoloss.fits.doubt import (
    Discrepancy,
    LackOfFit,
    Noise,
    Resample,
    discrepancy_of,
    efficiencies,
    lack_of_fit,
    loss_draws,
    noise,
    split_compute,
    summarise,
    with_discrepancy,
)
from isoloss.fits.evidence import (
    Errors,
    Facts,
    HeldOut,
    HoldOut,
    Points,
    Sensitivity,
    Split,
    check_held,
    check_rule,
    errors_of,
    judge,
    split,
    what_of,
)
from isoloss.fits.identify import Identified, widened
from isoloss.fits.law_arguments import LawLike, law_to_fit
from isoloss.fits.paired_gaps import Target, check_target, gapless, gaps_of, laws_of, runs_of
from isoloss.fits.result import Fit
from isoloss.fits.sample import Sample, as_sample, excluded_by_reason
from isoloss.fits.settings import Callback, Settings, settings
from isoloss.fits.solve import SQUARES, STUDENT, Objective, Optimum, optimise
from isoloss.fits.solving import Solved, solved_on, with_bases
from isoloss.fits.units import of_rows, units_of
from isoloss.fits.unseen_parts import rounding_of
from isoloss.laws import Array, Box, Law, holes_of, is_gap_law
from isoloss.runs import Runs


def fit(
    law: LawLike,
    runs: Runs | Any,
    *,
    target: Target = "loss",
    objective: str | Objective = "student",
    holdout: HoldOut | None = None,
    per: str | None = None,
    fixed: Mapping[str, float] | None = None,
    draws: int = 400,
    how: Resample | None = None,
    starts: int = 24,
    level: float = 0.9,
    seed: int = 0,
    callback: Callback | None = None,
) -> Fit:
    """Fit a law to the usable runs, with intervals, hold-out, certificate and warnings.

    Parameters
    ----------
    law
        The name of a published law, a law, or a fit, whose law is fitted again.
    runs
        Runs, a list of Run, a data frame, a path, or the name of a public table.
    target
        "loss", or "gap": loss less that of the paired run at the reference, as a mean over the
        seeds of a cell (`mean_gaps`), so that what both share cancels; the law is then that of
        gaps (`isoloss.laws.gap_law`).
    objective
        "student" (log loss, four degrees of freedom, its scale found from the residuals), "huber"
        (1e-3 on log loss, summed), "squares" (log loss), "plain" (squares of the loss), or an
        Objective.
    holdout
        A rule of `RULES`, as "largest", or a function from the sample to a mask; these rows are
        predicted, never fitted.
    per
        A column: E, A, B, alpha, beta and kappa are fitted per value of it, and the constants of
        precision are shared.
    fixed
        Constants held at a value.
    draws
        Bootstrap replicates, from which intervals are read.
    how
        Resampling: "runs", "groups", "cells", "fractional" or "wild"; by default what the runs
        allow.
    starts
        Walks from random starts.
    level
        Coverage of intervals, 0.9 = 90%.
    seed
        The seed of starts, replicates and random hold-outs.
    callback
        Called with the number of replicates just finished.

    Returns
    -------
    Fit
        The law with its evidence; printing it is the report.

    Raises
    ------
    FitError
        An argument is not accepted, the fit cannot be made, or held-out runs depend on constants
        that no fitted run holds.
    ValueError
        No law has this name, the runs cannot be read, or the law is not defined on them
        (DomainError).

    Notes
    -----
    Reference: Lange, Little and Taylor 1989 for the default objective; Hoffmann et al. 2022,
    section 3.3, for "huber"; Besiroglu et al. 2024 for bootstrap replicates.
    """
    chosen = law_to_fit(law)
    (chosen,) = laws_of([chosen], check_target(target))
    held = check_fixed(fixed, chosen)
    if holdout is not None:
        check_rule(holdout)
    asked = settings(objective, per, draws, how, starts, level, seed, callback)
    chosen = chosen.fix(**held) if held else chosen
    check_inside_bounds(chosen)
    return fit_checked(chosen, runs_of([chosen], runs, target, asked.per), holdout, asked)


def fit_checked(
    law: Law, runs: Runs, holdout: HoldOut | None, asked: Settings, solved: Solved | None = None
) -> Fit:
    """As ``fit``, of arguments that were checked; it may be solved already."""
    sample = as_sample(runs, asked.per)
    law = with_bases(law, sample) if asked.per is not None else law
    rows = split(sample, holdout, asked.seed) if holdout is not None else None
    if solved is None:
        solved = solved_on(law, sample.take(rows.train) if rows is not None else sample, asked)
    return _assemble(runs, sample, rows, solved, asked)


def trial(
    law: Law,
    sample: Sample,
    rows: Split,
    *,
    draws: int = 400,
    starts: int = 24,
    level: float = 0.9,
    seed: int = 0,
) -> tuple[HeldOut, Errors]:
    """The hold-out of a fit alone, without the rest of its evidence and the time that it takes.

    Parameters
    ----------
    law
        A law of losses, or of gaps (`isoloss.laws.gap_law`) where the sample is of `mean_gaps`.
    sample
        All usable runs.
    rows
        Which are fitted, and which are predicted.
    draws, starts, level, seed
        As `fit` takes them.

    Returns
    -------
    HeldOut
        What a fit with this hold-out has as ``held_out``.
    Errors
        Of the fitted rows.

    Raises
    ------
    FitError, DomainError
        As `fit`, and where a law of gaps has none for a precision of the sample.
    """
    asked = settings("student", None, draws, None, starts, level, seed, None)
    if is_gap_law(law) and (why := gapless(law, sample.runs)) is not None:
        raise FitError(f"law {law.name!r} is not tried: {why}")
    solved = solved_on(law, sample.take(rows.train), asked)
    train, optimum = solved.train, solved.optimum
    lack = lack_of_fit(optimum.problem, optimum.theta, train.clusters)
    held = _held_out(solved, _beyond(solved, lack), sample.take(rows.test), rows.rule, asked)
    return held, errors_of(train.loss, optimum.law.loss(train.x))


def _held_out(
    solved: Solved, beyond: Discrepancy, test: Sample, rule: str, asked: Settings
) -> HeldOut:
    """Predictions of rows that were not fitted, each with the interval of a new run.

    Raises FitError where they depend on constants that no fitted row holds: that would be a guess.
    """
    optimum, spread = solved.optimum, solved.spread
    law, coordinates = optimum.law, optimum.problem.coordinates
    check_held(optimum, test.x, rule)
    centre = law.loss(test.x)
    residual = np.log(law.loss(optimum.problem.x) / optimum.problem.observed)
    order = np.argsort(residual)  # so that draws do not depend on the order of the rows
    runs = residual[order], optimum.problem.x.params[order]
    drawn = with_discrepancy(law, spread.theta, runs, beyond, test.x, "run", asked.seed)
    alone = loss_draws(coordinates, spread.theta, test.x)
    prediction = summarise(test.x, centre, drawn, asked.level, "run", law)
    prediction = widened(prediction, [(1.0, solved.known, coordinates)], alone, test.x)
    told = np.isfinite(prediction.low)
    covered = float(prediction.covers(test.loss)[told].mean()) if told.any() else None
    return HeldOut(rule, errors_of(test.loss, centre, covered), prediction, test.loss)


def _assemble(
    runs: Runs, sample: Sample, rows: Split | None, solved: Solved, asked: Settings
) -> Fit:
    """The fit of an optimum and its replicates: everything that is told of them."""
    train, optimum, known, spread = solved.train, solved.optimum, solved.known, solved.spread
    law = replace(optimum.law, box=box_of(train), evidence="F", metric=train.metric)
    fitted = errors_of(train.loss, law.loss(train.x))
    lack = lack_of_fit(optimum.problem, optimum.theta, train.clusters)
    beyond = _beyond(solved, lack)
    held = None
    if rows is not None:
        held = _held_out(solved, beyond, sample.take(rows.test), rows.rule, asked)
    paired = gaps_of(train)
    flop = float(np.median(6 * train.x.params * train.x.tokens))
    exponents = _exponent(optimum, spread.theta, flop)
    judged = judge(train, sample.x, optimum, fitted, held, lack, paired, known, spread, asked.level)
    return Fit(
        law=law,
        objective=optimum.problem.objective,
        level=asked.level,
        draws=spread.theta,
        resample=spread.how,
        certificate=optimum.certificate,
        absent=optimum.absent,
        points=_points(law, sample, rows),
        fitted=fitted,
        held_out=held,
        flop=flop,
        exponent=_with_interval(exponents, optimum, known, flop, asked.level),
        exponent_draws=exponents[1:],
        sensitivity=_sensitivity(optimum, flop),
        lack_of_fit=lack,
        noise=_noise(law, train, len(optimum.theta)),
        gaps=paired,
        gap_score=None if paired is None else paired.score(law, train),
        efficiencies=efficiencies(optimum),
        warnings=(*of_rows(train, optimum, solved.lines), *judged),
        facts=_facts(runs, sample, asked.seed),
        optimum=optimum,
        sample=train,
        identified=known,
        discrepancy=beyond,
        units=units_of(train, optimum, solved.lines, solved.scatter),
    )


def _beyond(solved: Solved, lack: LackOfFit | None) -> Discrepancy:
    """What the law may miss; a test for lack of fit by rows says which bends would have shown."""
    freedom = lack.freedom if lack and solved.train.clusters is None else 0
    return discrepancy_of(solved.optimum, solved.train, solved.spread.how != "runs", freedom)


def _noise(law: Law, train: Sample, constants: int) -> Noise | None:
    residual = np.log(law.loss(train.x) / train.loss)
    return noise(train.cells, residual, constants)


def box_of(sample: Sample) -> Box:
    """The region that runs cover."""
    x = sample.x
    ratio = x.tokens / x.params
    present = [x.levels.items[k].precision for k in np.unique(x.level)]
    edges = [(float(v.min()), float(v.max())) for v in (x.params, x.tokens, ratio)]
    return Box(
        edges[0],
        edges[1],
        edges[2],
        ", ".join(sorted({str(x.levels.items[k]) for k in np.unique(x.level)})),
        **rounding_of(present),
        epochs=(float(x.epochs.min()), float(x.epochs.max())),
        holes=holes_of(x.params),
    )


def _points(law: Law, sample: Sample, rows: Split | None) -> Points:
    held = np.zeros(len(sample), dtype=bool)
    if rows is not None:
        held[rows.test] = True
    spelled = [str(level) for level in sample.x.levels.items]
    names = tuple(spelled[k] for k in sample.x.level.tolist())
    return Points(sample.x.params, sample.x.tokens, names, sample.loss, law.loss(sample.x), held)


def _exponent(optimum: Optimum, draws: Array, flop: float) -> Array:
    """The compute-optimal exponent of params, at the optimum and then for every replicate."""
    group = optimum.problem.x.groups[0] if optimum.problem.x.groups else None
    return split_compute(
        optimum.problem.coordinates, np.vstack([optimum.theta, draws]), flop, group
    ).exponent


def _with_interval(
    found: Array, optimum: Optimum, known: Identified, flop: float, level: float
) -> tuple[float, float, float]:
    """An exponent with its interval, infinite where it moves along a ridge that a bound ends."""
    drawn = found[1:][np.isfinite(found[1:])]
    low, high = (
        np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2]) if len(drawn) else (np.nan, np.nan)
    )
    if known.followed:
        ridge = _exponent(optimum, known.theta, flop)[1:]
        reach = known.of_exponents(ridge[:, None], level)
        low, high = np.fmin(low, reach.low[0]), np.fmax(high, reach.high[0])
        if reach.moved[0]:
            low, high = -np.inf, np.inf
    return float(found[0]), float(low), float(high)


def _sensitivity(optimum: Optimum, flop: float) -> Sensitivity | None:
    """The same law and runs under the other usual objective."""
    other = SQUARES if optimum.problem.objective.kind != SQUARES.kind else STUDENT
    problem = replace(optimum.problem, objective=other)
    if not len(optimum.theta):
        return None
    again = optimise(problem, optimum.absent, 3, 0, optimum.theta, 1e-6)
    group = problem.x.groups[0] if problem.x.groups else None
    exponent = float(
        split_compute(problem.coordinates, again.theta[None, :], flop, group).exponent[0]
    )
    said = again.problem.objective.said(what_of(problem.coordinates.law))
    return Sensitivity(said, problem.coordinates.values(again.theta), exponent)


def _facts(runs: Runs, sample: Sample, seed: int) -> Facts:
    reasons = excluded_by_reason(runs)
    sources = (
        sorted({str(s) for s in runs["source"] if s is not None})
        if "source" in runs.columns
        else []
    )
    return Facts(len(sample), reasons, runs.hash, tuple(sources), seed, version("isoloss"))
