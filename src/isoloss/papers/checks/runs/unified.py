"""Kumar's unified law on runs: rounding after training of models that were trained in few bits
(Kumar et al. 2024, equations 9 and 11, figures 7, 19 and 21).

The penalty is fitted to gaps, as in the paper's figures of it: gaps stand in the place of losses,
the base is made nothing, and the factor of training is held at its fit to the trained runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import polars as pl

from isoloss.fits import Fit
from isoloss.laws import as_inputs
from isoloss.linear import Study
from isoloss.papers.checking import check
from isoloss.papers.checks.runs.paired_runs import (
    DECAYED,
    explained,
    jackknifed,
    rests,
    shown,
    spelled,
    spread,
    total,
    trained,
    usual,
)
from isoloss.papers.checks.runs.precision_forms import after_training, fitted, n_eff
from isoloss.papers.claim import Finding, Ours
from isoloss.papers.findings import drawn
from isoloss.papers.laboratory import Laboratory
from isoloss.runs import Runs


def gaps_as_losses(runs: Runs) -> Runs:
    """Rounded models with their gaps in the place of their losses; those above zero alone."""
    positive = runs.take(runs["gap"] > 0)
    return positive.with_columns(loss=positive["gap"], loss_se=positive["gap_se"])


def rounded(laboratory: Laboratory, table: str, pairs: Sequence[str]) -> Runs:
    """The decayed models of a table that were rounded as these spellings say."""
    return usual(laboratory, table, DECAYED).where(precision=list(pairs))


def fit_of_penalty(
    laboratory: Laboratory,
    table: str,
    trained_in: Sequence[str],
    runs: Runs,
    on_effective: bool = True,
) -> Fit:
    """The penalty after training fitted to gaps; the factor of training from trained runs."""
    before = fitted(laboratory, n_eff(), trained(laboratory, table, trained_in), "N_eff")
    law = after_training(on_effective, gamma_w=before.values["gamma_N"], n_w=before.values["n_N"])
    return fitted(laboratory, law, gaps_as_losses(runs), f"penalty {on_effective}")


def _pairs(trained_in: Sequence[str], served: Sequence[str]) -> list[str]:
    """Spellings of models trained in more bits than they are served in."""

    def bits(precision: str) -> int:
        return 16 if precision == "fp" else int(precision.removeprefix("w"))

    return [f"{p} -> {s}" for p in trained_in for s in served if bits(p) > bits(s)]


def _predicted(found: Fit, runs: Runs) -> pl.DataFrame:
    """Gaps of models beside those of a fitted penalty."""
    kept = gaps_as_losses(runs)
    x = as_inputs(kept["params"], kept["tokens"], list(kept["precision"]))
    return pl.DataFrame(
        {
            "params": kept["params"],
            "tokens": kept["tokens"],
            "seed": kept["seed"],
            "precision": list(kept["precision"]),
            "gap": kept["gap"],
            "predicted": found.law.loss(x),
        }
    )


def _r2(some: pl.DataFrame, in_logs: bool, name: str = "predicted") -> float:
    observed, predicted = some["gap"].to_numpy(), some[name].to_numpy()
    if in_logs:
        observed, predicted = np.log(observed), np.log(predicted)
    return explained(observed, predicted)


@check
def unified_law(
    laboratory: Laboratory, table: str, trained: Sequence[str], served: Sequence[str]
) -> Finding:
    """R2 of the gaps after training of models trained in full precision and in few bits."""
    runs = rounded(laboratory, table, _pairs(trained, served))
    found = fit_of_penalty(laboratory, table, trained, runs)
    frame = _predicted(found, runs)
    by = ("params", "seed")
    values = found.values
    said = ", ".join(f"{k} {values[k]:.3g}" for k in ("gamma_D", "gamma_N", "gamma_post", "C_w"))
    nats, logs = (jackknifed(frame, by, partial(_r2, in_logs=each)) for each in (False, True))
    return Finding(
        ours={"R2 of the gap in nats": nats, "R2 of the log gap": logs},
        says=f"R2 {shown(nats)} in nats and {shown(logs)} in logarithms of {len(frame)} gaps "
        f"({len(runs) - len(frame)} are not positive and were left out); {said}.",
        rests_on=(rests(runs, table), "fit of the penalty of kumar2024 to gaps"),
        figure=_figure(frame),
    )


def _figure(frame: pl.DataFrame) -> Study:
    means = frame.group_by("precision", "params").agg(
        pl.col("gap").log().mean().exp(), pl.col("predicted").log().mean().exp()
    )
    cells = means.with_columns(
        series=pl.col("precision").str.split(" -> ").list.first(), panel=pl.lit("")
    )
    return drawn(
        "unified law",
        "Does one law predict what rounding adds? Means of pairs of precisions by size.",
        cells.sort("series", "predicted").to_dicts(),
        ("predicted gap (nats)", "observed gap (nats)"),
        "Series are the precisions of training.",
        x="predicted",
        y="gap",
    )


@check
def effective_in_penalty(
    laboratory: Laboratory, table: str, trained: Sequence[str], served: Sequence[str]
) -> Finding:
    """R2 of log gaps with effective params in the penalty less that with params."""
    runs = rounded(laboratory, table, _pairs(trained, served))
    frames = [
        _predicted(fit_of_penalty(laboratory, table, trained, runs, which), runs)
        for which in (True, False)
    ]
    frame = frames[0].with_columns(plain=frames[1]["predicted"])
    less = jackknifed(
        frame, ("params", "seed"), lambda some: _r2(some, True) - _r2(some, True, "plain")
    )
    return Finding(
        ours={"R2 of the log gap with N_eff less that with N": less},
        says=f"R2 {_r2(frame, True):.4f} with N_eff, {_r2(frame, True, 'plain'):.4f} with N: "
        f"apart by {less.value:.2g} of the variance.",
        rests_on=(rests(runs, table), "two fits of the penalty of kumar2024 to gaps"),
    )


@check
def gap_far_beyond(
    laboratory: Laboratory, table: str, fitted: float, asked: float, precisions: Sequence[str]
) -> Finding:
    """The gap that the form predicts far beyond the fitted lengths over the observed one."""
    ours = {
        f"predicted over observed, {each}": _beyond(laboratory, table, each, fitted, asked)
        for each in precisions
    }
    said = "; ".join(f"{name} {shown(each)}" for name, each in ours.items())
    return Finding(
        ours=ours,
        says=f"Fitted to at most {fitted:g} tokens per param, asked at {asked:g} and more: {said}.",
        rests_on=(rests(laboratory.runs(table), table), "fits of the penalty to gaps"),
    )


def _beyond(laboratory: Laboratory, table: str, precision: str, limit: float, asked: float) -> Ours:
    """Predicted over observed; the error joins the jackknife over seeds and that of the fit."""
    bits, at, method = precision.partition("@")
    kin = [f"fp -> w{b}{at}{method}" for b in (2, 3, 4, 6)]
    runs = gaps_as_losses(rounded(laboratory, table, kin))
    length = runs["tokens"] / runs["params"]
    known = fitted(laboratory, after_training(), runs.take(length <= limit), precision)
    far = runs.take(length >= asked).where(precision=f"fp -> {bits}{at}{method}")
    x = as_inputs(far["params"], far["tokens"], spelled(f"fp -> {precision}"))
    frame = pl.DataFrame(
        {"params": far["params"], "seed": far["seed"], "gap": far["gap"]}
    ).with_columns(predicted=pl.Series(known.law.loss(x)))
    observed = jackknifed(
        frame, ("params", "seed"), lambda some: total(some, "predicted") / total(some, "gap")
    )
    draws = known.draw(x, of="mean").sum(axis=1) / total(frame, "gap")
    return Ours(observed.value, float(np.hypot(observed.error, spread(draws))))
