"""How laws are ranked: errors on unseen runs with intervals, win rates, weights, warnings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoloss.files import displayed, equal_by_fields
from isoloss.fits.compare_laws.stacking import (
    Evidence,
    by_unit,
    excess,
    jackknife,
    log_density,
    moments,
    penalty,
    size_units,
)
from isoloss.fits.evidence import HeldOut, not_covered
from isoloss.fits.result import Fit
from isoloss.fits.sample import Sample
from isoloss.fits.warning import ResultWarning, WarningKind, kinds
from isoloss.laws import Array, Mask


@displayed
@equal_by_fields
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
        Its interval over resampled rows; NaN where one run or group was held out, which tells none.
    aicc
        Akaike's criterion with the small-sample term.
    win_rate
        Share of the resamples in which the law is best.
    weight
        Its share in an average, by stacking; laws of one form on these runs share that of the form.
    misses
        The precision of the largest mean residual, and that residual.
    weight_error
        Standard error of the weight, by the jackknife over sizes of model; NaN where there is one
        size only.
    same_form
        Other laws that are this one under other names, as far as these runs go.
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
    weight_error: float = float("nan")
    same_form: tuple[str, ...] = ()


#: Blocks of sizes that the jackknife leaves out, one after the other, at most.
BLOCKS = 20
#: A law fitted to all runs, and what each hold-out showed of it.
Found = tuple[Fit, tuple[HeldOut, ...]]


def ranked(
    found: Sequence[Sequence[Found]],
    tests: Sequence[NDArray[np.intp]],
    sample: Sample,
    level: float,
    seed: int,
) -> tuple[Entry, ...]:
    """Entries, the smallest held-out error first, from laws that are grouped by their form.

    Intervals and win rates resample runs, or groups where runs are grouped. A form counts once:
    the laws of one share its win rate and its weight.
    """
    rows = np.concatenate(list(tests))
    units = np.unique(
        rows if sample.clusters is None else sample.clusters[rows], return_inverse=True
    )[1]
    heads = [group[0] for group in found]
    residual = np.array(
        [
            np.concatenate([np.log(h.prediction.loss / h.observed) for h in unseen])
            for _, unseen in heads
        ]
    )
    count = int(units.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=1000)[
        :, units
    ]
    rmse = np.sqrt(residual**2 @ drawn.T / np.maximum(1, drawn.sum(axis=1)))
    wins = np.bincount(np.argmin(rmse, axis=0), minlength=len(found)) / rmse.shape[1]
    low, high = np.quantile(rmse, [(1 - level) / 2, (1 + level) / 2], axis=1)
    if count == 1:  # drawn again it is itself: no interval, and none of no width
        low = high = np.full(len(found), np.nan)
    total = np.sqrt(np.mean(residual**2, axis=1))
    weight, error = weighed(heads, tests, sample)
    entries = [
        Entry(
            fit,
            unseen,
            float(total[k]),
            float(low[k]),
            float(high[k]),
            aicc(fit),
            float(wins[k]) / len(group),
            float(weight[k]) / len(group),
            _misses(fit),
            float(error[k]) / len(group),
            tuple(other.law.name for other, _ in group if other is not fit),
        )
        for k, group in enumerate(found)
        for fit, unseen in group
    ]
    return tuple(sorted(entries, key=lambda e: e.held_out_rmse))


def weighed(
    heads: Sequence[Found], tests: Sequence[NDArray[np.intp]], sample: Sample
) -> tuple[Array, Array]:
    """Weights of laws of different forms, shape (laws,), and their standard errors.

    Errors are of the jackknife over sizes of model: fitted and held-out runs of some sizes are left
    out of what is weighed, though not fitted anew.
    """
    density = np.array([np.concatenate([log_density(h) for h in unseen]) for _, unseen in heads])
    size = size_units(sample.x.params)
    of_rows = [size[test] for test in tests]
    # A size is another unit in every hold-out: there it is predicted from other runs.
    pairs = np.concatenate(
        [np.column_stack([np.full(len(s), k), s]) for k, s in enumerate(of_rows)]
    )
    units = np.unique(pairs, axis=0, return_inverse=True)[1].ravel()
    beyond = _excess(heads, sample)

    def weights(kept: Mask) -> Array:
        there = kept[pairs[:, 1]]
        again = np.unique(units[there], return_inverse=True)[1]
        unseen = by_unit(density[:, there], again)
        rows = kept[size]
        deviance = np.array([_deviance(fit, rows) for fit, _ in heads])
        constants = np.array([fit.draws.shape[1] + 1.0 for fit, _ in heads])
        return Evidence(unseen, deviance, constants, len(sample), beyond).weights

    sizes = np.arange(int(size.max()) + 1)
    blocks = np.array_split(sizes, min(BLOCKS, len(sizes)))
    every = np.ones(len(sizes), dtype=bool)
    without = [weights(~np.isin(sizes, block)) for block in blocks if len(sizes) > 1]
    error = jackknife(np.array(without)) if without else np.full(len(heads), np.nan)
    return weights(every), error


def _excess(heads: Sequence[Found], sample: Sample) -> float:
    best = heads[int(np.argmin([aicc(fit) for fit, _ in heads]))][0]
    missed = [np.concatenate([_standardised(h) for h in unseen]) for _, unseen in heads]
    return excess(_fitted(best), best.draws.shape[1] + 1, sample.x.params, missed)


def _standardised(held: HeldOut) -> Array:
    mean, variance = moments(held)
    return np.asarray((np.log(held.observed) - mean) / np.sqrt(np.maximum(variance, 1e-18)))


def _fitted(fit: Fit) -> Array:
    return fit.points.residual[~fit.points.held_out]


def _deviance(fit: Fit, rows: Mask | None = None) -> float:
    residual = _fitted(fit)
    return fit.objective.residual_loss.deviance(
        fit.objective, residual if rows is None else residual[rows]
    )


def aicc(fit: Fit) -> float:
    """Akaike's criterion with the small-sample term; infinite where there are too few runs for it.

    The likelihood is that of the objective (`ResidualLoss.deviance`) on log residuals.
    """
    n, k = len(_fitted(fit)), fit.draws.shape[1] + 1
    return _deviance(fit) + float(penalty(np.array([float(k)]), n)[0])


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
