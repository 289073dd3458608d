"""The runs of one fit as numbers: usable rows only, checked for what must not be pooled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from isoloss.fits.arguments import FitError, shown
from isoloss.laws import Array, Inputs, Law, Mask, as_inputs
from isoloss.runs import Runs
from isoloss.runs import as_runs as read_runs

#: Rows that differ in one of these have different losses for the same model: no common base.
POOLED = ("metric", "source", "corpus", "eval_set", "tokenizer", "family", "params_kind")

#: Columns in which runs of one cell agree, beside params, tokens, precision and sparsity.
SAME = (
    "source",
    "unique_tokens",
    "lr_peak",
    "lr_final",
    "schedule",
    "optimizer",
    "batch_tokens",
    "method",
)

#: What is drawn again as one: runs that stand alone, declared groups, repeats of one cell, or
#: evaluations that look like those of one run.
UnitKind = Literal["runs", "groups", "cells", "trajectories"]

#: Where a row stands, at the end of the reason for which it is excluded.
_PLACE = re.compile(r" \([^()]*row \d+\)$")


@dataclass(frozen=True)
class Sample:
    """Usable runs as numbers.

    Attributes
    ----------
    runs
        The usable rows of the table.
    x
        Params, tokens and precision of each, as laws take them.
    loss
        Losses in their metric, shape (n,).
    clusters
        Index of the unit of each run, shape (n,); None where every run stands alone. Units are the
        groups where runs are grouped, else cells where some were run more than once.
    by
        What the units are.
    weights
        Weights of rows, shape (n,), of mean one; None for equal ones.
    """

    runs: Runs
    x: Inputs
    loss: Array
    clusters: NDArray[np.intp] | None
    by: UnitKind = "runs"
    weights: Array | None = None

    def __len__(self) -> int:
        return len(self.loss)

    @property
    def metric(self) -> str:
        """What the losses are, as the column has it; several are joined by "and"."""
        return " and ".join(sorted({str(each) for each in self.runs["metric"]}))

    def take(self, rows: NDArray[np.intp]) -> Sample:
        """The sample of some rows."""
        clusters = (
            None
            if self.clusters is None
            else np.unique(self.clusters[rows], return_inverse=True)[1]
        )
        weights = None if self.weights is None else self.weights[rows]
        return Sample(
            self.runs.take(rows), self.x.take(rows), self.loss[rows], clusters, self.by, weights
        )

    @property
    def weighable(self) -> bool:
        """Whether every run has a standard error of its loss."""
        if "loss_se" not in self.runs.columns:
            return False
        errors = np.asarray(self.runs["loss_se"], dtype=float)
        return bool(np.isfinite(errors).all() and (errors > 0).any())

    @property
    def units(self) -> int:
        """How many units there are."""
        return len(self) if self.clusters is None else int(self.clusters.max()) + 1

    @cached_property
    def rank(self) -> NDArray[np.intp]:
        """The place of every run in an order that is the same whatever the order of the table."""
        names = np.array([str(each) for each in self.x.levels.items])[self.x.level]
        told = [name for name in ("seed", "group", "source") if name in self.runs.columns]
        others = [np.array([str(v) for v in self.runs[name]]) for name in told]
        order = np.lexsort((*others, self.loss, names, self.x.tokens, self.x.params))
        return np.argsort(order).astype(np.intp)

    @cached_property
    def cells(self) -> NDArray[np.intp]:
        """The cell of every run: runs that agree in all but seed and loss (see SAME)."""
        columns = [self.x.params, self.x.tokens, self.x.level]
        columns += [self.x.group] if len(self.x.group) else []
        for name in SAME:
            if name in self.runs.columns:
                columns.append(np.unique([str(v) for v in self.runs[name]], return_inverse=True)[1])
        return np.asarray(
            np.unique(np.column_stack(columns), axis=0, return_inverse=True)[1]
        ).ravel()

    def differing(self, rows: Mask) -> dict[str, list[str]]:
        """Columns in which some runs differ though runs of one cell agree in them (see SAME), with
        their values.
        """
        found = {}
        for name in SAME:
            if name in self.runs.columns:
                told = {str(v) for v in np.asarray(self.runs[name])[rows]}
                if len(told) > 1:
                    found[name] = sorted(
                        {"None": "unknown", "nan": "unknown"}.get(v, v) for v in told
                    )
        return found


def as_runs(runs: Runs | Any) -> Runs:
    """Runs as they are, or read from a path, a table's name, a data frame or a list of Run.

    Raises
    ------
    ValueError
        It is none of these, or holds no row.
    """
    if isinstance(runs, Law):
        raise FitError(f"runs is {shown(runs)}; it is a table of runs, and the law comes first")
    found = read_runs(runs)
    if not len(found):
        raise FitError("the table has no rows; give at least one run")
    return found


def excluded_by_reason(runs: Runs) -> dict[str, int]:
    """How many rows are excluded for each reason, whatever row it names.

    Parameters
    ----------
    runs
        A table of runs.

    Returns
    -------
    dict
        Counts by reason, in the order of the table; empty where every row is usable.
    """
    reasons: dict[str, int] = {}
    for reason in runs.excluded["reason"] if len(runs.excluded) else ():
        kind = _PLACE.sub("", str(reason))
        reasons[kind] = reasons.get(kind, 0) + 1
    return reasons


def left_out_in_words(reasons: Mapping[str, int]) -> tuple[str, ...]:
    """Lines of a report: how many rows of a table are left out, one a reason.

    Parameters
    ----------
    reasons
        Counts by reason, as `excluded_by_reason` gives them.

    Returns
    -------
    tuple
        A line each.
    """
    return tuple(f"{count} left out: {why}" for why, count in reasons.items())


def as_sample(
    runs: Sample | Runs | Any,
    per: str | None = None,
    unread: bool = False,
    takes_per: bool = True,
) -> Sample:
    """The usable rows of a table, ready to be fitted.

    Parameters
    ----------
    runs
        Runs, what `isoloss.runs.read` takes, or a sample, which is returned as it is.
    per
        A column with a base of its own for each value.
    unread
        Whether no law will be asked about the sample: pairs of runs are taken from it alone.
    takes_per
        Whether the caller takes ``per`` itself, so that it can be advised.

    Returns
    -------
    Sample
        Usable rows with their inputs and losses.

    Raises
    ------
    FitError
        No row is usable, or rows differ in a column of POOLED that ``per`` does not separate.
    """
    if isinstance(runs, Sample):
        return runs
    runs = as_runs(runs)
    usable = runs.usable
    if not len(usable):
        raise FitError(
            f"none of the {len(runs)} runs is usable; see runs.excluded for the reason of each"
        )
    labels = _labels(usable, per)
    for column in POOLED:
        _check_pooled(usable, column, labels, per, takes_per)
    x = as_inputs(
        usable["params"],
        usable["tokens"],
        usable.precisions,
        unique_tokens=_numbers(usable, "unique_tokens"),
        sparsity=_texts(usable, "sparsity"),
        group=labels,
        unread=unread,
    )
    loss = np.asarray(usable["loss"], dtype=float)
    groups = _clusters(usable)
    found = Sample(usable, x, loss, groups, "runs" if groups is None else "groups")
    return _by_cell(found) if groups is None else found


def _by_cell(sample: Sample) -> Sample:
    """The sample with cells as units where some were run more than once: seeds of a cell share
    whatever the law misses there, and the noise of its data and schedule.
    """
    cells = sample.cells
    if int(cells.max()) + 1 == len(cells):
        return sample
    return replace(sample, clusters=cells.astype(np.intp), by="cells")


def _labels(runs: Runs, per: str | None) -> list[str] | None:
    if per is None:
        return None
    if per not in runs.columns:
        raise FitError(
            f"runs have no column {shown(per)} for per; they have {', '.join(runs.columns)}"
        )
    values = list(runs[per])
    unknown = sum(v is None for v in values)
    if unknown:
        raise FitError(
            f"column {per!r} is missing in {unknown} of {len(values)} runs; fill it or drop them "
            f"to use per={per!r}"
        )
    return [str(v) for v in values]


def _check_pooled(
    runs: Runs, column: str, labels: list[str] | None, per: str | None, takes_per: bool
) -> None:
    values = _texts(runs, column)
    if values is None:
        return
    seen: dict[str, set[str]] = {}
    for label, value in zip(labels or [""] * len(values), values, strict=True):
        seen.setdefault(label, set()).add(value or "unknown")
    for label, found in seen.items():
        if len(found) > 1:
            inside = f" within {per} {label!r}" if per else ""
            listed = ", ".join(sorted(found))
            bases = f"fit them with per={column!r}, a base for each, or " if takes_per else ""
            raise FitError(
                f"runs differ in {column}{inside} ({listed}), so one base cannot hold for all; "
                f"{bases}select some with where({column}=...)"
            )


def _texts(runs: Runs, column: str) -> list[str | None] | None:
    if column not in runs.columns:
        return None
    values = [None if v is None else str(v) for v in runs[column]]
    return values if any(v is not None for v in values) else None


def _numbers(runs: Runs, column: str) -> Array | None:
    if column not in runs.columns:
        return None
    values = np.asarray(runs[column], dtype=float)
    unknown = int((~np.isfinite(values)).sum())
    if 0 < unknown < len(values):
        raise FitError(
            f"{column} is known for {len(values) - unknown} runs and unknown for {unknown}; fill "
            "it in or leave these out"
        )
    return None if unknown else values


def _clusters(runs: Runs) -> NDArray[np.intp] | None:
    groups = _texts(runs, "group")
    if groups is None:
        return None
    names = [g if g is not None else f"row {i}" for i, g in enumerate(groups)]
    index = np.unique(names, return_inverse=True)[1]
    return index.astype(np.intp) if len(set(names)) < len(names) else None
