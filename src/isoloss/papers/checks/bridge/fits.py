"""Laws of language models fitted to exact regression runs: which one the theory obeys, and their
exponents beside the theory's.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from isoloss.fits import Fit
from isoloss.laws import Law
from isoloss.papers.checking import check
from isoloss.papers.checks.bridge.exact_runs import (
    LEVELS,
    SIZES,
    STEPS,
    Inputs,
    additive,
    capacity,
    efficiency,
    exact_runs,
    fitted,
    held_out,
    rests_on,
    slope,
)
from isoloss.papers.claim import Finding, Ours
from isoloss.papers.findings import drawn
from isoloss.papers.laboratory import Laboratory
from isoloss.runs import Runs

#: A row of the table of a study.
Row = dict[str, float | str]
INPUTS: tuple[tuple[Inputs, str], ...] = (("clean", "clean inputs"), ("in use", "inputs in use"))


@check
def bridge_exponents(laboratory: Laboratory, decays: list[float], outer: bool) -> Finding:
    """Exponents of exact runs at full precision, with an outer exponent or as a plain sum."""
    law, ours = laboratory.law("zhang2026"), {}
    rows: list[Row] = []
    for decay in decays:
        found = fitted(laboratory, law if outer else law.fix(kappa=1.0), "", decay=decay)
        for name in ("alpha", "beta"):
            ours[f"{name}, a = {decay:g}"] = Ours(slope(found, name))
        rows += _over_samples(found, exact_runs(laboratory, "", decay=decay), f"a = {decay:g}")
    fits = ", ".join(f"{name} {each.value:.3f}" for name, each in ours.items())
    return Finding(
        ours=ours,
        says=f"Fitted {fits}, each term's exponent times the outer one.",
        rests_on=rests_on(decays=decays),
        figure=drawn(
            "exponents", "Does the fitted law follow the runs? The last point was held out.",
            rows, ("samples", "excess risk"), x="samples", y="loss",
        ),
    )  # fmt: skip


def _over_samples(found: Fit, runs: Runs, panel: str) -> list[Row]:
    """The loss of the smallest and largest models against samples, exact and by a law."""
    rows: list[Row] = []
    for size in (SIZES[0], SIZES[-1]):
        kept = runs["params"] == size
        losses = {"exact": runs["loss"][kept], "law": found.law(size, np.array(STEPS, float), "fp")}
        rows += [
            {
                "samples": float(n),
                "loss": float(value),
                "series": f"M = {size}, {name}",
                "panel": panel,
            }
            for name, values in losses.items()
            for n, value in zip(STEPS, np.ravel(values), strict=True)
        ]
    return rows


@check
def bridge_laws(laboratory: Laboratory, noise: str) -> Finding:
    """Held-out errors of four laws on exact runs with noise in the data, and where each fails."""
    ours, said = {}, []
    rows: list[Row] = []
    for inputs, words in INPUTS:
        fits = {
            name: fitted(laboratory, law, f"d:{noise}", inputs)
            for name, law in _laws_of_data(laboratory).items()
        }
        errors = {name: held_out(found) for name, found in fits.items()}
        best = min(value for name, value in errors.items() if name != "zhang2026")
        ours[f"zhang2026, held out, {words}"] = Ours(errors["zhang2026"])
        ours[f"zhang2026 over the best other, {words}"] = Ours(errors["zhang2026"] / best)
        runs = exact_runs(laboratory, f"d:{noise}", inputs)
        listed = [f"{name} {errors[name]:.1%} ({worst(each, runs)})" for name, each in fits.items()]
        said.append(f"{words}: {', '.join(listed)}")
        rows += _curves(fits, runs, f"d:{noise}({LEVELS[f'd:{noise}'][3]:g})", words)
    return Finding(
        ours=ours,
        says=f"Errors on the longest runs, {'; '.join(said)}.",
        rests_on=rests_on(f"noise of the data, {noise}"),
        figure=drawn(
            f"laws of {noise}", "Which law predicts the longest runs? At the second largest noise.",
            rows, ("params", "excess risk"), x="params", y="loss",
        ),
    )  # fmt: skip


def worst(found: Fit, runs: Runs) -> str:
    """Where among the longest runs a law is farthest off, and by how much."""
    kept = runs["tokens"] == STEPS[-1]
    params, loss = runs["params"][kept], runs["loss"][kept]
    precision = [str(each) for each in runs["precision"][kept]]
    apart = np.log(found.law(params, float(STEPS[-1]), precision) / loss)
    k = int(np.argmax(np.abs(apart)))
    return f"worst {np.expm1(apart[k]):+.0%} at M = {params[k]:.0f}, {precision[k]}"


def _curves(fits: Mapping[str, Fit], runs: Runs, precision: str, panel: str) -> list[Row]:
    """The loss of the longest runs at a precision against params, exact and by each law."""
    sizes = np.array(SIZES, dtype=float)
    kept = (runs["tokens"] == STEPS[-1]) & np.array(
        [str(p) == precision for p in runs["precision"]]
    )
    curves = {"exact": runs["loss"][kept]} | {
        name: found.law(sizes, float(STEPS[-1]), precision) for name, found in fits.items()
    }
    return [
        {"params": float(m), "loss": float(value), "series": name, "panel": panel}
        for name, values in curves.items()
        for m, value in zip(sizes, np.ravel(values), strict=True)
    ]


@check
def bridge_kumar_exponents(laboratory: Laboratory) -> Finding:
    """Exponents of Kumar's form on runs with noise in the data."""
    ours = {}
    for noise, word in (("add", "additive"), ("vec", "multiplicative")):
        for inputs, words in INPUTS:
            found = fitted(laboratory, capacity("d", "params", outer=False), f"d:{noise}", inputs)
            for name in ("alpha", "beta"):
                ours[f"{name}, {word}, {words}"] = Ours(slope(found, name))
    listed = "; ".join(f"{name} {each.value:.2f}" for name, each in ours.items())
    return Finding(ours, f"{listed}; the theory has 1 and 0.5.", rests_on())


@check
def bridge_capacity(laboratory: Laboratory) -> Finding:
    """Held-out errors of a factor on params and one on samples, for noise of weights."""
    ours, said = {}, []
    rows: list[Row] = []
    for noise, words in (("vec", "multiplicative noise"), ("add", "additive noise")):
        error = {
            on: held_out(fitted(laboratory, capacity("w", on), f"w:{noise}"))
            for on in ("params", "tokens")
        }
        ours[f"samples over params, {words}"] = Ours(error["tokens"] / error["params"])
        ours[f"samples, held out, {words}"] = Ours(error["tokens"])
        said.append(f"{words}: {error['tokens']:.1%} on samples, {error['params']:.1%} on params")
        rows += [
            {"factor": place, "error": error[on], "series": f"factor on {on}", "panel": words}
            for place, on in enumerate(error, 1)
        ]
    return Finding(
        ours=ours,
        says=f"Errors on the longest runs, {'; '.join(said)}.",
        rests_on=rests_on("noise of the weights in use"),
        figure=drawn(
            "capacity", "Does noise of weights take samples or params?", rows,
            ("factor", "error of log loss"), x="factor", y="error",
        ),
    )  # fmt: skip


def _laws_of_data(laboratory: Laboratory) -> dict[str, Law]:
    return {
        "zhang2026": laboratory.law("zhang2026"),
        "factor (Kumar)": capacity("d", "params"),
        "efficiency (Frantar)": efficiency("d"),
        "additive (Chen)": additive("d"),
    }
