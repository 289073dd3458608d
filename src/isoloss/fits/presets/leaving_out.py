"""Refits of a law of gaps without each way of rounding, so that its intervals hold new ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from isoloss.fits.arguments import FitError
from isoloss.fits.doubt import LeftOut, log_errors
from isoloss.fits.fitting import fit
from isoloss.fits.paired_gaps import as_gaps, runs_of
from isoloss.fits.result import Fit
from isoloss.fits.sample import Sample, as_sample
from isoloss.laws import Mask, is_gap_law
from isoloss.runs import Runs


def leave_out(found: Fit, runs: Runs | Any, starts: int = 6) -> Fit:
    """A fit of gaps whose intervals are of ways of rounding that were not fitted.

    Its law is fitted again without each way of rounding, and the gaps of that predicted.

    Parameters
    ----------
    found
        The fit of gaps.
    runs
        The runs that it was fitted to, or their mean gaps.
    starts
        Walks from random starts of each refit.

    Returns
    -------
    Fit
        The same with `left_out`.

    Raises
    ------
    FitError
        The fit is of losses, the runs have fewer than three ways of rounding, or a way alone holds
        a constant.
    """
    if not is_gap_law(found.law):
        raise FitError(
            f"law {found.law.name!r} gives losses; ways of rounding are left out of a fit of gaps "
            "(target='gap')"
        )
    law = found.law.release(*found.absent)
    table = as_gaps(runs_of([law], runs, "gap"))
    sample = as_sample(table)
    named = np.array([str(level) for level in sample.x.levels.items])[sample.x.level]
    names = sorted(set(named.tolist()))
    if len(names) < 3:
        raise FitError(
            f"the gaps have {len(names)} ways of rounding; leaving each out once needs three"
        )
    refits = [
        fit(law, table, target="gap", objective=found.objective, holdout=_of(name), draws=2,
            starts=starts, seed=found.facts.seed)
        for name in names
    ]  # fmt: skip
    residual, way = np.zeros(len(sample)), np.zeros(len(sample), dtype=np.intp)
    for k, (name, each) in enumerate(zip(names, refits, strict=True)):
        own = named == name
        way[own] = k
        residual[own] = np.log(each.law.loss(sample.x.take(np.flatnonzero(own))) / sample.loss[own])
    first = np.unique(way, return_index=True)[1]
    constants = np.array([found.coordinates.theta(each.values) for each in refits])
    cells = sample.runs["group"] if "group" in sample.runs.columns else sample.x.params
    left = LeftOut(
        tuple(names), constants, way, residual, log_errors(law, sample.x)[first],
        tuple(map(str, cells)),
    )  # fmt: skip
    return replace(found, left_out=left)


def _of(name: str) -> Callable[[Sample], Mask]:
    def way(sample: Sample) -> Mask:
        levels = np.array([str(level) == name for level in sample.x.levels.items])
        return levels[sample.x.level]

    return way
