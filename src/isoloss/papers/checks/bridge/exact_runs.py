"""Exact runs of regression, and laws of language models for their noise: the bridge's material."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import polars as pl

from isoloss.fits import Fit, fit
from isoloss.formats import Format
from isoloss.laws import (
    Composed,
    Constant,
    FormatLink,
    Law,
    Penalty,
    Table,
    amplitude,
    power,
    saturating,
    scale,
)
from isoloss.linear import SGD, Regression, excess_risks, first_coordinates
from isoloss.papers.laboratory import Laboratory
from isoloss.runs import Runs

Inputs = Literal["clean", "in use"]
#: What the problem of every run is unless said: eigenvalues i^-2, w* = 1, noise 0.25.
DECAY, NOISE, DIM, STEP_SIZE = 2.0, 0.25, 1_000_000, 0.1
SIZES, STEPS = (8, 16, 32, 64, 128, 256), (2000, 8000, 32_000, 128_000, 512_000)
#: Levels of noise by its kind, for the data and for the weights.
LEVELS = {
    "d:add": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2),
    "d:vec": (1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
    "w:add": (1e-2, 3e-2, 0.1, 0.3, 1.0),
    "w:vec": (1e-2, 3e-2, 0.1, 0.3, 1.0),
}
#: Starts of each fit. Runs are exact: a fit of them has no sampling error, replicates say nothing.
STARTS = 6


def rests_on(*others: str, decays: Sequence[float] = (DECAY,)) -> tuple[str, ...]:
    """What a fit of the bridge rests on."""
    spectra = ", ".join(f"{each:g}" for each in decays)
    return (
        f"exact risk: leading M of 1e6 coordinates, a = {spectra}, w* = 1, noise {NOISE:g}, B = 1, "
        f"steps {STEP_SIZE:g}, average; M = {SIZES[0]} to {SIZES[-1]}, N = {STEPS[0]} to "
        f"{STEPS[-1]}",
        *others,
    )


def spelled(noise: str) -> tuple[str, ...]:
    """Full precision and the levels of a noise, as "d:add(0.001)"."""
    return ("fp", *(f"{noise}({eps:g})" for eps in LEVELS[noise]))


def problem(decay: float = DECAY) -> Regression:
    """The problem of which models see the leading coordinates."""
    return Regression(DIM, decay=decay, noise_var=NOISE)


def exact(precisions: Sequence[str], inputs: Inputs = "clean", decay: float = DECAY) -> Runs:
    """Exact runs: params M, tokens N, and the excess risk over the best predictor of all."""
    seen = {m: first_coordinates(problem(decay), m) for m in SIZES}
    cells = [(m, n, p) for p in precisions for m in SIZES for n in STEPS]
    points = [(seen[m][0], SGD(n, 1, STEP_SIZE), p) for m, n, p in cells]
    risks = excess_risks(points, inputs=inputs)
    columns = {
        "params": [float(m) for m, _, _ in cells],
        "tokens": [float(n) for _, n, _ in cells],
        "precision": [p for _, _, p in cells],
        "loss": [risk.value + seen[m][1] for (m, _, _), risk in zip(cells, risks, strict=True)],
        "metric": ["excess_risk"] * len(cells),
    }
    return Runs.from_frame(pl.DataFrame(columns))


def exact_runs(
    laboratory: Laboratory, noise: str, inputs: Inputs = "clean", decay: float = DECAY
) -> Runs:
    """The runs of a noise ("" for none), made once."""
    precisions = spelled(noise) if noise else ("fp",)
    key = ("exact runs", noise, inputs, decay)
    return laboratory.once(key, lambda: exact(precisions, inputs, decay))


def fitted(
    laboratory: Laboratory, law: Law, noise: str, inputs: Inputs = "clean", decay: float = DECAY
) -> Fit:
    """A law fitted to the runs of a noise, those of most samples held out; made once."""
    runs = exact_runs(laboratory, noise, inputs, decay)
    key = ("exact fit", law.name, tuple(law.fixed), noise, inputs, decay)
    return laboratory.once(
        key,
        lambda: fit(law, runs, holdout="most_tokens", draws=2, starts=STARTS, seed=laboratory.seed),
    )


def held_out(found: Fit) -> float:
    """Root mean square of the log residuals of the runs of most samples."""
    assert found.held_out is not None
    return float(found.held_out.errors.log_rmse)


def slope(found: Fit, name: str) -> float:
    """An exponent times the outer exponent, the slope where its term rules."""
    own = found.law.ties.get(name, name)
    return float(found.values[own] * found.values["kappa"])


def capacity(part: str, factor_on: str, *, outer: bool = True) -> Law:
    """Kumar's factor 1 - exp(-P/gamma + n) on "params" or "tokens", exponents free.

    P is the bits of the integer whose noise is that of the format, eps = 4^-P. `outer`: with an
    outer exponent, which the runs have and the published law has not. Reference: Kumar et al. 2024,
    equation 3 with the offset of table 2.
    """
    gamma = scale(f"gamma_{part}", f"bits over which rounding {part} hurts", 0.05, 20, (0.5, 3))
    offset = Constant(f"n_{part}", f"offset of {part} in the exponent", -3.0, 8.0, (-1.0, 1.5))
    link = saturating(part, gamma, offset)
    assert isinstance(link, FormatLink)
    links = (replace(link, read=noise_bits),)
    formula = (
        Composed(params_factor=links) if factor_on == "params" else Composed(tokens_factor=links)
    )
    return _free(f"factor on {factor_on}, part {part}", formula, outer)


def efficiency(part: str) -> Law:
    """One factor on params for every level (Frantar et al. 2025, Panferov et al. 2025)."""
    eff = scale("eff", "effective over nominal params", 1e-3, 2.0, (0.2, 1.0))
    return _free(f"efficiency, part {part}", Composed(params_factor=(Table((part,), eff),)))


def additive(part: str) -> Law:
    """A loss k N^-n D^d, k for every level, n and d shared (after Chen et al. 2025)."""
    size = Table((part,), amplitude("k", "size of the rounding loss"), bare=True)
    params = power("gN", "how fast the rounding loss falls with params")
    tokens = power("gD", "how fast the rounding loss grows with tokens")
    penalty = Penalty(None, params, tokens, (size,), size)
    return _free(f"additive, part {part}", Composed(penalties=(penalty,)))


def noise_bits(known: Format) -> float:
    """The bits of the integer with the variance of a format's noise, eps = 4^-bits."""
    return known.bits if known.eps is None else -0.5 * float(np.log2(known.eps))


def _free(name: str, formula: Composed, outer: bool = True) -> Law:
    """A law with both exponents free up to 8, as excess risk asks for; a plain sum unless outer."""
    law = Law(name, formula).bounded(alpha=(0.02, 8.0), beta=(0.02, 8.0))
    return law if outer else law.fix(kappa=1.0)
