"""Runs drawn from a law: the ground on which fits are tested, and the bundled table until runs are measured."""

from __future__ import annotations

import numpy as np

from isoloss.laws import Law, as_inputs, preset
from isoloss.runs import Runs


def draw_runs(
    law: str | Law, design: Runs, noise: float = 0.02, seed: int = 0, source: str | None = None
) -> Runs:
    """Runs of a design, all its columns kept, with losses of a law times exp(noise x normal).

    ``noise`` is the standard deviation of log loss. The rows say so: source is "simulated from NAME" unless given.
    Raises DomainError where the law is not defined on the design.
    """
    law = preset(law) if isinstance(law, str) else law
    known = design.columns
    loss = law.loss(
        as_inputs(
            design["params"],
            design["tokens"],
            design.precisions,
            unique_tokens=design["unique_tokens"] if "unique_tokens" in known else None,
            sparsity=list(design["sparsity"]) if "sparsity" in known else None,
        )
    )
    drawn = loss * np.exp(noise * np.random.default_rng(seed).standard_normal(len(loss)))
    return design.with_columns(loss=drawn, source=source or f"simulated from {law.name}")
