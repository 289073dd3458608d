"""What a law is fitted to: losses, or the gaps of paired runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import polars as pl

from isoloss.fits.arguments import FitError, shown
from isoloss.fits.paired_gaps.gap_runs import gaps_of_runs, is_gaps
from isoloss.fits.sample import as_runs
from isoloss.laws import Inputs, Law, Mask, as_inputs, gap_law, is_gap_law, plain
from isoloss.runs import Runs

#: Losses of runs, or what they lose beside their partners at the reference.
Target = Literal["loss", "gap"]


def check_target(target: Any) -> Target:
    """A target; FitError for anything else."""
    if target not in get_args(Target):
        raise FitError(f"target is {shown(target)}; it is 'loss' or 'gap'")
    found: Target = target
    return found


def laws_of(laws: Sequence[Law], target: Target) -> list[Law]:
    """Laws of a target: for gaps those of the laws' gaps.

    Raises
    ------
    FitError
        Losses are asked for of a law of gaps.
    """
    if target == "gap":
        return [gap_law(law) for law in laws]
    for law in laws:
        if is_gap_law(law):
            raise FitError(
                f"law {law.name!r} gives gaps and not losses; fit it with target='gap' "
                "(--target gap)"
            )
    return list(laws)


def runs_of(laws: Sequence[Law], runs: Runs | Any, target: Target, per: str | None = None) -> Runs:
    """Runs of a target: for gaps the mean gap of each cell, where one of the laws has any.

    A table of gaps (`mean_gaps`) is taken as it is. `per` is the column of a base for each value.

    Raises
    ------
    FitError
        No run has a partner at the reference, or no law has a gap for any.
    """
    table = as_runs(runs)
    if target == "gap":
        return _seen(laws, table if is_gaps(table) else gaps_of_runs(table, per))
    if is_gaps(table):
        raise FitError(
            "these runs are gaps, which are no losses of models; fit them with target='gap' "
            "(--target gap)"
        )
    return table


def _seen(laws: Sequence[Law], table: Runs) -> Runs:
    """The table with rows excluded whose precision no law has a gap for, which none could miss."""
    frame = table.frame()
    if "sparsity" not in frame.columns:
        frame = frame.with_columns(sparsity=pl.lit(None, pl.String))
    asked = frame.select("precision", "sparsity").unique(maintain_order=True)
    precisions, sparsity = (asked[name].to_list() for name in ("precision", "sparsity"))
    x = as_inputs(1e8, 1e10, precisions, sparsity=sparsity)
    seen = np.any([_has_gap(law, x) for law in laws], axis=0)
    names = " or ".join(law.name for law in laws)
    blind = asked.filter(pl.Series(~seen)).with_columns(blind=pl.lit(True))
    frame = frame.join(blind, on=["precision", "sparsity"], how="left", nulls_equal=True)
    left_out, why = pl.col("blind").fill_null(False), f"{names} has no gap for it"
    frame = frame.with_columns(
        status=pl.when(left_out).then(pl.lit("excluded")).otherwise(pl.col("status")),
        reason=pl.when(left_out).then(pl.lit(why)).otherwise(pl.col("reason")),
    ).drop("blind")
    if not seen.any():
        raise FitError(
            f"{names} has no gap for any of the {len(precisions)} precisions, as "
            f"{min(precisions)!r}; take a law that sees them"
        )
    return Runs.from_frame(frame, table.provenance)


def gapless(law: Law, table: Runs) -> str | None:
    """Why a law cannot be fitted to a table of gaps beside others: usable precisions that it has no
    gap for, or None.
    """
    used = table.usable
    sparsity = list(used["sparsity"]) if "sparsity" in used.columns else [None] * len(used)
    asked = list(dict.fromkeys(zip(used["precision"].tolist(), sparsity, strict=True)))
    x = as_inputs(1e8, 1e10, [p for p, _ in asked], sparsity=[s for _, s in asked])
    blind = [p for (p, _), seen in zip(asked, _has_gap(law, x).tolist(), strict=True) if not seen]
    if not blind:
        return None
    more = f" and {len(blind) - 3} more" if len(blind) > 3 else ""
    return f"it has no gap for {', '.join(map(repr, blind[:3]))}{more}, which the table has"


def _has_gap(law: Law, x: Inputs) -> Mask:
    """Where a law has a gap that is finite and not zero, with constants that are not known at
    either end of their usual range or in the middle of it.
    """
    bound = law.bind(x.levels)
    found = np.zeros(len(x), dtype=bool)
    for share in (0.1, 0.5, 0.9):
        c = {
            k.name: k.start[0] + share * (k.start[1] - k.start[0]) if k.value is None else k.value
            for k in bound.constants
        }
        with np.errstate(all="ignore"):
            gap = plain(bound.formula.loss(c, x))
        found |= np.isfinite(gap) & (gap != 0)
    return found
