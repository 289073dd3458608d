"""Paired gaps as a table of runs whose losses they are, so that laws are fitted to differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoloss.fits.arguments import FitError
from isoloss.fits.paired_gaps.pairing import PAIRED, Differences, differences, is_reference
from isoloss.fits.sample import Sample, as_sample
from isoloss.laws import Array
from isoloss.runs import Runs

#: A gap of fewer standard errors has no logarithm that says anything.
TOLD = 2.0
#: Columns that a gap keeps of its runs.
KEPT = ("metric", "sparsity", "params_kind", *(name for name in PAIRED if name != "seed"))
NOT_TOLD = "gap is not told from zero by two standard errors"
NO_PARTNER = "no partner at the reference that shares all but precision"


def mean_gaps(runs: Sample | Runs | Any) -> Runs:
    """The gaps of a table, one row for each precision in each cell, over its seeds.

    A gap is the loss of a run less that of its partner at the reference: same params, tokens, seed
    and all else, so that what they share cancels; a run that was rounded after training and has no
    partner may carry its gap (``gap``). Its error holds the spread over seeds and the error of each
    difference: that of paired losses (``gap_se``) where the run was rounded after training in full
    precision, else of two losses (``loss_se``).

    Parameters
    ----------
    runs
        Runs, what `isoloss.runs.read` takes, or a sample; a table of gaps comes back as it is.

    Returns
    -------
    Runs
        Of the source "gaps of ...", with ``loss`` the mean gap and ``loss_se`` its standard error.
        Gaps that are not told from zero by two errors, or below zero, are excluded with that
        reason; the group of a row is the cell, whose gaps share the reference.

    Raises
    ------
    FitError
        No run has a partner at the reference.
    """
    if isinstance(runs, Runs) and is_gaps(runs):
        return runs
    return as_gaps(gaps_of_runs(as_sample(runs, unread=True, takes_per=False)))


#: What the source of a table of gaps starts with: its losses are none of models.
OF = "gaps of "


def as_gaps(table: Runs) -> Runs:
    """A table of gaps with its source named so, as it is given away."""
    if is_gaps(table):
        return table
    frame = table.frame()
    source = pl.col("source") if "source" in frame.columns else pl.lit("runs")
    return Runs.from_frame(frame.with_columns(source=pl.lit(OF) + source), table.provenance)


def is_gaps(table: Runs) -> bool:
    """Whether the losses of a table are gaps that were given away."""
    return "source" in table.columns and all(str(each).startswith(OF) for each in table["source"])


def gaps_of_runs(runs: Sample | Runs | Any, per: str | None = None) -> Runs:
    """As `mean_gaps`, with the sources of the runs; `per`: a column that tells runs apart which
    must not be pooled.
    """
    sample = as_sample(runs, per, unread=True)
    found = differences(sample)
    if not len(found.row):
        raise FitError(
            "no run has a partner at full precision or bf16 that shares its params, tokens and all "
            "else but precision, and none carries its gap, so there is no gap to fit to"
        )
    cell, place = _cells(sample, found)
    mean, error, count = _means(found, cell)
    first = np.unique(cell, return_index=True)[1]
    told = ~(mean <= TOLD * np.where(np.isfinite(error), error, 0.0))
    frame = sample.runs.frame()
    kept = _columns(frame[found.row[first]]) | {
        "loss": mean,
        "loss_se": pl.Series(error).fill_nan(None),
        "status": np.where(told, "ok", "excluded"),
        "reason": [None if ok else NOT_TOLD for ok in told],
        "group": [place[i] for i in first],
        "seeds": count,
    }
    return Runs.from_frame(
        pl.concat([pl.DataFrame(kept), _without(sample, found)], how="diagonal_relaxed"),
        sample.runs.provenance,
    )


def _columns(frame: pl.DataFrame) -> dict[str, Any]:
    """What a gap keeps of its runs."""
    names = ("params", "tokens", "precision", *KEPT)
    return {name: frame[name] for name in names if name in frame.columns}


def _without(sample: Sample, found: Differences) -> pl.DataFrame:
    """The runs that have no gap, excluded with the reason."""
    alone = ~is_reference(sample)
    alone[found.row] = False
    frame = sample.runs.frame().filter(pl.Series(alone))
    reason = [NO_PARTNER] * frame.height
    kept = _columns(frame) | {"loss": frame["loss"], "reason": reason}
    return pl.DataFrame(kept | {"status": ["excluded"] * frame.height})


def _cells(sample: Sample, found: Differences) -> tuple[NDArray[np.intp], list[str]]:
    """The cell and precision of each pair as an index, and the name of its cell."""
    row = found.row
    shared = [name for name in PAIRED if name != "seed" and name in sample.runs.columns]
    columns = [[str(v) for v in sample.runs[name][row]] for name in shared]
    if found.by_group.any():
        groups = [str(v) for v in sample.runs["group"][row]]
        columns.append([g if k else "" for g, k in zip(groups, found.by_group, strict=True)])
    sizes = [[f"{v:.17g}" for v in x[row].tolist()] for x in (sample.x.params, sample.x.tokens)]
    place = [" ".join(each) for each in zip(*sizes, *columns, strict=True)]
    keys = [f"{where} {k}" for where, k in zip(place, sample.x.level[row].tolist(), strict=True)]
    return np.unique(keys, return_inverse=True)[1].astype(np.intp), place


def _means(found: Differences, cell: NDArray[np.intp]) -> tuple[Array, Array, Array]:
    """Mean, standard error and pairs of each cell; the error is the larger of the spread over seeds
    and of what each difference has, with what all of a cell share.
    """
    gap, count = found.gap, np.bincount(cell).astype(float)
    mean = np.bincount(cell, gap) / count
    spread = np.bincount(cell, (gap - mean[cell]) ** 2) / np.maximum(1, count - 1)
    over_seeds = np.where(count > 1, np.sqrt(spread / count), np.nan)
    own = np.sqrt(np.bincount(cell, found.error**2)) / count
    shared = np.bincount(cell, found.shared) / count
    error = np.hypot(np.fmax(over_seeds, own), shared)
    return mean, np.where(np.isnan(error) & (shared > 0), shared, error), count
