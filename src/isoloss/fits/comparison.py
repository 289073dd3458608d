"""The verb ``compare``: laws ranked by what they predict unseen, with weights to average over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from isoloss.fits.caution import Caution
from isoloss.fits.comparison_report import mean_residuals, sections
from isoloss.fits.fitting import Tick, held_out, optimum_of
from isoloss.fits.fitting import fit as fit_law
from isoloss.fits.holdout import Split, splits
from isoloss.fits.judging import not_covered
from isoloss.fits.objective import Objective
from isoloss.fits.prediction import Of, Prediction, counts, loss_draws, summarise, with_noise
from isoloss.fits.report import Section, html, text
from isoloss.fits.resampling import Resample
from isoloss.fits.result import Fit, HeldOut
from isoloss.fits.sample import FitError, Sample, as_sample
from isoloss.fits.stacking import log_density, stack
from isoloss.fits.uncertainty import resample
from isoloss.formats import Precision
from isoloss.laws import DomainError, Inputs, Law, Mask, as_inputs, preset
from isoloss.runs import Runs

#: Hold-outs that every comparison makes unless told otherwise: extrapolation in size and in training length.
RULES = ("largest", "longest")


@dataclass(frozen=True)
class Entry:
    """One law in a comparison.

    ``held_out_rmse`` is of log loss over all held-out rows, with its interval over resampled rows; ``win_rate`` the
    share of those resamples in which the law is best; ``weight`` its share in an average;
    ``misses`` the level with the largest mean residual, the reason of a low rank.
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


@dataclass(frozen=True)
class Comparison:
    """Laws fitted to the same runs, the best held-out error first. Prints itself; predicts as a weighted average."""

    entries: tuple[Entry, ...]
    refused: Mapping[str, str]
    rules: tuple[str, ...]
    level: float
    cautions: tuple[Caution, ...]
    seed: int

    @property
    def best(self) -> Fit:
        """The fit of the smallest held-out error."""
        return self.entries[0].fit

    @property
    def weights(self) -> dict[str, float]:
        """The weight of every law by name."""
        return {e.fit.law.name: e.weight for e in self.entries}

    def predict(
        self,
        params: ArrayLike,
        tokens: ArrayLike,
        precision: str | Precision | Sequence[str | Precision] = "fp",
        *,
        level: float | None = None,
        of: Of = "run",
    ) -> Prediction:
        """The loss averaged over laws by their weights, with the interval of the mixture of their draws."""
        x = as_inputs(*counts(params, tokens), precision)
        return self.predict_inputs(x, level, of)

    def predict_inputs(self, x: Inputs, level: float | None = None, of: Of = "run") -> Prediction:
        """As ``predict``, for inputs that are made. Laws without weight are not asked."""
        asked = [e for e in self.entries if e.weight > 0]
        centre = sum((e.weight * e.fit.law.loss(x) for e in asked), start=np.zeros(len(x)))
        pooled = []
        for k, (e, count) in enumerate(zip(asked, self._shares(asked), strict=True)):
            draws = loss_draws(e.fit.coordinates, e.fit.draws, x)
            if of == "run":
                draws = with_noise(
                    draws, e.fit.points.residual[~e.fit.points.held_out], draws.shape[1], self.seed + k
                )
            pooled.append(draws[np.arange(count) % len(draws)])
        level = self.level if level is None else level
        return summarise(x, np.asarray(centre), np.concatenate(pooled), level, of, asked[0].fit.law.box)

    def exponent(self, level: float | None = None) -> tuple[float, float, float]:
        """The compute-optimal exponent of params averaged over laws, with the interval of their mixture.

        Laws without an optimum (their loss falls for ever along one axis) have none and are left out of the average.
        """
        level = self.level if level is None else level
        asked = [e for e in self.entries if e.weight > 0 and np.isfinite(e.fit.exponent[0])]
        if not asked:
            return np.nan, np.nan, np.nan
        drawn = [
            e.fit.exponent_draws[np.arange(count) % len(e.fit.exponent_draws)]
            for e, count in zip(asked, self._shares(asked), strict=True)
        ]
        low, high = np.nanquantile(np.concatenate(drawn), [(1 - level) / 2, (1 + level) / 2])
        total = sum(e.weight for e in asked)
        return sum(e.weight * e.fit.exponent[0] for e in asked) / total, float(low), float(high)

    def save(self, path: str | Path, force: bool = False) -> Path:
        """The path of the JSON file written; see fits.save."""
        from isoloss.fits.saving import save  # saving knows every type, so it stands above this one

        return save(self, path, force)

    def _shares(self, asked: Sequence[Entry], total: int = 4000) -> list[int]:
        return [max(1, round(total * e.weight)) for e in asked]

    def sections(self) -> list[Section]:
        """The report as titled sections, for whoever prints it."""
        return sections(self)

    def __str__(self) -> str:
        return text(self.sections())

    def _repr_html_(self) -> str:
        return html(self.sections())


