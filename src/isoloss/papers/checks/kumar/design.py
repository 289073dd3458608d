"""The runs of Kumar et al. 2024: their grid, their formats, and what such a table can tell."""

from __future__ import annotations

from math import log2

import numpy as np

from isoloss.fits import Fit
from isoloss.formats import fake_quantise, relative_error
from isoloss.papers.checking import check
from isoloss.papers.checks.kumar.formula import FITTED, PRINTED, best_bits_of, factors, found
from isoloss.papers.claim import Finding, Ours
from isoloss.papers.laboratory import Laboratory

SIZES = (30e6, 60e6, 110e6, 220e6)
STEPS = (6_250, 12_500, 25_000, 50_000, 100_000)
SEQUENCES, LENGTH, RUNS = 256, 1024, 465


@check
def kumar_grid(laboratory: Laboratory) -> Finding:
    """Tokens of the labels of figure 4, and the count of runs."""
    batch = SEQUENCES * LENGTH
    # The longest runs were made at two sizes only.
    pairs = [(n, s) for n in SIZES for s in STEPS if s < STEPS[-1] or n in SIZES[:2]]
    most = max(s * batch / n for n, s in pairs)
    return found(
        {
            "tokens a step": batch,
            "tokens of 12.5k steps": STEPS[1] * batch,
            "tokens of 50k steps": STEPS[3] * batch,
            "tokens of 100k steps": STEPS[4] * batch,
            "most tokens a param": most,
            "pairs of params and tokens": len(pairs),
            "runs a pair": RUNS / len(pairs),
        },
        f"{len(pairs)} pairs, {RUNS / len(pairs):.1f} runs each, up to {most:.0f} tokens a param.",
        ("printed settings",),
    )


@check
def kumar_levels(laboratory: Laboratory) -> Finding:
    """Different values of evenly spread numbers rounded to integers scaled by the largest."""
    x = np.linspace(-1.0, 1.0, 20_001)
    levels = {bits: len(np.unique(fake_quantise(x, f"int{bits}"))) for bits in (3, 4, 8)}
    return found(
        {f"{bits} bits": count for bits, count in levels.items()},
        f"{levels[3]} levels at 3 bits.",
        ("20,001 numbers between -1 and 1",),
    )


@check
def kumar_fields(laboratory: Laboratory) -> Finding:
    """How fast the error of rounding falls with bits of mantissa and of exponent."""
    mantissa = [relative_error(f"e3m{m}") for m in range(1, 6)]
    exponent = [relative_error(f"e{e}m3") for e in range(2, 6)]
    falls = [log2(each[0] / each[-1]) / (len(each) - 1) for each in (mantissa, exponent)]
    return found(
        {
            "halvings of the squared error a bit of mantissa": falls[0],
            "halvings of the squared error a bit of exponent": falls[1],
        },
        f"A bit of mantissa halves the squared error {falls[0]:.2f} times (E3M1 to E3M5), one of "
        f"exponent {falls[1]:.2f} times (E2M3 to E5M3).",
        ("rounding of Gaussian numbers",),
    )


@check
def kumar_refitted(laboratory: Laboratory) -> Finding:
    """Fits with and without offsets to runs simulated from the constants."""
    fits = {name: laboratory.fit(name, "simulated2024", draws=20, starts=3) for name in LAWS}
    best = {name: _best(each) for name, each in fits.items()}
    gamma = {name: _gamma(each) for name, each in fits.items()}
    runs = laboratory.runs("simulated2024")
    return Finding(
        {
            "best bits": best[FITTED],
            "gamma_w": gamma[FITTED],
            "gamma_w, without offsets": gamma[PRINTED],
            "best bits, without offsets": best[PRINTED],
        },
        f"With offsets {_told(best[FITTED])} bits and gamma_w {_told(gamma[FITTED])}; without, "
        f"{_told(best[PRINTED])} bits and gamma_w {_told(gamma[PRINTED])}.",
        (f"simulated2024 {runs.hash[:12]}",),
    )


LAWS = (FITTED, PRINTED)


def _best(found: Fit) -> Ours:
    """Bits of largest f/P, with the spread over bootstrap replicates."""
    draws = found.constant_draws
    names = [name for name in draws if name.startswith(("gamma_", "n_"))]
    each = [
        best_bits_of(
            factors(found.law.at(**{name: float(draws[name][k]) for name in names})).values()
        )
        for k in range(len(found.draws))
    ]
    return Ours(best_bits_of(factors(found.law).values()), float(np.std(each, ddof=1)))


def _gamma(found: Fit) -> Ours:
    return Ours(found.values["gamma_w"], float(np.std(found.constant_draws["gamma_w"], ddof=1)))


def _told(figure: Ours) -> str:
    return f"{figure.value:.2f} (se {figure.error:.2f})"
