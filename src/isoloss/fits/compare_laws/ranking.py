"""How laws are ranked: errors on unseen runs with intervals, win rates, weights, warnings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoloss.fits.compare_laws.stacking import log_density, stack_in_doubt
from isoloss.fits.evidence import HeldOut, not_covered
from isoloss.fits.result import Fit
from isoloss.fits.sample import Sample
from isoloss.fits.warning import ResultWarning, WarningKind, kinds


@dataclass(frozen=True)
class Entry:
    """One law in a comparison.

    Attributes
    ----------
    fit
        The law fitted to all runs.
    held_out
        What each hold-out showed, of the law fitted without its rows.
    held_out_rmse
        Root mean square of log residuals over all held-out rows.
    low, high
        Its interval over resampled rows.
    aicc
        Akaike's criterion with the small-sample term.
    win_rate
        Share of the resamples in which the law is best.
    weight
        Its share in an average, by stacking.
    misses
        The precision of the largest mean residual, and that residual.
    """

    fit: Fit
    held_out: tuple[HeldOut, ...]
    held_out_rmse: float
    low: float
    high: float
    aicc: float
    win_rate: float
    weight: float
    misses: str


def ranked(
    found: Sequence[tuple[Fit, tuple[HeldOut, ...]]],
    tests: Sequence[NDArray[np.intp]],
    sample: Sample,
    level: float,
    seed: int,
) -> tuple[Entry, ...]:
    """Entries, the smallest held-out error first.

    Intervals and win rates resample runs, or groups where runs are grouped; a run that several
    hold-outs hold out counts as one in the weights.
    """
    rows = np.concatenate(list(tests))
    units = np.unique(
        rows if sample.clusters is None else sample.clusters[rows], return_inverse=True
    )[1]
    residual = np.array(
        [
            np.concatenate([np.log(h.prediction.loss / h.observed) for h in unseen])
            for _, unseen in found
        ]
    )
    density = np.array([np.concatenate([log_density(h) for h in unseen]) for _, unseen in found])
    count = int(units.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=1000)[
        :, units
    ]
    rmse = np.sqrt(residual**2 @ drawn.T / np.maximum(1, drawn.sum(axis=1)))
    wins = np.bincount(np.argmin(rmse, axis=0), minlength=len(found)) / rmse.shape[1]
    weight = stack_in_doubt(density, 1.0 / np.bincount(rows)[rows], units, seed)
    low, high = np.quantile(rmse, [(1 - level) / 2, (1 + level) / 2], axis=1)
    total = np.sqrt(np.mean(residual**2, axis=1))
    entries = [
        Entry(
            fit,
            unseen,
            float(total[k]),
            float(low[k]),
            float(high[k]),
            aicc(fit),
            float(wins[k]),
            float(weight[k]),
            _misses(fit),
        )
        for k, (fit, unseen) in enumerate(found)
    ]
    return tuple(sorted(entries, key=lambda e: e.held_out_rmse))


def aicc(fit: Fit) -> float:
    """Akaike's criterion with the small-sample term; infinite where there are too few runs for it.

    The likelihood is that of the objective (`ResidualLoss.deviance`) on log residuals.
    """
    r = fit.points.residual[~fit.points.held_out]
    n, k = len(r), fit.draws.shape[1] + 1
    if n - k - 1 <= 0:
        return float("inf")
    deviance = fit.objective.residual_loss.deviance(fit.objective, r)
    return float(deviance + 2 * k + 2 * k * (k + 1) / (n - k - 1))


def judge_comparison(entries: Sequence[Entry]) -> tuple[ResultWarning, ...]:
    """What speaks against the comparison as a whole."""
    out = []
    top = [e for e in entries if e.weight >= 0.05]
    told = [e for e in top if np.isfinite(e.fit.exponent).all() and not e.fit.exponent_by_form]
    lows, highs = [e.fit.exponent[1] for e in told], [e.fit.exponent[2] for e in told]
    if len(told) > 1 and max(lows) > min(highs):
        spread = ", ".join(f"{e.fit.law.name} {e.fit.exponent[0]:.3f}" for e in told)
        text = f"laws of weight give exponents of params whose intervals do not meet: {spread}"
        out.append(ResultWarning(WarningKind.LAWS_DISAGREE, text))
    if all(WarningKind.LACK_OF_FIT in kinds(e.fit.warnings) for e in top):
        text = (
            "every law of weight leaves a curve in its residuals: add a law of another base (an "
            "outer exponent kappa) before trusting an interval"
        )
        out.append(ResultWarning(WarningKind.LACK_OF_FIT, text))
    for held in top[0].held_out if top else ():
        out += not_covered(held)
    return tuple(out)


def _misses(fit: Fit) -> str:
    mean = fit.points.mean_residuals
    worst = max(mean, key=lambda name: abs(mean[name]))
    return f"{worst} by {100 * mean[worst]:+.2g}%"
