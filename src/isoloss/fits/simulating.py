"""Runs drawn from a law: the ground on which fits are tested, and the bundled table until runs are measured."""

from __future__ import annotations

import numpy as np
import polars as pl

from isoloss.laws import Law, preset
from isoloss.runs import Runs


def draw_runs(
    law: str | Law, design: Runs, noise: float = 0.02, seed: int = 0, source: str | None = None
) -> Runs:
    """Runs of a design (params, tokens, precision, seed are kept) with losses of a law times exp(noise x normal).

    ``noise`` is the standard deviation of log loss. The rows say so: source is "simulated from NAME". Raises
    DomainError where the law is not defined on the design.
    """
    law = preset(law) if isinstance(law, str) else law
    loss = np.asarray(law(design["params"], design["tokens"], design.precisions))
    drawn = loss * np.exp(noise * np.random.default_rng(seed).standard_normal(len(loss)))
    columns = {
        "params": design["params"],
        "tokens": design["tokens"],
        "precision": [str(p) for p in design.precisions],
        "loss": drawn,
        "source": [source or f"simulated from {law.name}"] * len(drawn),
    }
    if "group" in design.columns and any(g is not None for g in design["group"]):
        columns["group"] = list(design["group"])
    return Runs.from_frame(pl.DataFrame(columns))
