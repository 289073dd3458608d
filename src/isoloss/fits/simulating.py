"""Runs drawn from a law: the ground on which fits are tested."""

from __future__ import annotations

from typing import Any

import numpy as np

from isoloss.fits.arguments import MOST_SEED, check_count, check_share, check_text
from isoloss.fits.law_arguments import LawLike, law_to_fit
from isoloss.fits.sample import as_runs
from isoloss.laws import as_inputs
from isoloss.runs import Runs


def draw_runs(
    law: LawLike,
    runs: Runs | Any,
    noise: float = 0.02,
    seed: int = 0,
    source: str | None = None,
) -> Runs:
    """Runs of a design, all its columns kept, with losses of a law times exp(noise x normal).

    Parameters
    ----------
    law
        The name of a law, a law, or a fit.
    runs
        The design, as ``fit`` takes runs: its losses are replaced.
    noise
        Standard deviation of log loss.
    seed
        The seed of the noise.
    source
        The column ``source`` of the new runs; by default "simulated from NAME".

    Returns
    -------
    Runs
        The design with new losses.

    Raises
    ------
    DomainError
        The law is not defined on the design.
    FitError
        An argument is not accepted.
    """
    law = law_to_fit(law)
    check_text("source", source, "'mine'")
    noise, seed = check_share("noise", noise), check_count("seed", seed, 0, MOST_SEED)
    runs = as_runs(runs)
    known = runs.columns
    loss = law.loss(
        as_inputs(
            runs["params"],
            runs["tokens"],
            runs.precisions,
            unique_tokens=runs["unique_tokens"] if "unique_tokens" in known else None,
            sparsity=list(runs["sparsity"]) if "sparsity" in known else None,
        )
    )
    drawn = loss * np.exp(noise * np.random.default_rng(seed).standard_normal(len(loss)))
    return runs.with_columns(loss=drawn, source=source or f"simulated from {law.name}")
