"""Training in few bits on runs: what parts cost alone and together, and whether that depends on
tokens (Kumar et al. 2024, findings 2 and 3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from isoloss.fits import Fit, share_of
from isoloss.laws import as_inputs, preset
from isoloss.linear import Study
from isoloss.papers.checking import check
from isoloss.papers.checks.runs.paired_runs import (
    DECAYED,
    difference,
    explained,
    gaps_of_table,
    in_bits,
    jackknifed,
    ratio,
    rests,
    shown,
    slope,
    spelled,
    spread,
    trained,
    usual,
)
from isoloss.papers.checks.runs.parts_together import observed_over_product, of_part, together
from isoloss.papers.checks.runs.precision_forms import capacity, fitted
from isoloss.papers.claim import Finding, Ours
from isoloss.papers.findings import drawn
from isoloss.papers.laboratory import Laboratory
from isoloss.runs import Runs


@check
def growth_in_training(laboratory: Laboratory, table: str, precisions: Sequence[str]) -> Finding:
    """The exponent of tokens in what training in few bits costs."""
    found = gaps_of_table(laboratory, table)
    ours = {f"{p}, tokens": slope(found, p, DECAYED, "tokens") for p in precisions}
    said = "; ".join(f"{name} {shown(each, 2)}" for name, each in ours.items())
    return Finding(
        ours=ours,
        says=f"Exponents of tokens in the gap: {said}.",
        rests_on=(rests(laboratory.runs(table), table),),
        figure=_growth_figure(laboratory, table, precisions),
    )


def _growth_figure(laboratory: Laboratory, table: str, precisions: Sequence[str]) -> Study:
    wanted = {spelled(p): p for p in precisions}
    rows = [
        {
            "tokens per param": cell.tokens / cell.params,
            "gap": cell.mean,
            "gap_se": cell.error,
            "series": wanted[cell.precision],
            "panel": f"{cell.params:.3g} params",
        }
        for cell in gaps_of_table(laboratory, table).cells
        if cell.precision in wanted and cell.schedule == DECAYED and cell.mean > 0
    ]
    return drawn(
        "growth in training",
        "How does what few bits cost in training grow? Mean over seeds.",
        rows,
        ("tokens per param", "gap (nats)"),
        "N_eff says that it does not.",
        x="tokens per param",
        y="gap",
    )


@check
def product_of_marginals(
    laboratory: Laboratory, table: str, sets: Mapping[str, Sequence[int]]
) -> Finding:
    """A fit to parts rounded alone against a fit to all runs: errors over all of these runs."""
    ours: dict[str, Ours] = {}
    said = []
    for name, bits in sets.items():
        alone = ["fp", *of_part("w", (2, 3, 4, 6, 8))]
        alone += of_part("a", bits) + of_part("kv", [b for b in bits if b <= 4])
        everyone = [*alone, *(together(b) for b in bits if b in (3, 4, 8))]
        runs = trained(laboratory, table, everyone)
        law = preset("kumar2024")
        product = fitted(laboratory, law, trained(laboratory, table, alone), "alone")
        joint = fitted(laboratory, law, runs, "joint")
        found = _errors(runs, product, joint)
        ours |= {f"{figure}, {name}": value for figure, value in found.items()}
        said.append(f"{name}: " + ", ".join(f"{k} {shown(v, 4)}" for k, v in found.items()))
    return Finding(
        ours=ours,
        says="; ".join(said) + ".",
        rests_on=(rests(laboratory.runs(table), table), "two fits of kumar2024 a set"),
    )


def _errors(runs: Runs, product: Fit, joint: Fit) -> dict[str, Ours]:
    """R2 of both fits and the ratio of their squared errors, cells left out in turn."""
    frame = pl.DataFrame({"params": runs["params"], "tokens": runs["tokens"], "y": runs["loss"]})
    asked = as_inputs(runs["params"], runs["tokens"], list(runs["precision"]))
    frame = frame.with_columns(
        product=pl.Series(product.law.loss(asked)), joint=pl.Series(joint.law.loss(asked))
    )
    by = ("params", "tokens")

    def r2(some: pl.DataFrame, name: str) -> float:
        return explained(some["y"].to_numpy(), some[name].to_numpy())

    return {
        "R2 of the product": jackknifed(frame, by, lambda some: r2(some, "product")),
        "R2 of the joint fit": jackknifed(frame, by, lambda some: r2(some, "joint")),
        "squared error of the product over the joint fit": jackknifed(
            frame, by, lambda some: (1 - r2(some, "product")) / (1 - r2(some, "joint"))
        ),
    }


@check
def product_of_free_factors(laboratory: Laboratory, table: str, bits: Sequence[int]) -> Finding:
    """The gap of all parts rounded over the product of what each alone leaves of params."""
    ours = {
        f"observed over predicted gap, {b} bits": observed_over_product(laboratory, table, b)
        for b in bits
    }
    said = "; ".join(f"{name} {shown(each)}" for name, each in ours.items())
    return Finding(
        ours=ours,
        says=f"{said}. Factors are free, one a level of each part.",
        rests_on=(rests(laboratory.runs(table), table), "fit of free factors to parts alone"),
    )


@check
def squares_of_factors(laboratory: Laboratory, table: str, bits: Sequence[int]) -> Finding:
    """The factor of weights and activations over the square of that of weights."""
    runs = usual(laboratory, table)
    found = fitted(laboratory, capacity(("w", "a")).fix(kappa=1.0), runs, "all levels")
    draws = found.constant_draws
    ours = {}
    for b in bits:
        one, both = f"eff[w{b}+had@quest]", f"eff[w{b}+had@quest a{b}+had@quest]"
        value = found.values[both] / found.values[one] ** 2
        error = spread(draws[both] / draws[one] ** 2)
        ours[f"factor of both over the square, {in_bits(b)}"] = Ours(value, error)
    said = "; ".join(f"{name} {shown(each)}" for name, each in ours.items())
    return Finding(
        ours=ours,
        says=f"{said}.",
        rests_on=(rests(runs, table), "fit of one factor a level"),
    )


@check
def most_sensitive_part(laboratory: Laboratory, table: str, bits: Sequence[int]) -> Finding:
    """What activations cost less what weights, and keys and values, cost at equal bits."""
    runs = usual(laboratory, table, DECAYED).where(parent=None)
    named = {"w": "weights", "kv": "keys and values"}
    ours = {
        f"activations less {name}, {b} bits": difference(runs, f"a{b}", f"{part}{b}")
        for b in bits
        for part, name in named.items()
    }
    said = "; ".join(f"{name} {shown(each)}" for name, each in ours.items())
    return Finding(
        ours=ours,
        says=f"{said} nats; weights share a scale a row, activations one a tensor.",
        rests_on=(rests(runs, table),),
    )


@check
def gap_ratios(
    laboratory: Laboratory, table: str, ratios: Mapping[str, tuple[str, str]]
) -> Finding:
    """What one precision costs in training over what another costs, in the same cells."""
    runs = usual(laboratory, table, DECAYED).where(parent=None)
    ours = {name: ratio(runs, over, under) for name, (over, under) in ratios.items()}
    said = "; ".join(f"{name} {shown(each)}" for name, each in ours.items())
    return Finding(ours=ours, says=f"3 bits over 4 bits: {said}.", rests_on=(rests(runs, table),))


@check
def gap_ratios_of_methods(
    laboratory: Laboratory, source: str, full: float, losses: Mapping[str, tuple[float, float]]
) -> Finding:
    """What 3 bits cost over what 4 bits cost, from losses that others published."""
    ours = {name: Ours((three - full) / (four - full)) for name, (four, three) in losses.items()}
    said = "; ".join(f"{name} {shown(each)}" for name, each in ours.items())
    return Finding(ours=ours, says=f"3 bits over 4 bits: {said}.", rests_on=(source,))


@check
def diverged_share(
    laboratory: Laboratory, table: str, sets: Mapping[str, Sequence[str]]
) -> Finding:
    """The share of runs in some precisions that diverged, its error by Agresti and Coull."""
    runs = laboratory.runs(table)
    ours, said = {}, []
    for name, precisions in sets.items():
        status = runs.where(precision=list(precisions), parent=None)["status"]
        count, diverged = len(status), int(np.sum(status == "diverged"))
        share, error = share_of(diverged, count)
        ours[f"share that diverged, {name}"] = Ours(share, error)
        said.append(f"{name}: {diverged} of {count}")
    return Finding(
        ours=ours, says=f"Runs that diverged: {'; '.join(said)}.", rests_on=(rests(runs, table),)
    )
