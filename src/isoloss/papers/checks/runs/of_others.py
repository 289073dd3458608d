"""Larger models and longer training than isoloss's own, as far as public tables and printed numbers
go: OPT to 175B, Llama, ParetoQ, QuEST to 822M, 8B in FP4 (Kumar et al. 2024, findings 1 and 2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from isoloss.papers.checking import check
from isoloss.papers.checks.runs.paired_runs import (
    UNKNOWN,
    Array,
    gaps_by_cell,
    in_bits,
    mean,
    rests,
    shown,
    spread,
    usual,
)
from isoloss.papers.checks.runs.parts_together import predicted_gap
from isoloss.papers.checks.runs.precision_forms import capacity, fitted
from isoloss.papers.claim import Finding, Ours
from isoloss.papers.findings import drawn
from isoloss.papers.laboratory import Laboratory


@check
def rounded_perplexities(
    laboratory: Laboratory,
    source: str,
    params: Sequence[float],
    full: Sequence[float],
    rounded: Mapping[str, Sequence[float]],
) -> Finding:
    """The exponent of params in the gap, from perplexities that others published.

    The gap is the log of the rounded over the full perplexity; the exponent and its error are those
    of least squares on its logarithm. Gaps that are not positive are left out.
    """
    size, whole = np.array(params), np.array(full)
    ours, rows, said = {}, [], []
    for name, perplexity in rounded.items():
        gap = np.log(np.array(perplexity) / whole)
        good = gap > 0
        ours[name] = _slope(np.log(size[good]), np.log(gap[good]))
        said.append(f"{name} {shown(ours[name], 2)} in {_of(int(good.sum()), len(gap), 'model')}")
        rows += [
            {"params": n, "gap": g, "series": name, "panel": ""}
            for n, g in zip(size[good], gap[good], strict=True)
        ]
    lost = any(" of " in each for each in said)
    more = "; a gap that is not positive has no logarithm and is left out" if lost else ""
    return Finding(
        ours=ours,
        says=f"Exponents of params in the gap: {'; '.join(said)}{more}.",
        rests_on=(source,),
        figure=drawn(
            "gap against params",
            "How does what rounding costs change with params?",
            rows,
            ("params", "gap (nats)"),
            "; ".join(said),
            x="params",
            y="gap",
        ),
    )


def _of(count: int, asked: int, what: str) -> str:
    """How many of those that were asked there are, in words: "9 models", "2 of 4 models"."""
    plural = "s" * (asked != 1)
    return f"{asked} {what}{plural}" if count == asked else f"{count} of {asked} {what}{plural}"


def _slope(x: Array, y: Array) -> Ours:
    """The slope of least squares and its standard error; unknown with fewer than three points."""
    if len(x) < 3:
        return UNKNOWN
    centred = x - x.mean()
    value = float(centred @ y / (centred @ centred))
    left = y - y.mean() - value * centred
    return Ours(value, float(np.sqrt(left @ left / (len(x) - 2) / (centred @ centred))))


@check
def longer_trained_pair(
    laboratory: Laboratory,
    source: str,
    shorter: Mapping[str, float | str],
    longer: Mapping[str, float | str],
) -> Finding:
    """The gap of a model that was trained longer less that of one of the same size."""
    kinds = [name for name in shorter if name != "name"]
    gap = {
        name: (float(np.log(float(shorter[name]))), float(np.log(float(longer[name]))))
        for name in kinds
    }
    said = "; ".join(f"{name} {one:.4f} and {two:.4f}" for name, (one, two) in gap.items())
    return Finding(
        ours={name: Ours(two - one) for name, (one, two) in gap.items()},
        says=f"Gaps of {shorter['name']} and {longer['name']}: {said} nats; the two differ in "
        "corpus and vocabulary, too.",
        rests_on=(source,),
    )


@check
def gap_along_training(
    laboratory: Laboratory,
    source: str,
    tokens: Sequence[float],
    noise: float,
    first: Sequence[float],
    last: Sequence[float],
) -> Finding:
    """The mean change of the gap over training; recipes share one reference, whose noise counts.

    ``noise`` is the gap below which the source says that nothing can be read, taken as two standard
    errors.
    """
    change = np.array(last) - np.array(first)
    of_recipes = float(change.std(ddof=1) / np.sqrt(len(change)))
    found = Ours(float(change.mean()), float(np.hypot(of_recipes, noise / 2)))
    return Finding(
        ours={"mean gap at the end less at the beginning": found},
        says=f"From {tokens[0]:.3g} to {tokens[1]:.3g} tokens the gap rises in "
        f"{int((change > 0).sum())} of {len(change)} recipes, on average by {shown(found)} nats.",
        rests_on=(source,),
    )


@check
def gap_of_larger_models(
    laboratory: Laboratory, table: str, largest: float, bits: Sequence[int]
) -> Finding:
    """Gaps that a fit to smaller models predicts at larger ones over the observed gaps."""
    runs = usual(laboratory, table)
    small = runs.where(params=(None, largest))
    found = fitted(laboratory, capacity(("w", "a")).fix(kappa=1.0), small, "small")
    large = runs.where(params=(largest, None))
    asked = len(large.where(precision="bf16").frame().unique(["params", "tokens"]))
    ours, said = {}, []
    for b in bits:
        precision = f"w{b}+had@quest a{b}+had@quest"
        cells = gaps_by_cell(large, [precision], "bf16")
        observed = mean(cells, precision)
        points = cells["params"].to_numpy(), cells["tokens"].to_numpy()
        value, draws = predicted_gap(found, *points, precision, "bf16")
        each = Ours(value / observed, spread(draws) / observed)
        ours[f"predicted over observed gap, {in_bits(b)}"] = each
        said.append(f"{in_bits(b)} {shown(each)} in {_of(len(cells), asked, 'cell')}")
    return Finding(
        ours=ours,
        says=f"Fitted to at most {largest / 1e6:.0f}M params, asked in every larger cell that has "
        f"a bf16 run and one in these bits: {'; '.join(said)}. Errors are those of the fit: they "
        "do not count that the cells are few.",
        rests_on=(rests(small, table), "fit of one factor a level"),
    )
