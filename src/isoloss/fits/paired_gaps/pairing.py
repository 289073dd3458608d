"""Which runs are partners: equal in all but precision, one of them at the reference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoloss.fits.sample import Sample
from isoloss.laws import Array, Inputs, Mask

#: Columns in which two runs of a pair must agree, beside params and tokens.
PAIRED = (
    "source",
    "corpus",
    "eval_set",
    "seed",
    "lr_peak",
    "lr_final",
    "schedule",
    "optimizer",
    "batch_tokens",
    "unique_tokens",
)


def is_reference(sample: Sample) -> Mask:
    """Which runs of a sample are at the reference."""
    return reference_mask(sample.x)


def reference_mask(x: Inputs) -> Mask:
    """Points at the reference: dense, no part below 16 bits in training or serving."""
    return np.array([level.is_reference for level in x.levels.items], dtype=bool)[x.level]


def pairs(sample: Sample) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows with a partner at the reference that shares all but precision, and those partners."""
    pairs = [(each.row, each.references[0]) for each in partners(sample)]
    found = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    return found[:, 0], found[:, 1]


@dataclass(frozen=True)
class Partners:
    """A run and its partners at the reference.

    Attributes
    ----------
    row
        Its row in the sample.
    references
        Rows of equal runs at the reference; several are repeats of one.
    by_group
        Whether the group told them from runs of other models that are equal in all else.
    """

    row: int
    references: tuple[int, ...]
    by_group: bool = False


def partners(sample: Sample) -> Iterator[Partners]:
    """The runs that have partners, in their order.

    Of references in several formats the one counts that a run was trained in, else "fp", else the
    first by name; of several models that are equal in all columns that of its group.
    """
    known = [c for c in PAIRED if c in sample.runs.columns]
    columns = [[str(v) for v in sample.runs[c]] for c in known]
    keys = list(zip(sample.x.params.tolist(), sample.x.tokens.tolist(), *columns, strict=True))
    level = sample.x.level.tolist()
    own = [str(each.precision) for each in sample.x.levels.items]
    trained = [str(each.precision.trained) for each in sample.x.levels.items]
    group = list(sample.runs["group"]) if "group" in sample.runs.columns else [None] * len(keys)
    base = is_reference(sample)
    where: dict[tuple[object, ...], dict[str, list[int]]] = {}
    for i in np.flatnonzero(base).tolist():
        where.setdefault(keys[i], {}).setdefault(own[level[i]], []).append(i)
    for i in np.flatnonzero(~base).tolist():
        if (spelled := where.get(keys[i])) is None:
            continue
        wanted = (trained[level[i]], "fp", min(spelled))
        found = spelled[next(name for name in wanted if name in spelled)]
        alike = [k for k in found if group[k] is not None and group[k] == group[i]]
        yield Partners(i, tuple(alike or found), 0 < len(alike) < len(found))


@dataclass(frozen=True)
class Differences:
    """Gaps of single runs.

    Attributes
    ----------
    row
        Rows of the sample, shape (pairs,).
    gap
        Their gaps, to the mean of repeats of the partner.
    error
        Standard errors of these, NaN where the table says none.
    shared
        The part of it that runs of one partner share: the error of the mean of its repeats.
    by_group
        Whether the group told the partner.
    pooled
        Whether the partner is the mean of several runs.
    """

    row: NDArray[np.intp]
    gap: Array
    error: Array
    shared: Array
    by_group: Mask
    pooled: Mask


def differences(sample: Sample) -> Differences:
    """The gap of every run that has a partner, and of those without one that were rounded after
    training in full precision and carry their gap to the model as trained (``gap``).

    Such a gap is paired over sequences, so that its own error (``gap_se``) counts; else that of two
    losses does.
    """
    found = list(partners(sample))
    row = np.array([each.row for each in found], dtype=np.intp)
    base = [sample.loss[list(each.references)] for each in found]
    gap = sample.loss[row] - np.array([losses.mean() for losses in base])
    shared = np.array([np.std(x, ddof=1) / np.sqrt(len(x)) if len(x) > 1 else 0.0 for x in base])
    loss_se, carried, told = (_known(sample, name) for name in ("loss_se", "gap", "gap_se"))
    of_base = np.array([np.sqrt(np.sum(loss_se[list(each.references)] ** 2)) / len(each.references)
                        for each in found])  # fmt: skip
    whole = _trained_whole(sample)
    paired = np.where(whole[row], told[row], np.nan)
    error = np.where(np.isfinite(paired), paired, np.hypot(loss_se[row], of_base))
    alone = whole & ~is_reference(sample) & np.isfinite(carried)
    alone[row] = False
    more = np.flatnonzero(alone)
    joined, none = np.concatenate([row, more]), np.zeros(len(more))
    order = np.argsort(joined, kind="stable")
    by_group = np.array([each.by_group for each in found], dtype=bool)
    pooled = np.array([len(each.references) > 1 for each in found], dtype=bool)
    return Differences(
        joined[order],
        np.concatenate([gap, carried[more]])[order],
        np.concatenate([error, told[more]])[order],
        np.concatenate([shared, none])[order],
        np.concatenate([by_group, none.astype(bool)])[order],
        np.concatenate([pooled, none.astype(bool)])[order],
    )


def _known(sample: Sample, name: str) -> Array:
    """A column of numbers; NaN where the table has none of this name."""
    absent = np.full(len(sample), np.nan)
    return np.asarray(sample.runs[name], dtype=float) if name in sample.runs.columns else absent


def _trained_whole(sample: Sample) -> Mask:
    """Which runs were trained without rounding, whatever was rounded afterwards."""
    items = sample.x.levels.items
    whole = [not level.sparsity and level.precision.trained.is_wide for level in items]
    return np.array(whole, dtype=bool)[sample.x.level]
