"""The form in which precision enters, on runs: N_eff against its rivals on held-out runs, the
exponential against free factors, effective params read off pairs (Kumar et al. 2024, table 1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import polars as pl

from isoloss.fits import Comparison, Entry
from isoloss.laws import Composed, Law, as_inputs, preset
from isoloss.linear import Study
from isoloss.papers.checking import check
from isoloss.papers.checks.runs.paired_runs import (
    DECAYED,
    explained,
    gaps_by_cell,
    jackknifed,
    rests,
    shown,
    trained,
    usual,
)
from isoloss.papers.checks.runs.precision_forms import (
    compared,
    fitted,
    free_factors,
    law_of,
    n_eff,
    rivals,
)
from isoloss.papers.claim import Finding, Ours
from isoloss.papers.findings import drawn
from isoloss.papers.laboratory import Laboratory
from isoloss.runs import Runs


def held_out_rows(entry: Entry) -> pl.DataFrame:
    """The held-out runs of an entry, with their losses and what the law predicted."""
    parts = [
        pl.DataFrame(
            {
                "rule": [held.rule] * len(held.observed),
                "params": held.prediction.params,
                "tokens": held.prediction.tokens,
                "observed": held.observed,
                "predicted": held.prediction.loss,
            }
        )
        for held in entry.held_out
    ]
    return pl.concat(parts)


def r2_difference(one: pl.DataFrame, two: pl.DataFrame) -> Ours:
    """R2 of one law less that of another on the same held-out runs, cells left out in turn."""
    return jackknifed(one.with_columns(other=two["predicted"]), ("params", "tokens"), _less)


def r2_over_draws(draws: Sequence[tuple[pl.DataFrame, pl.DataFrame]]) -> Ours:
    """The mean over draws of the folds of R2 of one law less that of another.

    Its error is that of cells left out in turn, of the mean, and that of the mean over draws.
    """
    alone = [r2_difference(one, two).value for one, two in draws]
    rows = pl.concat(
        one.with_columns(other=two["predicted"], draw=pl.lit(k))
        for k, (one, two) in enumerate(draws)
    )

    def less(some: pl.DataFrame) -> float:
        groups = some.partition_by("draw", maintain_order=True)
        return float(np.mean([_less(each) for each in groups]))

    cells = jackknifed(rows, ("params", "tokens"), less)
    folds = np.std(alone, ddof=1) / np.sqrt(len(alone)) if len(alone) > 1 else 0.0
    return Ours(cells.value, float(np.hypot(cells.error, folds)))


def _less(some: pl.DataFrame) -> float:
    observed = some["observed"].to_numpy()
    return explained(observed, some["predicted"].to_numpy()) - explained(
        observed, some["other"].to_numpy()
    )


def by_name(found: Comparison) -> dict[str, pl.DataFrame]:
    """The held-out rows of every law that could be fitted."""
    return {entry.fit.law.name: held_out_rows(entry) for entry in found.entries}


@check
def rivals_of_n_eff(
    laboratory: Laboratory, table: str, precisions: Sequence[str], holdouts: Sequence[str]
) -> Finding:
    """Held-out R2 of N_eff less that of each rival."""
    runs = trained(laboratory, table, precisions)
    laws = rivals()
    rows = by_name(compared(laboratory, list(laws.values()), runs, holdouts, "rivals"))
    r2 = {
        name: explained(some["observed"].to_numpy(), some["predicted"].to_numpy())
        for name, some in rows.items()
    }
    others = ["additive", "D_eff", "one factor on both", "power of bits"]
    ours = {f"N_eff less {name}": r2_difference(rows["N_eff"], rows[name]) for name in others}
    ours["factors on each less N_eff"] = r2_difference(rows["factors on each"], rows["N_eff"])
    said = ", ".join(f"{name} {value:.4f}" for name, value in r2.items())
    return Finding(
        ours=ours,
        says=f"R2 of {len(rows['N_eff'])} held-out losses ({', '.join(holdouts)}): {said}; "
        f"{_of_folds(1)}.",
        rests_on=(rests(runs, table), "the forms of table 1 as composed in precision_forms"),
        figure=_r2_figure(r2),
    )


def _r2_figure(r2: Mapping[str, float]) -> Study:
    theirs = {
        "N_eff": 0.82,
        "additive": 0.71,
        "D_eff": 0.74,
        "one factor on both": 0.79,
        "factors on each": 0.84,
        "power of bits": 0.75,
    }
    order = list(theirs)
    rows = [
        {"form": k + 1, "R2": values[name], "series": series, "panel": ""}
        for series, values in (("ours", r2), ("theirs", theirs))
        for k, name in enumerate(order)
    ]
    listed = ", ".join(f"{k + 1} {name}" for k, name in enumerate(order))
    return drawn(
        "rivals of N_eff",
        f"Which form predicts held-out runs? {listed}.",
        rows,
        ("form", "R2 of held-out losses"),
        max(r2, key=lambda name: r2[name]) + " is best of ours.",
        x="form",
        y="R2",
    )


@check
def exponential_or_free(
    laboratory: Laboratory,
    table: str,
    sets: Mapping[str, Sequence[str]],
    holdouts: Sequence[str],
    law: str = "",
    fold_draws: int = 1,
) -> Finding:
    """Held-out R2 of free factors less that of the exponential, for each set of precisions.

    ``fold_draws`` is how often the folds are drawn; the error counts the draw where they are drawn
    more than once.
    """
    ours, said = {}, []
    for name, precisions in sets.items():
        runs = trained(laboratory, table, precisions)
        part = _part_of(runs)
        form = preset(law) if law else n_eff(part)
        laws = [form, free_factors([part])]
        draws = [
            by_name(compared(laboratory, laws, runs, holdouts, f"free {name}", draw))
            for draw in range(fold_draws)
        ]
        less = r2_over_draws([(rows["free factors"], rows[form.name]) for rows in draws])
        ours[f"R2 of free factors less the exponential, {name}"] = less
        said.append(f"{name} {shown(less, 2)}")
    return Finding(
        ours=ours,
        says=f"R2 of free factors less that of the exponential on held-out runs: "
        f"{'; '.join(said)}; {_of_folds(fold_draws)}.",
        rests_on=(rests(laboratory.runs(table), table), f"held out: {', '.join(holdouts)}"),
    )


def _of_folds(draws: int) -> str:
    if draws > 1:
        return f"means over {draws} draws of the folds, which the error counts"
    return "of one draw of the folds, which the error does not count"


def _part_of(runs: Runs) -> str:
    """The part that is rounded; weights where they are among several."""
    parts = {part for precision in runs.precisions for part in precision.train}
    return "w" if "w" in parts else next(iter(sorted(parts)))


@check
def explained_in_training(laboratory: Laboratory, table: str, precisions: Sequence[str]) -> Finding:
    """R2 of one fit of N_eff: of losses, and of gaps to full precision."""
    runs = trained(laboratory, table, precisions)
    found = fitted(laboratory, n_eff(), runs, "N_eff")
    loss = jackknifed(
        pl.DataFrame(
            {
                "params": runs["params"],
                "tokens": runs["tokens"],
                "observed": runs["loss"],
                "predicted": found.law(runs["params"], runs["tokens"], list(runs["precision"])),
            }
        ),
        ("params", "tokens"),
        lambda some: explained(some["observed"].to_numpy(), some["predicted"].to_numpy()),
    )
    gap = _gaps_explained(found.law, runs, precisions)
    gamma, offset = found.values["gamma_N"], found.values["n_N"]
    return Finding(
        ours={"R2 of the loss": loss, "R2 of the gap": gap},
        says=f"R2 {shown(loss, 4)} of {len(runs)} losses and {shown(gap)} of gaps; gamma "
        f"{gamma:.3g} bits, offset {offset:.3g}.",
        rests_on=(rests(runs, table), "fit of N_eff"),
    )


def _gaps_explained(law: Law, runs: Runs, precisions: Sequence[str]) -> Ours:
    """R2 of mean gaps of cells, cells left out in turn."""
    base, *rounded = precisions
    parts = []
    for precision in rounded:
        cells = gaps_by_cell(runs, [precision], base).rename({precision: "observed"})
        mean = cells.group_by("params", "tokens").agg(pl.col("observed").mean())
        mean = mean.sort("params", "tokens")
        few, full = (
            law.loss(as_inputs(mean["params"].to_numpy(), mean["tokens"].to_numpy(), each))
            for each in (precision, base)
        )
        parts.append(mean.with_columns(predicted=pl.Series(few - full)))
    return jackknifed(
        pl.concat(parts),
        ("params", "tokens"),
        lambda some: explained(some["observed"].to_numpy(), some["predicted"].to_numpy()),
    )


@check
def share_of_params_left(laboratory: Laboratory, table: str, precisions: Sequence[str]) -> Finding:
    """f(P) = ((L_P - L) / A + N^-alpha)^(-1/alpha) / N of pairs of runs (equation 30)."""
    full = trained(laboratory, table, ["fp"])
    base = fitted(laboratory, law_of("base", Composed()), full, "base")
    size, exponent = base.values["A"], base.values["alpha"]
    runs = usual(laboratory, table, DECAYED).where(parent=None)
    frame = gaps_by_cell(runs, precisions)

    def share(some: pl.DataFrame, precision: str) -> float:
        inside = some[precision].to_numpy() / size + some["params"].to_numpy() ** -exponent
        return float(np.mean(inside ** (-1 / exponent) / some["params"].to_numpy()))

    def less(one: str, two: str) -> Ours:
        return jackknifed(
            frame, ("params", "seed"), lambda some: share(some, one) - share(some, two)
        )

    drift = jackknifed(frame, ("params", "seed"), lambda some: _drift(some, size, exponent))
    left = {
        each: jackknifed(frame, ("params", "seed"), partial(share, precision=each))
        for each in precisions
    }
    said = ", ".join(f"{name} {shown(each)}" for name, each in left.items())
    return Finding(
        ours={
            "share at 3 bits less at 2": less("w3", "w2"),
            "share at 4 bits less at 3": less("w4", "w3"),
            "share at 8 bits": left["w8"],
            "growth of log share with log tokens, 2 bits": drift,
        },
        says=f"Shares of params left: {said}; at 2 bits it moves as tokens^{shown(drift, 2)}. The "
        f"base is A {size:.3g}, alpha {exponent:.3g}, taken as known.",
        rests_on=(rests(full, table), "base fitted to runs in full precision"),
        figure=_share_figure(left),
    )


def _drift(some: pl.DataFrame, size: float, exponent: float) -> float:
    """The slope of log f(2 bits) with log tokens, sizes with levels of their own."""
    cells = some.group_by("params", "tokens").agg(pl.col("w2").mean()).sort("params", "tokens")
    inside = cells["w2"].to_numpy() / size + cells["params"].to_numpy() ** -exponent
    log_share = -np.log(inside) / exponent - np.log(cells["params"].to_numpy())
    log_tokens = np.log(cells["tokens"].to_numpy())
    for params in np.unique(cells["params"].to_numpy()):
        mine = cells["params"].to_numpy() == params
        log_share[mine] -= log_share[mine].mean()
        log_tokens[mine] -= log_tokens[mine].mean()
    return float(log_share @ log_tokens / (log_tokens @ log_tokens))


def _share_figure(left: Mapping[str, Ours]) -> Study:
    kumar = preset("kumar2024")
    rows: list[dict[str, object]] = []
    for name, each in left.items():
        bits = float(name.removeprefix("w"))
        theirs = float(kumar.factors(name)[0][0])
        rows += [
            {"bits": bits, "share": each.value, "share_se": each.error, "series": "ours"},
            {"bits": bits, "share": theirs, "share_se": None, "series": "theirs"},
        ]
    return drawn(
        "share of params left",
        "Which share of params do bits of weights leave? Read off pairs of runs.",
        rows,
        ("bits of weights", "effective over nominal params"),
        " ".join(f"{name}: {shown(each)}." for name, each in left.items()),
        x="bits",
        y="share",
    )
