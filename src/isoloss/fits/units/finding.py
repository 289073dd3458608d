"""The units of a fitted sample: declared, repeats of a cell, or found along lines of tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from isoloss.fits.doubt import design_effect
from isoloss.fits.sample import Sample
from isoloss.fits.solve import Optimum
from isoloss.fits.units.along_runs import CHANCE_EVEN, Lines, lines_of
from isoloss.fits.units.columns_used import not_used, tell_apart
from isoloss.fits.units.outlying import odd_rows
from isoloss.fits.units.plausible import counts, rising, split_cells
from isoloss.fits.units.standard_errors import declared_weights
from isoloss.fits.units.value import Units
from isoloss.fits.warning import ResultWarning, WarningKind
from isoloss.laws import Array

#: Fewest lines that are drawn again whole: of fewer, a resample often lacks half the sizes.
WHOLE = 7


def with_units(sample: Sample, optimum: Optimum) -> tuple[Sample, Lines | None]:
    """The sample with the units that its residuals show, where no column declares any.

    Lines of rows that look like evaluations along one run become units ("trajectories"), unless
    they are too few to be drawn again whole; what was found of the lines comes with it. Repeats of
    a cell that are no more alike than other runs are units of their own: whole cells, of which
    there are fewer, would make intervals too narrow by chance.
    """
    if sample.by == "groups" and sample.units < 2:
        return replace(sample, clusters=None, by="runs"), None
    if sample.by == "groups":
        return sample, None
    if sample.by == "cells":
        residual = optimum.problem.residuals(optimum.theta[None, :])[0]
        if design_effect(residual, sample.cells) <= 1.0:
            sample = replace(sample, clusters=None, by="runs")
    lines = lines_of(sample, optimum)
    if lines is None or not lines.shared or lines.count < WHOLE:
        return sample, lines
    return replace(sample, clusters=lines.index, by="trajectories"), lines


def units_of(sample: Sample, optimum: Optimum, lines: Lines | None, scatter: float | None) -> Units:
    """What was taken as units, with the evidence for it."""
    correlation, p_value = float("nan"), float("nan")
    if sample.clusters is not None:
        residual = optimum.problem.residuals(optimum.theta[None, :])[0]
        correlation, p_value = intraclass(sample.clusters, residual, len(optimum.theta))
    return Units(
        sample.by,
        sample.units,
        len(sample),
        correlation,
        p_value,
        float("nan") if lines is None else lines.neighbours.correlation,
        scatter,
        not_used(sample, optimum.law, scatter is not None),
        tell_apart(sample),
        declared_weights(sample) is not None,
    )


def intraclass(units: NDArray[np.intp], residual: Array, constants: int) -> tuple[float, float]:
    """Intraclass correlation of residuals, and the p-value that units have no effect.

    Analysis of variance with the constants taken from the freedom between units; NaN where nothing
    is left between or within them.
    """
    counts = np.bincount(units)
    between, within = len(counts) - constants, len(residual) - len(counts)
    if between < 1 or within < 1:
        return float("nan"), float("nan")
    means = np.bincount(units, residual) / counts
    inside = float(np.sum((residual - means[units]) ** 2)) / within
    outside = float(np.sum(counts * means**2)) / between
    if max(inside, outside) < 1e-18:
        return float("nan"), float("nan")
    each = float(np.mean(counts))
    found = (outside - inside) / max(outside + (each - 1) * inside, 1e-300)
    p_value = float(stats.f.sf(outside / max(inside, 1e-300), between, within))
    return float(np.clip(found, -1, 1)), p_value


def undeclared(sample: Sample, lines: Lines | None) -> Iterator[ResultWarning]:
    """A warning where units are trajectories that no column declares."""
    if lines is None or sample.by == "groups" or not lines.shared:
        return
    whole = sample.by == "trajectories"
    reasons = []
    if lines.neighbours.beyond(CHANCE_EVEN):
        found = lines.neighbours.correlation
        reasons.append(f"residuals of neighbours in tokens at one size correlate by {found:.2f}")
    elif lines.within.beyond(CHANCE_EVEN):
        found = lines.within.correlation
        reasons.append(f"residuals of one size correlate by {found:.2f}")
    if lines.even:
        reasons.append("tokens rise in even steps while the loss falls")
    how = (
        f"column {lines.named!r} names them: read it as group={lines.named}"
        if lines.named is not None
        else "name the run of each row in a column group"
    )
    yield ResultWarning(
        WarningKind.UNDECLARED_UNITS,
        f"{' and '.join(reasons)}: {len(sample)} rows look like evaluations along {lines.count} "
        f"runs, or the law misses what tokens do at each size; {how}, or keep the last row of each "
        "run, or compare laws of another base; until then "
        + (
            f"sizes are resampled whole, and intervals from {lines.count} of them are rough"
            if whole
            else f"intervals of constants are too narrow, as {lines.count} are too few to resample "
            "whole"
        ),
    )


def _of_one_group(sample: Sample) -> Iterator[ResultWarning]:
    """A warning where all rows are of one group, which cannot be drawn again whole."""
    groups = {str(v) for v in sample.runs["group"]} if "group" in sample.runs.columns else set()
    if len(groups) == 1 and len(sample) > 1 and groups != {"None"}:
        yield ResultWarning(
            WarningKind.FEW_GROUPS,
            f"all {len(sample)} runs are of group {next(iter(groups))!r}: they are taken as "
            "independent, and intervals are too narrow where they share anything",
        )


def of_rows(sample: Sample, optimum: Optimum, lines: Lines | None) -> Iterator[ResultWarning]:
    """Warnings of what the rows of a table are, before those of the fit."""
    yield from _of_one_group(sample)
    yield from undeclared(sample, lines)
    yield from split_cells(sample)
    yield from counts(sample)
    yield from rising(sample)
    yield from odd_rows(sample, optimum, optimum.law)
