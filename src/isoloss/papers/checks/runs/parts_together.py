"""Parts rounded alone and together: what factors of the parts predict of all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isoloss.fits import Fit
from isoloss.laws import as_inputs
from isoloss.papers.checks.runs.paired_runs import (
    DECAYED,
    Array,
    gaps_by_cell,
    jackknifed,
    mean,
    spread,
    trained,
    usual,
)
from isoloss.papers.checks.runs.precision_forms import fitted, free_factors
from isoloss.papers.claim import Ours
from isoloss.papers.laboratory import Laboratory

PARTS = ("w", "a", "kv")


def of_part(part: str, bits: Sequence[int]) -> list[str]:
    """The precisions that round one part alone."""
    return [f"{part}{b}" for b in bits]


def together(bits: int) -> str:
    """The precision that rounds every part."""
    return " ".join(f"{part}{bits}" for part in PARTS)


def observed_over_product(laboratory: Laboratory, table: str, bits: int) -> Ours:
    """The gap of all parts in these bits over that which free factors of each part predict.

    The error joins that of the observed gap (jackknife over trajectories) and that of the fit.
    """
    alone = ["fp", *(p for part in PARTS for p in of_part(part, (2, 3, 4, 6, 8)))]
    found = fitted(
        laboratory, free_factors(PARTS, tied=False), trained(laboratory, table, alone), "parts"
    )
    asked = together(bits) if bits <= 4 else f"w{bits} a{bits}"
    cells = gaps_by_cell(usual(laboratory, table, DECAYED).where(parent=None), [together(bits)])
    observed = jackknifed(cells, ("params", "seed"), lambda some: mean(some, together(bits)))
    points = cells["params"].to_numpy(), cells["tokens"].to_numpy()
    predicted, draws = predicted_gap(found, *points, asked)
    value = observed.value / predicted
    error = abs(value) * np.hypot(observed.error / observed.value, spread(draws) / predicted)
    return Ours(float(value), float(error))


def predicted_gap(
    found: Fit, params: Array, tokens: Array, precision: str, base: str = "fp"
) -> tuple[float, Array]:
    """The mean gap that a fit predicts over some cells, and that of its replicates."""
    inputs = [as_inputs(params, tokens, each) for each in (precision, base)]
    value = float(np.mean(found.law.loss(inputs[0]) - found.law.loss(inputs[1])))
    few, full = (found.draw(x, of="mean") for x in inputs)
    return value, np.mean(few - full, axis=1)
