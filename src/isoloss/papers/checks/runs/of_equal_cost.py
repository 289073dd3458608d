"""Which precision is best at equal cost, on runs: predicted and observed (Kumar et al. 2024,
section 4.3, figure 6).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from isoloss.fits import Fit, share_of
from isoloss.laws import preset
from isoloss.linear import Study
from isoloss.papers.checking import check
from isoloss.papers.checks.runs.paired_runs import Array, rests, shown, spread, trained, usual
from isoloss.papers.checks.runs.parts_together import PARTS, of_part, together
from isoloss.papers.checks.runs.precision_forms import capacity, fitted, n_eff
from isoloss.papers.claim import Finding, Ours
from isoloss.papers.findings import drawn
from isoloss.papers.laboratory import Laboratory
from isoloss.runs import Runs

#: Bits among which the best is looked for.
BITS = np.linspace(1.0, 20.0, 1901)


def best_share_per_bit(gammas: Array, offsets: Array) -> Array:
    """The bits of greatest prod (1 - exp(-P/gamma + n)) / P; parts in columns, a row a fit.

    It is the optimum of params, tokens and bits together where cost is linear in bits, for any
    base and budget.
    """
    factors = 1 - np.exp(-BITS[:, None] / gammas[:, None, :] + offsets[:, None, :])
    share = np.prod(np.maximum(factors, 0.0), axis=2) / BITS
    return np.asarray(BITS[np.argmax(share, axis=1)])


@check
def best_bits_of_fit(
    laboratory: Laboratory,
    table: str,
    parts: Sequence[str],
    bits: Sequence[int],
    modifiers: str = "",
) -> Finding:
    """The best bits of Kumar's law fitted to a table, with the spread over its replicates."""
    if modifiers:
        both = [" ".join(f"{part}{b}{modifiers}" for part in parts) for b in bits]
        runs = trained(laboratory, table, ["bf16", *both])
        found, names = fitted(laboratory, n_eff(), runs, "N_eff"), ["N"]
    else:
        alone = [p for part in PARTS for p in of_part(part, bits)]
        runs = trained(laboratory, table, ["fp", *alone, *(together(b) for b in bits)])
        found, names = fitted(laboratory, preset("kumar2024"), runs, "joint"), list(PARTS)
    best = _best(found, names)
    return Finding(
        ours={"best bits": best},
        says=f"Best at {shown(best)} bits; "
        + ", ".join(f"gamma_{k} {found.values[f'gamma_{k}']:.3g}" for k in names)
        + f"; held by the runs: {_held(found)}.",
        rests_on=(rests(runs, table), f"fit of {found.law.name}"),
        figure=_share_figure(found, names),
    )


def _held(found: Fit) -> str:
    free = found.identified.not_held(found.level)
    return f"all but {', '.join(free)}" if free else "every constant"


def _best(found: Fit, names: Sequence[str]) -> Ours:
    draws = found.constant_draws
    gammas, offsets = (
        np.array([[found.values[f"{k}_{name}"] for name in names]]) for k in ("gamma", "n")
    )
    drawn = [np.column_stack([draws[f"{k}_{name}"] for name in names]) for k in ("gamma", "n")]
    value = float(best_share_per_bit(gammas, offsets)[0])
    return Ours(value, spread(best_share_per_bit(*drawn)))


def _share_figure(found: Fit, names: Sequence[str]) -> Study:
    kumar = preset("kumar2024")
    rows = []
    for series, values, parts in (
        ("ours", found.values, names),
        ("theirs", dict(kumar.values), PARTS),
    ):
        for bits in np.arange(1.5, 16.1, 0.5):
            factors = [1 - np.exp(-bits / values[f"gamma_{p}"] + values[f"n_{p}"]) for p in parts]
            if min(factors) > 0:
                share = float(np.prod(factors))
                rows.append({"bits": bits, "share": share / bits, "series": series, "panel": ""})
    return drawn(
        "share of params per bit",
        "Which bits leave most params for their cost? All parts in equal bits.",
        rows,
        ("bits", "share of params left per bit"),
        "The best bits are where it is greatest.",
        x="bits",
        y="share",
    )


@check
def bits_at_fixed_size(
    laboratory: Laboratory, table: str, params: float, precisions: Sequence[str]
) -> Finding:
    """Best bits of weights at a fixed size, at the least and the most compute of the runs.

    Factors are free and cost is bits x tokens, so that 10 tokens per param in 8 bits cost least,
    and 400 in 2 bits most, of what every precision reaches within the lengths of the table.
    """
    runs = trained(laboratory, table, ["fp", *precisions])
    found = fitted(laboratory, capacity(("w",)).fix(kappa=1.0), runs, "factors of weights")
    bits = np.array([float(p.removeprefix("w")) for p in precisions])
    least, most = 10 * bits.max(), 400 * bits.min()

    def rise(values: dict[str, float]) -> float:
        law = found.law.with_values(values)
        ends = [law(params, cost * params / bits, list(precisions)) for cost in (least, most)]
        best = [bits[int(np.argmin(each))] for each in ends]
        return float(best[1] - best[0])

    table_of_draws = found.coordinates.table(found.draws)
    names = [k.name for k in found.law.free]
    drawn = [rise(dict(zip(names, row, strict=True))) for row in table_of_draws]
    value = Ours(rise({}), float(np.std(drawn)))
    return Finding(
        ours={"best bits at the most compute less at the least": value},
        says=f"From {least:g} to {most:g} bits x tokens per param the best bits of weights rise by "
        f"{shown(value)}, at {params:g} params.",
        rests_on=(rests(runs, table), "fit of free factors of weights"),
    )


