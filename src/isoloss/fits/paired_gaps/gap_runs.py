"""Paired gaps as a table of runs whose losses they are, so that laws are fitted to differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoloss.fits.arguments import FitError
from isoloss.fits.paired_gaps.paired import PAIRED, differences
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
        Runs, what `isoloss.runs.read` takes, or a sample.

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
    sample = as_sample(runs)
    found = differences(sample)
    row = found.row
    if not len(row):
        raise FitError(
            "no run has a partner at full precision or bf16 that shares its params, tokens and all "
            "else but precision, and none carries its gap, so there is no gap to fit to"
        )
    cell, place = _cells(sample, row)
    mean, error, count = _means(found.gap, found.error, cell)
    first = np.unique(cell, return_index=True)[1]
    frame = sample.runs.frame()[row[first]]
    told = ~(mean <= TOLD * np.where(np.isfinite(error), error, 0.0))
    columns = {
        "params": frame["params"],
        "tokens": frame["tokens"],
        "precision": frame["precision"],
        "loss": mean,
        "loss_se": pl.Series(error).fill_nan(None),
        "status": np.where(told, "ok", "excluded"),
        "reason": [None if ok else NOT_TOLD for ok in told],
        "group": [place[i] for i in first],
        "seeds": count,
        **{name: frame[name] for name in KEPT if name in frame.columns},
    }
    if "source" in frame.columns:  # or they would be read as losses of models
        columns["source"] = [f"gaps of {each}" for each in frame["source"]]
    return Runs.from_frame(pl.DataFrame(columns), sample.runs.provenance)


def _cells(sample: Sample, row: NDArray[np.intp]) -> tuple[NDArray[np.intp], list[str]]:
    """The cell and precision of each pair as an index, and the name of its cell."""
    shared = [name for name in PAIRED if name != "seed" and name in sample.runs.columns]
    columns = [[str(v) for v in sample.runs[name][row]] for name in shared]
    sizes = [[f"{v:g}" for v in x[row].tolist()] for x in (sample.x.params, sample.x.tokens)]
    place = [" ".join(each) for each in zip(*sizes, *columns, strict=True)]
    keys = [f"{where} {k}" for where, k in zip(place, sample.x.level[row].tolist(), strict=True)]
    return np.unique(keys, return_inverse=True)[1].astype(np.intp), place


def _means(gap: Array, error: Array, cell: NDArray[np.intp]) -> tuple[Array, Array, Array]:
    """Mean, standard error and pairs of each cell; the error is the larger of the spread over seeds
    and of what each difference has.
    """
    count = np.bincount(cell).astype(float)
    mean = np.bincount(cell, gap) / count
    spread = np.bincount(cell, (gap - mean[cell]) ** 2) / np.maximum(1, count - 1)
    over_seeds = np.where(count > 1, np.sqrt(spread / count), np.nan)
    own = np.sqrt(np.bincount(cell, error**2)) / count
    return mean, np.fmax(over_seeds, own), count
