"""A law solved on a sample: units, weights, optimum, what the runs can tell, replicates."""

from __future__ import annotations

from dataclasses import dataclass

from isoloss.fits.arguments import FitError
from isoloss.fits.doubt import Draws, resample
from isoloss.fits.identify import Identified, identify
from isoloss.fits.sample import Sample
from isoloss.fits.settings import Settings
from isoloss.fits.solve import BASE, Objective, Optimum, optimise, pose
from isoloss.fits.units import Lines, check_splits, weighted, with_units
from isoloss.laws import Law


@dataclass(frozen=True)
class Solved:
    """A law solved on a sample, before its evidence is told.

    Attributes
    ----------
    train
        The fitted rows with their weights and units.
    optimum, known, spread
        The best constants, what the runs can tell of them, and their replicates.
    lines
        What was found of rows along one run; None where units were declared.
    scatter
        Scatter of the rows beyond the standard errors of their losses; None where these do not
        count.
    """

    train: Sample
    optimum: Optimum
    known: Identified
    spread: Draws
    lines: Lines | None
    scatter: float | None


def solved_on(law: Law, train: Sample, asked: Settings) -> Solved:
    """Units and weights of the rows, the optimum, what they can tell of it, and replicates."""
    check_splits(train)
    train, scatter = weighted(law, train, asked)
    optimum = optimum_of(law, train, asked.objective, asked.starts, asked.seed)
    train, lines = with_units(train, optimum)
    optimum, known = identify(optimum, train, asked.level)
    spread = resample(
        train,
        optimum,
        asked.draws,
        asked.how,
        asked.seed + 1,
        asked.callback,
        known.theta[known.inside(asked.level)],
    )
    return Solved(train, optimum, known, spread, lines, scatter)


def with_bases(law: Law, sample: Sample) -> Law:
    """The law with a base for every group of a sample."""
    names = [k.name for k in law.constants if k.name in BASE]
    if not names:
        raise FitError(
            f"law {law.name!r} has no base of its own ({', '.join(BASE)}) that could differ "
            "between groups"
        )
    return law.per(names, sample.x.groups)


def optimum_of(
    law: Law, sample: Sample, objective: Objective, starts: int = 24, seed: int = 0
) -> Optimum:
    """The best constants alone, without intervals."""
    problem, absent = pose(law, sample, objective)
    return optimise(problem, absent, starts, seed)