def _equal_cells(laboratory: Laboratory, table: str) -> pl.DataFrame:
    """Mean losses of the block of equal params times bits, their errors over seeds."""
    frame = laboratory.runs(table).usable.where(parent=None).frame()
    some = frame.filter(pl.col("block") == "equal N x P")
    return (
        some.group_by("params", "tokens", "precision")
        .agg(
            pl.col("loss").mean().alias("mean"),
            (pl.col("loss").std() / pl.len().sqrt()).alias("error"),
        )
        .sort("tokens", "params")
    )


@check
def equal_params_times_bits(laboratory: Laboratory, table: str) -> Finding:
    """The larger model in fewer bits against the smaller in more, params times bits the same."""
    cells = _equal_cells(laboratory, table)
    ours, said = {}, []
    for (tokens,), group in cells.group_by("tokens", maintain_order=True):
        means = dict(zip(group["precision"], group["mean"], strict=True))
        errors = dict(zip(group["precision"], group["error"], strict=True))
        less = Ours(means["w4"] - means["w8"], float(np.hypot(errors["w4"], errors["w8"])))
        word = f"{round(float(tokens) / 1e6)}M tokens"
        ours[f"40k in 4 bits less 20k in 8, {word}"] = less
        said.append(f"{word}: " + ", ".join(f"{p} {v:.4f}" for p, v in means.items()))
    return Finding(
        ours=ours,
        says=f"Mean losses: {'; '.join(said)} (20k, 40k and 80k params).",
        rests_on=(rests(laboratory.runs(table), table),),
        figure=_equal_figure(cells),
    )


def _equal_figure(cells: pl.DataFrame) -> Study:
    by_bits = cells.with_columns(
        bits=pl.col("precision").str.strip_prefix("w").cast(pl.Float64),
        series=(pl.col("tokens") / 1e6).round(0).cast(pl.Int64).cast(pl.String) + "M tokens",
        panel=pl.lit(""),
    ).rename({"mean": "loss", "error": "loss_se"})
    return drawn(
        "equal params times bits",
        "Params times bits the same: which bits of weights are best?",
        by_bits.to_dicts(),
        ("bits of weights", "loss (nats)"),
        "Mean over seeds.",
        x="bits",
        y="loss",
    )


@check
def predicted_best_of_equal(laboratory: Laboratory, table: str) -> Finding:
    """What it costs to take the precision that the law names among cells of equal params x bits."""
    cells = _equal_cells(laboratory, table)
    runs = trained(laboratory, table, ["fp", "w2", "w3", "w4", "w6", "w8"])
    others = runs.where(pl.col("block") != "equal N x P")
    found = fitted(laboratory, n_eff(), others, "without equal cells")
    ours, said = {}, []
    for (tokens,), group in cells.group_by("tokens", maintain_order=True):
        predicted = found.law(
            group["params"].to_numpy(), group["tokens"].to_numpy(), list(group["precision"])
        )
        named, best = int(np.argmin(predicted)), int(group["mean"].arg_min() or 0)
        regret = float(group["mean"][named] - group["mean"][best])
        error = float(np.hypot(group["error"][named], group["error"][best]))
        word = f"{round(float(tokens) / 1e6)}M tokens"
        ours[f"loss of the predicted best over the best, {word}"] = Ours(
            regret, 0.0 if named == best else error
        )
        said.append(f"{word}: named {group['precision'][named]}, best {group['precision'][best]}")
    return Finding(
        ours=ours,
        says=f"{'; '.join(said)}.",
        rests_on=(rests(others, table), "fit of N_eff without these cells"),
    )


@check
def predicted_best_of_pairs(laboratory: Laboratory, table: str, within: float) -> Finding:
    """The share of pairs of runs of equal N D P of which the law names the better one.

    The law is fitted without the cells of both; the error is Agresti and Coull's.
    """
    both = [f"w{b}+had@quest a{b}+had@quest" for b in (1, 2, 3, 4, 8)]
    runs = trained(laboratory, table, ["bf16", *both])
    cells = _cost_cells(usual(laboratory, table).where(precision=both))
    right, count = 0, 0
    for one, two in combinations(cells, 2):
        if one["bits"] == two["bits"] or abs(np.log(one["cost"] / two["cost"])) > within:
            continue
        law = _without(laboratory, runs, (one, two)).law
        said = [
            float(law(each["params"], each["tokens"], each["precision"])) for each in (one, two)
        ]
        right += (said[0] < said[1]) == (one["loss"] < two["loss"])
        count += 1
    named, error = share_of(right, count)
    return Finding(
        ours={"share of pairs named rightly": Ours(named, error)},
        says=f"{right} of {count} pairs within {within:.0%} of equal cost were named rightly.",
        rests_on=(rests(runs, table), "fits of N_eff without the cells of each pair"),
    )


def _cost_cells(runs: Runs) -> list[dict[str, Any]]:
    frame = runs.frame().with_columns(
        bits=pl.Series([p.bits("w") for p in runs.precisions], dtype=pl.Float64)
    )
    cells = frame.group_by("params", "tokens", "precision").agg(
        pl.col("loss").mean(), pl.col("bits").first()
    )
    costed = cells.with_columns(cost=pl.col("params") * pl.col("tokens") * pl.col("bits"))
    return costed.sort("cost").to_dicts()


def _without(laboratory: Laboratory, runs: Runs, cells: Sequence[dict[str, Any]]) -> Fit:
    """A fit without the runs of some cells."""
    kept = runs
    for cell in cells:
        same = [pl.col(name) == cell[name] for name in ("params", "tokens", "precision")]
        kept = kept.where(~(same[0] & same[1] & same[2]))
    return fitted(laboratory, n_eff(), kept, "without a pair")
