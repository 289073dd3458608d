"""What a table has of recipes at one size: losses of the reference and gaps of each recipe, both by
tokens.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from isoloss.fits import CellGap, GapTable, Sample, as_sample, gap_table
from isoloss.laws import Array
from isoloss.plans.problems import PlanError
from isoloss.runs import Runs, compact


@dataclass(frozen=True)
class Reference:
    """The trajectory that recipes are paired with.

    Attributes
    ----------
    name
        Its precision.
    params
        Params of the model.
    tokens, loss
        Its cells, shape (m,), by rising tokens; losses are means over seeds.
    error
        Standard deviations of the noise of these losses, shape (m,).
    """

    name: str
    params: float
    tokens: Array
    loss: Array
    error: Array


@dataclass(frozen=True)
class Recipe:
    """One recipe and its gaps.

    Attributes
    ----------
    name
        Its group, where the rows of its precision are one group and no other has it; else its
        precision.
    precision
        Its spelling.
    tokens, gap
        Its cells, shape (n,), by rising tokens: loss less that of the reference, nats.
    error
        Standard errors of the gaps, shape (n,).
    """

    name: str
    precision: str
    tokens: Array
    gap: Array
    error: Array


@dataclass(frozen=True)
class Recipes:
    """The recipes of a table at one size.

    Attributes
    ----------
    reference, recipes
        What is compared.
    assumed
        Names of the recipes whose noise is the assumed one: no cell has repeats that differ.
    reference_noise
        Standard deviation of a loss of the reference by its repeats; None where it is assumed.
    schedule
        The learning-rate schedule of all runs; "" where the table has none.
    metric
        What the losses are.
    remarks
        What is to be known of the rows: which were left out, which count as repeats.
    """

    reference: Reference
    recipes: tuple[Recipe, ...]
    assumed: tuple[str, ...]
    reference_noise: float | None
    schedule: str
    metric: str
    remarks: tuple[str, ...]


def recipes_of(runs: Runs, params: float | None, noise: float) -> Recipes:
    """The recipes of a table of runs at one size.

    Parameters
    ----------
    runs
        Runs of one source, corpus and schedule.
    params
        The size; None where the table has one.
    noise
        Standard deviation of a gap of single runs, where the table has no repeats.

    Raises
    ------
    PlanError
        There are several sizes, references or schedules, none of the size that is asked for, or no
        reference at the tokens of a gap.
    FitError
        No run has a partner at the reference.
    """
    table = gap_table(runs)
    sample = as_sample(runs, takes_per=False)
    size = _size({cell.params for cell in table.cells}, params)
    if len(table.schedules) > 1:
        raise PlanError(
            f"the runs have {len(table.schedules)} schedules, {', '.join(table.schedules)}; keep "
            "one with where(schedule=...)"
        )
    cells: dict[str, list[CellGap]] = {}
    for cell in table.cells:
        if cell.params == size:
            cells.setdefault(cell.precision, []).append(cell)
    names = _names(sample, list(cells))
    reference = _reference(sample, size, table, noise)
    found = tuple(_recipe(names[p], each, noise) for p, each in cells.items())
    for each in found:
        if not np.isin(each.tokens, reference.tokens).all():
            raise PlanError(
                f"'{each.name}' has gaps at tokens where the reference has no loss, so that they "
                "cannot be put beside its curve; give its runs too"
            )
    assumed = tuple(names[p] for p, each in cells.items() if not len(_noises(each)))
    own = table.noise if table.noise > 0 else None
    remarks = (*table.remarks, *_unseeded(sample, size))
    return Recipes(reference, found, assumed, own, table.schedules[0], table.metric, remarks)


def _unseeded(sample: Sample, size: float) -> tuple[str, ...]:
    """Why rows of a size that no seed tells apart count as repeats, where there are any."""
    seed = sample.runs["seed"] if "seed" in sample.runs.columns else np.full(len(sample), None)
    mine = np.flatnonzero(sample.x.params == size)
    same = Counter((int(sample.cells[k]), str(seed[k])) for k in mine)
    if not (twice := sum(count for count in same.values() if count > 1)):
        return ()
    return (
        f"{twice} rows are equal to another in all but loss, seed included or unknown: they count "
        "as repeats",
    )


def _size(sizes: set[float], params: float | None) -> float:
    """The size that is meant."""
    known = ", ".join(compact(each) for each in sorted(sizes))
    if params is None:
        if len(sizes) > 1:
            raise PlanError(f"recipes were run at {known} params; give one of these as params")
        return next(iter(sizes))
    near = [each for each in sizes if abs(math.log(each / params)) < 0.005]
    if len(near) != 1:
        raise PlanError(
            f"no recipe was run at {compact(params)} params; the table has pairs at {known}"
        )
    return near[0]


def _names(sample: Sample, precisions: Sequence[str]) -> Mapping[str, str]:
    """What each precision is called: its group where that is one of its own, else its spelling."""
    spelled = [str(level) for level in sample.x.levels.items]
    label = sample.runs["group"]
    groups: dict[str, set[str | None]] = {}
    for k, group in zip(sample.x.level.tolist(), label, strict=True):
        groups.setdefault(spelled[k], set()).add(group)
    alone = {p: next(iter(groups[p])) for p in precisions if len(groups[p]) == 1}
    told = [group for group in alone.values() if group is not None]
    own = {p: g for p, g in alone.items() if g is not None and told.count(g) == 1}
    return {p: own.get(p, p) for p in precisions}


def _reference(sample: Sample, size: float, table: GapTable, noise: float) -> Reference:
    """The losses of the reference at a size, means over seeds."""
    levels = sample.x.levels.items
    wide = np.array([level.is_reference for level in levels])[sample.x.level]
    mine = np.flatnonzero(wide & (sample.x.params == size))
    names = sorted({str(levels[k]) for k in sample.x.level[mine]})
    if len(names) > 1:
        raise PlanError(
            f"the reference was run in {' and '.join(names)}; keep one with where(precision=...)"
        )
    tokens, index, count = np.unique(sample.x.tokens[mine], return_inverse=True, return_counts=True)
    loss = np.bincount(index, sample.loss[mine]) / count
    own = table.noise if table.noise > 0 else noise / math.sqrt(2)
    return Reference(names[0], size, tokens, loss, own / np.sqrt(count))


def _recipe(name: str, cells: Sequence[CellGap], noise: float) -> Recipe:
    """A recipe of its cells; the noise of a pair is pooled over cells that were repeated."""
    cells = sorted(cells, key=lambda cell: cell.tokens)
    tokens = np.array([cell.tokens for cell in cells])
    if len(np.unique(tokens)) < len(tokens):
        twice = next(a for a, b in pairwise(tokens.tolist()) if a == b)
        raise PlanError(
            f"'{name}' has several gaps at {compact(twice)} tokens, of runs that differ in "
            "more than the seed; keep one kind with where(...)"
        )
    pairs = np.array([cell.pairs for cell in cells], dtype=float)
    known = _noises(cells)
    pair = math.sqrt(float(np.mean(known**2))) if len(known) else noise
    gap = np.array([cell.mean for cell in cells])
    return Recipe(name, cells[0].precision, tokens, gap, pair / np.sqrt(pairs))


def _noises(cells: Sequence[CellGap]) -> Array:
    """Standard deviations of a pair in the cells whose repeats differ."""
    one = np.array([cell.error * math.sqrt(cell.pairs) for cell in cells])
    return np.asarray(one[np.isfinite(one) & (one > 0)])