def compare(
    laws: Sequence[str | Law],
    runs: Runs,
    *,
    holdouts: Sequence[str | Callable[[Sample], Mask]] = RULES,
    objective: str | Objective = "huber",
    per: str | None = None,
    draws: int = 200,
    how: Resample | None = None,
    starts: int = 24,
    level: float = 0.9,
    seed: int = 0,
    tick: Tick | None = None,
) -> Comparison:
    """Laws fitted to the same runs and ranked by held-out error, with stacking weights.

    Each law is fitted to all runs and, once a hold-out, to the rows that it leaves; a law that is not defined on
    these runs is listed with the reason. Weights maximise the held-out log score of the mixture (stacking of
    predictive distributions, Yao et al. 2018). Raises FitError when no law can be fitted.
    """
    sample = as_sample(runs, per)
    splits = _splits(sample, holdouts, seed)
    found: list[tuple[Fit, tuple[HeldOut, ...]]] = []
    refused: dict[str, str] = {}
    for law in (preset(x) if isinstance(x, str) else x for x in laws):
        try:
            fit = fit_law(
                law,
                runs,
                objective=objective,
                per=per,
                draws=draws,
                how=how,
                starts=starts,
                level=level,
                seed=seed,
                tick=tick,
            )
            unseen = tuple(_unseen(fit, sample, rows, draws, how, starts, tick) for rows in splits)
        except (FitError, DomainError) as error:
            refused[law.name] = str(error)
            continue
        found.append((fit, unseen))
    if not found:
        raise FitError(
            "no law can be fitted to these runs: " + "; ".join(f"{k}: {v}" for k, v in refused.items())
        )
    entries = _ranked(found, level, seed)
    return Comparison(entries, refused, tuple(s.rule for s in splits), level, _judge(entries), seed)


def _splits(sample: Sample, holdouts: Sequence[str | Callable[[Sample], Mask]], seed: int) -> list[Split]:
    out: list[Split] = []
    for rule in holdouts:
        new = splits(sample, rule, seed)
        out += [s for s in new if not any(np.array_equal(s.test, other.test) for other in out)]
    return out


def _unseen(
    fit: Fit, sample: Sample, rows: Split, draws: int, how: Resample | None, starts: int, tick: Tick | None
) -> HeldOut:
    """What the law of a fit says of rows when it has not seen them."""
    train, test = sample.take(rows.train), sample.take(rows.test)
    assert fit.optimum is not None
    seed = fit.facts.seed
    law = fit.optimum.problem.coordinates.law.release(*fit.absent)
    optimum = optimum_of(law, train, fit.objective, starts, seed)
    spread = resample(train, optimum, draws, how, seed + 1, tick)
    return held_out(optimum.law, optimum, spread, test, rows.rule, fit.level, seed)


def _ranked(found: list[tuple[Fit, tuple[HeldOut, ...]]], level: float, seed: int) -> tuple[Entry, ...]:
    residual = np.array(
        [np.concatenate([np.log(h.prediction.loss / h.observed) for h in unseen]) for _, unseen in found]
    )
    density = np.array([np.concatenate([log_density(h) for h in unseen]) for _, unseen in found])
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, residual.shape[1], size=(1000, residual.shape[1]))
    rmse = np.sqrt(np.mean(residual[:, drawn] ** 2, axis=2))
    wins = np.bincount(np.argmin(rmse, axis=0), minlength=len(found)) / rmse.shape[1]
    weight = stack(density)
    low, high = np.quantile(rmse, [(1 - level) / 2, (1 + level) / 2], axis=1)
    total = np.sqrt(np.mean(residual**2, axis=1))
    entries = [
        Entry(
            fit, unseen, float(total[k]), float(low[k]), float(high[k]), aicc(fit), float(wins[k]), float(weight[k]),
            _misses(fit),
        )
        for k, (fit, unseen) in enumerate(found)
    ]  # fmt: skip
    return tuple(sorted(entries, key=lambda e: e.held_out_rmse))


def aicc(fit: Fit) -> float:
    """Akaike's criterion with the small-sample term, from a Laplace likelihood for Huber and a normal one otherwise."""
    r = fit.points.residual[~fit.points.held_out]
    n, k = len(r), fit.draws.shape[1] + 1
    spread = (
        2 * n * np.log(2 * np.mean(np.abs(r)))
        if fit.objective.kind == "huber"
        else n * np.log(2 * np.pi * np.mean(r**2))
    )
    return float(
        spread + n * (2 if fit.objective.kind == "huber" else 1) + 2 * k + 2 * k * (k + 1) / max(1, n - k - 1)
    )


def _misses(fit: Fit) -> str:
    mean = mean_residuals(fit)
    worst = max(mean, key=lambda name: abs(mean[name]))
    return f"{worst} by {100 * mean[worst]:+.2g}%"


def _judge(entries: tuple[Entry, ...]) -> tuple[Caution, ...]:
    out = []
    top = [e for e in entries if e.weight >= 0.05]
    lows, highs = [e.fit.exponent[1] for e in top], [e.fit.exponent[2] for e in top]
    if len(top) > 1 and max(lows) > min(highs):
        spread = ", ".join(f"{e.fit.law.name} {e.fit.exponent[0]:.3f}" for e in top)
        out.append(
            Caution(
                "laws_disagree",
                f"laws of similar weight give exponents of params whose intervals do not meet: {spread}",
            )
        )
    unfit = [e for e in top if "lack_of_fit" in {c.kind for c in e.fit.cautions}]
    if unfit and len(unfit) == len(top):
        out.append(
            Caution(
                "lack_of_fit",
                "every law of weight leaves a curve in its residuals: add a law of another base (an outer exponent kappa) before trusting an interval",
            )
        )
    for e in top[:1]:
        out += [c for h in e.held_out for c in not_covered(h)]
    return tuple(out)
