"""Rounding after training on runs: how its cost grows, and what training in few bits changes of
it (Kumar et al. 2024, findings 1 and 3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from isoloss.linear import Study
from isoloss.papers.checking import check
from isoloss.papers.checks.runs.paired_runs import (
    DECAYED,
    RATE,
    UNKNOWN,
    explained,
    gaps_of_table,
    jackknifed,
    mean,
    rests,
    shown,
    slope,
    spelled,
    total,
    usual,
)
from isoloss.papers.claim import Finding, Ours
from isoloss.papers.findings import drawn
from isoloss.papers.laboratory import Laboratory


@check
def growth_after_training(
    laboratory: Laboratory, table: str, precisions: Sequence[str], schedules: Mapping[str, str]
) -> Finding:
    """Exponents of tokens and params in what rounding after training costs, by schedule."""
    found = gaps_of_table(laboratory, table)
    ours = {
        f"{precision} {word}, {name}": slope(found, f"fp -> {precision}", schedule, name)
        for name in ("tokens", "params")
        for schedule, word in schedules.items()
        for precision in precisions
    }
    said = "; ".join(f"{name} {shown(each, 2)}" for name, each in ours.items() if "tokens" in name)
    return Finding(
        ours=ours,
        says=f"Exponents with errors by jackknife over trajectories: {said}.",
        rests_on=(rests(laboratory.runs(table), table),),
        figure=_growth_figure(laboratory, table, precisions[0], said),
    )


def _growth_figure(laboratory: Laboratory, table: str, precision: str, said: str) -> Study:
    rows = [
        {
            "tokens per param": cell.tokens / cell.params,
            "gap": cell.mean,
            "gap_se": cell.error,
            "series": f"{cell.params:.3g} params",
            "panel": "decayed" if cell.schedule == DECAYED else cell.schedule,
        }
        for cell in gaps_of_table(laboratory, table).cells
        if cell.precision == spelled(f"fp -> {precision}") and cell.mean > 0
    ]
    return drawn(
        "growth after training",
        f"How does what {precision} after training costs grow? Mean over seeds.",
        rows,
        ("tokens per param", "gap (nats)"),
        f"Exponents: {said}.",
        x="tokens per param",
        y="gap",
    )


@check
def power_form_after_training(laboratory: Laboratory, table: str, bits: Sequence[int]) -> Finding:
    """C D^d N^-n exp(-P/gamma) by least squares on log gaps of cells, decayed runs."""
    names = {spelled(f"fp -> w{b}"): b for b in bits}
    cells = [
        cell
        for cell in gaps_of_table(laboratory, table).cells
        if cell.precision in names and cell.schedule == DECAYED
    ]
    frame = pl.DataFrame(
        {
            "params": [cell.params for cell in cells],
            "tokens": [cell.tokens for cell in cells],
            "bits": [names[cell.precision] for cell in cells],
            "gap": [cell.mean for cell in cells],
        }
    )
    kept = frame.filter(pl.col("gap") > 0)
    by = ("params", "tokens")
    r2 = jackknifed(kept, by, lambda some: _form(some)[0])
    fall = jackknifed(kept, by, lambda some: _form(some)[1])
    return Finding(
        ours={"R2 of log gap": r2, "fall of log gap per bit": fall},
        says=f"R2 {shown(r2)} of log gaps in {len(kept)} cells ({len(frame) - len(kept)} are not "
        f"positive and were left out); a bit less multiplies the gap by {np.exp(fall.value):.2f}.",
        rests_on=(rests(laboratory.runs(table), table),),
    )


def _form(cells: pl.DataFrame) -> tuple[float, float]:
    """R2 and the fall with bits of log gap = c + d log D - n log N - P / gamma."""
    design = np.column_stack(
        [
            np.ones(len(cells)),
            np.log(cells["tokens"].to_numpy()),
            np.log(cells["params"].to_numpy()),
            cells["bits"].to_numpy().astype(float),
        ]
    )
    log_gap = np.log(cells["gap"].to_numpy())
    solved, *_ = np.linalg.lstsq(design, log_gap, rcond=None)
    return explained(log_gap, design @ solved), -float(solved[3])


@check
def more_data_hurts(laboratory: Laboratory, table: str, precisions: Sequence[str]) -> Finding:
    """Loss of the rounded smallest model at the greatest length less that at the length before."""
    runs = usual(laboratory, table, DECAYED)
    frame = runs.frame().filter(pl.col("block") == "length")
    size = float(runs["params"].min())
    before, last = sorted(frame.filter(pl.col("params") == size)["tokens"].unique())[-2:]
    ours = {}
    for precision in precisions:
        some = frame.filter(pl.col("precision") == spelled(f"fp -> {precision}"))
        rises = some.group_by("params", "seed").agg(
            pl.col("loss").sort_by("tokens").last() - pl.col("loss").sort_by("tokens").get(-2)
        )
        ours[precision] = _of_smallest(rises.sort("params", "seed"), size)
    said = "; ".join(f"{name} {shown(each)}" for name, each in ours.items())
    return Finding(
        ours=ours,
        says=f"Loss at {last / size:.0f} less that at {before / size:.0f} tokens per param, "
        f"{size:.0f} params: {said} nats.",
        rests_on=(rests(runs, table),),
    )


def _of_smallest(rises: pl.DataFrame, size: float) -> Ours:
    """The mean over seeds at a size; its error is that of all sizes, pooled."""
    groups = [
        group["loss"].to_numpy() for _, group in rises.group_by("params", maintain_order=True)
    ]
    mine = rises.filter(pl.col("params") == size)["loss"].to_numpy()
    freedom = sum(len(group) - 1 for group in groups)
    apart = sum(float(np.sum((group - group.mean()) ** 2)) for group in groups)
    if freedom < 1:
        return UNKNOWN
    return Ours(float(mine.mean()), float(np.sqrt(apart / freedom / len(mine))))


@check
def robust_after_training(
    laboratory: Laboratory, table: str, pairs: Sequence[tuple[str, str]]
) -> Finding:
    """The gap after training of models trained in few bits over that of models trained in all."""
    runs = usual(laboratory, table, DECAYED)
    ours = {
        f"{before} -> {after} over fp -> {after}": _robust(runs.frame(), before, after)
        for before, after in pairs
    }
    said = "; ".join(f"{name} {shown(each)}" for name, each in ours.items())
    return Finding(
        ours=ours,
        says=f"Gaps in the same cells and seeds, each to its own model: {said}.",
        rests_on=(rests(runs, table),),
    )


def _robust(frame: pl.DataFrame, before: str, after: str) -> Ours:
    keys = ["params", "tokens", "seed"]

    def gap(precision: str, name: str) -> pl.DataFrame:
        some = frame.filter(pl.col("precision") == spelled(precision))
        return some.group_by(keys).agg(pl.col("gap").mean().alias(name))

    both = gap(f"{before} -> {after}", "few").join(gap(f"fp -> {after}", "all"), on=keys)
    return jackknifed(
        both.sort(keys), ("params", "seed"), lambda some: total(some, "few") / total(some, "all")
    )


@check
def decay_against_none(laboratory: Laboratory, table: str, precisions: Sequence[str]) -> Finding:
    """The exponent of tokens with decay less that without, the same trajectories left out."""
    differences = gaps_of_table(laboratory, table).differences
    ours = {}
    for precision in precisions:
        found = differences.get((spelled(f"fp -> {precision}"), "tokens"))
        ours[precision] = UNKNOWN if found is None else Ours(found.value, found.error)
    said = "; ".join(f"{name} {shown(each, 2)}" for name, each in ours.items())
    return Finding(
        ours=ours,
        says=f"Exponent of tokens, decayed less undecayed: {said}.",
        rests_on=(rests(laboratory.runs(table), table),),
    )


@check
def other_rates(laboratory: Laboratory, table: str, rates: Sequence[float]) -> Finding:
    """What 3 and 4 bits cost at other peak rates: in training, and after it."""
    runs = laboratory.runs(table).usable.where(schedule=DECAYED)
    frame = runs.frame().filter(pl.col("params") == runs.where(lr_peak=min(rates))["params"][0])
    keys = ["tokens", "seed"]

    def losses(precision: str, rate: float) -> pl.DataFrame:
        some = frame.filter(
            (pl.col("precision") == spelled(precision)) & (pl.col("lr_peak") == rate)
        )
        return some.select(*keys, "loss")

    def gap(precision: str, rate: float, base: str = "fp") -> pl.DataFrame:
        both = losses(precision, rate).join(losses(base, rate), on=keys, suffix="_base")
        return both.select(*keys, gap=pl.col("loss") - pl.col("loss_base"))

    ours = {}
    for rate in rates:
        steps = gap("w3", rate, "w4")
        step = jackknifed(steps, keys, lambda some: mean(some, "gap"))
        ours[f"3 bits less 4 bits in training, rate {rate:g}"] = step
    low, high = min(rates), max(rates)
    for word, precision in (("in", "w3"), ("after", "fp -> w3")):
        both = gap(precision, high).join(gap(precision, low), on=keys, suffix="_low")
        found = jackknifed(both, keys, lambda some: total(some, "gap") / total(some, "gap_low"))
        ours[f"gap of 3 bits {word} training, rate {high:g} over {low:g}"] = found
    said = "; ".join(f"{name} {shown(each)}" for name, each in ours.items())
    return Finding(
        ours=ours,
        says=f"At {frame['params'][0]:.0f} params, usual rate {RATE:g}: {said}.",
        rests_on=(rests(runs, table),),
    )
