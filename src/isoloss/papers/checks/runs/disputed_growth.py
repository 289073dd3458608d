"""Disputes on how costs of precision grow: C1 (in training), C2 (after training), C6 (with bits),
C8 (exponents of the base).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from isoloss.fits import Fit, Growth, gap_table
from isoloss.laws import Composed, Law, Table
from isoloss.papers.checking import check
from isoloss.papers.checks.runs.paired_runs import (
    DECAYED,
    SHARED,
    UNKNOWN,
    gaps_of_table,
    jackknifed,
    rests,
    shown,
    slope,
    spelled,
    spread,
    total,
    trained,
    usual,
)
from isoloss.papers.checks.runs.precision_forms import EFF, fitted, law_of
from isoloss.papers.claim import Finding, Ours
from isoloss.papers.laboratory import Laboratory
from isoloss.runs import Runs


@check
def growth_by_position(
    laboratory: Laboratory, table: str, precision: str, schedule: str, figures: Sequence[str]
) -> Finding:
    """The exponent of tokens in what a precision costs in training, once for each position."""
    found = slope(gaps_of_table(laboratory, table), precision, schedule, "tokens")
    return Finding(
        ours=dict.fromkeys(figures, found),
        says=f"What {precision} costs in training grows as tokens^{shown(found, 2)}.",
        rests_on=(rests(laboratory.runs(table), table),),
    )


@check
def growth_through_kappa(laboratory: Laboratory, table: str, precision: str) -> Finding:
    """The exponent that a constant factor under an outer exponent predicts less the observed one.

    Both are read off the same cells in the same way; the error is that of the observed exponent.
    """
    runs = trained(laboratory, table, ["fp", precision])
    law = Law("outer", Composed(params_factor=(Table(("w", "a", "kv"), EFF),)))
    found = fitted(laboratory, law, runs, "outer exponent")
    predicted = found.law(runs["params"], runs["tokens"], list(runs["precision"]))
    observed = slope(gaps_of_table(laboratory, table), precision, DECAYED, "tokens")
    said = slope(gap_table(runs.with_columns(loss=predicted)), precision, DECAYED, "tokens")
    return Finding(
        ours={
            "predicted less observed exponent of tokens": Ours(
                said.value - observed.value, observed.error
            )
        },
        says=f"kappa {found.values['kappa']:.3g}: predicted exponent "
        f"{shown(Ours(said.value))}, observed {shown(observed)}.",
        rests_on=(rests(runs, table), "fit of one factor on params, kappa free"),
    )


@check
def tokens_or_decay(laboratory: Laboratory, table: str, precisions: Sequence[str]) -> Finding:
    """Growth of the gap after training without decay, and the gap with decay over that without."""
    found = gaps_of_table(laboratory, table)
    frame = usual(laboratory, table).frame()
    ours: dict[str, Ours] = {}
    for each in precisions:
        grown = slope(found, f"fp -> {each}", "constant", "tokens")
        ours[f"growth without decay, {each}"] = grown
        ours[f"growth without decay, {each}, again"] = grown
        ours[f"decayed over undecayed gap, {each}"] = _decayed_over(frame, f"fp -> {each}")
    said = "; ".join(f"{k} {shown(v)}" for k, v in ours.items() if not k.endswith("again"))
    return Finding(
        ours=ours,
        says=f"{said}; the same tokens with and without decay over the last fifth.",
        rests_on=(rests(laboratory.runs(table), table),),
    )


def _decayed_over(frame: pl.DataFrame, precision: str) -> Ours:
    keys = ["params", "tokens", "seed"]
    some = frame.filter(pl.col("precision") == spelled(precision))
    decayed, constant = (
        some.filter(pl.col("schedule") == word).select(*keys, "gap")
        for word in (DECAYED, "constant")
    )
    both = decayed.join(constant, on=keys, suffix="_constant").sort(keys)
    return jackknifed(
        both, ("params", "seed"), lambda rows: total(rows, "gap") / total(rows, "gap_constant")
    )


@check
def one_exponent_for_all_bits(
    laboratory: Laboratory, table: str, pairs: Sequence[tuple[str, str]]
) -> Finding:
    """Exponents of tokens at one number of bits less those at another, decayed."""
    found = gaps_of_table(laboratory, table)
    ours, said = {}, []
    for fewer, more in pairs:
        grown = [found.of(spelled(f"fp -> {p}"), DECAYED).growth for p in (fewer, more)]
        less = None
        if isinstance(grown[0], Growth) and isinstance(grown[1], Growth):
            less = grown[1].less(grown[0], "tokens")
        ours[f"{fewer} to {more}"] = UNKNOWN if less is None else Ours(less.value, less.error)
        said.append(f"{fewer} to {more} {shown(ours[f'{fewer} to {more}'], 2)}")
    return Finding(
        ours=ours,
        says=f"The exponent of tokens changes from {'; '.join(said)}.",
        rests_on=(rests(laboratory.runs(table), table),),
    )


@check
def exponents_by_precision(laboratory: Laboratory, table: str, precision: str) -> Finding:
    """Exponents of the base of runs in few bits less those of runs in full precision.

    Both are fitted to the same cells; an exponent that the runs do not hold is not told.
    """
    few = trained(laboratory, table, [precision])
    full = _same_cells(trained(laboratory, table, ["fp"]), few)
    base = law_of("base", Composed(), tied=False)
    fits = [fitted(laboratory, base, runs, f"base {k}") for k, runs in enumerate((full, few))]
    found = {name: _less(fits[1], fits[0], name) for name in ("alpha", "beta")}
    said = "; ".join(
        f"{name} {fits[0].values[name]:.3g} in full precision, {fits[1].values[name]:.3g} in "
        f"{precision}"
        for name in found
    )
    return Finding(
        ours=found | {f"{name}, no change": each for name, each in found.items()},
        says=f"{said}; differences {shown(found['alpha'])} and {shown(found['beta'])}, from "
        f"{len(few)} runs in {precision} and {len(full)} of the same cells in full precision.",
        rests_on=(rests(full, table), rests(few, table), "a fit of the base to each"),
    )


def _same_cells(runs: Runs, like: Runs) -> Runs:
    keys = [name for name in SHARED if name in runs.columns]
    kept = set(like.frame().select(keys).iter_rows())
    return runs.take(np.array([row in kept for row in runs.frame().select(keys).iter_rows()]))


def _less(one: Fit, two: Fit, name: str) -> Ours:
    value = one.values[name] - two.values[name]
    ends = np.array([fit.interval(name) for fit in (one, two)])
    if not np.isfinite(ends).all():
        return Ours(value, float("inf"))
    errors = [spread(fit.constant_draws[name]) for fit in (one, two)]
    return Ours(value, float(np.linalg.norm(errors)))
