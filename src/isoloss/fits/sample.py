"""The runs of one fit as numbers: usable rows only, checked for what must not be pooled."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isoloss.laws import Array, Inputs, as_inputs
from isoloss.runs import Runs, read

#: Rows that differ in one of these have different losses for the same model, so one base cannot hold for them.
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


class FitError(ValueError):
    """A fit that cannot be made, with the reason in one sentence."""


@dataclass(frozen=True)
class Sample:
    """Usable runs with their inputs, losses (n,) and, where runs are grouped, the group of each."""

    runs: Runs
    x: Inputs
    loss: Array
    clusters: NDArray[np.intp] | None

    def __len__(self) -> int:
        return len(self.loss)

    def take(self, rows: NDArray[np.intp]) -> Sample:
        """The sample of some rows."""
        clusters = (
            None
            if self.clusters is None
            else np.unique(self.clusters[rows], return_inverse=True)[1]
        )
        return Sample(self.runs.take(rows), self.x.take(rows), self.loss[rows], clusters)

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


def as_runs(runs: Runs | Any) -> Runs:
    """Runs as they are, or read from a path, a table's name or a data frame."""
    return runs if isinstance(runs, Runs) else read(runs)


def as_sample(runs: Runs, per: str | None = None) -> Sample:
    """The usable rows of a table, ready to be fitted.

    Raises FitError when no row is usable, or when rows differ in a column of POOLED and ``per`` does not separate them.
    """
    usable = runs.usable
    if not len(usable):
        raise FitError(
            f"none of the {len(runs)} runs is usable; see runs.excluded for the reason of each"
        )
    labels = _labels(usable, per)
    for column in POOLED:
        _check_pooled(usable, column, labels, per)
    x = as_inputs(
        usable["params"],
        usable["tokens"],
        usable.precisions,
        unique_tokens=_numbers(usable, "unique_tokens"),
        sparsity=_texts(usable, "sparsity"),
        group=labels,
    )
    return Sample(usable, x, np.asarray(usable["loss"], dtype=float), _clusters(usable))


def _labels(runs: Runs, per: str | None) -> list[str] | None:
    if per is None:
        return None
    if per not in runs.columns:
        raise FitError(
            f"runs have no column {per!r} to have a base per; they have {', '.join(runs.columns)}"
        )
    values = list(runs[per])
    unknown = sum(v is None for v in values)
    if unknown:
        raise FitError(
            f"{unknown} of {len(values)} runs have no {per}, so they cannot have a base per {per}; fill it or leave them out"
        )
    return [str(v) for v in values]


def _check_pooled(runs: Runs, column: str, labels: list[str] | None, per: str | None) -> None:
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
            raise FitError(
                f"runs differ in {column}{inside} ({listed}), so one base cannot hold for all; "
                f"fit them with per={column!r}, a base for each, or select some with where({column}=...)"
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
            f"{column} is known for {len(values) - unknown} runs and unknown for {unknown}; fill it in or leave these out"
        )
    return None if unknown else values


def _clusters(runs: Runs) -> NDArray[np.intp] | None:
    groups = _texts(runs, "group")
    if groups is None:
        return None
    names = [g if g is not None else f"row {i}" for i, g in enumerate(groups)]
    index = np.unique(names, return_inverse=True)[1]
    return index.astype(np.intp) if len(set(names)) < len(names) else None
