"""The verb ``compare``: laws ranked by what they predict unseen, with weights to average over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from isoloss.files import save
from isoloss.fits.caution import Caution
from isoloss.fits.compare_laws.comparison_report import sections
from isoloss.fits.compare_laws.ranking import Entry, judge, ranked
from isoloss.fits.doubt import Of, Prediction, Resample, points, resample, summarise
from isoloss.fits.fitting import Tick, held_out, optimum_of
from isoloss.fits.fitting import fit as fit_law
from isoloss.fits.holdout import Split, splits
from isoloss.fits.report import Section, html, text
from isoloss.fits.result import Fit, HeldOut
from isoloss.fits.sample import FitError, Sample, as_runs, as_sample
from isoloss.fits.solve import Objective
from isoloss.formats import Precision
from isoloss.laws import DomainError, Inputs, Law, Mask, preset
from isoloss.runs import Runs

#: Hold-outs that every comparison makes unless told otherwise: extrapolation in size and in training length.
RULES = ("largest", "longest")


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
        group: str | None = None,
        sparsity: str | None = None,
    ) -> Prediction:
        """The loss averaged over laws by their weights, with the interval of the mixture of their draws."""
        return self.predict_inputs(points(params, tokens, precision, group, sparsity), level, of)

    def predict_inputs(self, x: Inputs, level: float | None = None, of: Of = "run") -> Prediction:
        """As ``predict``, for inputs that are made. Laws without weight are not asked."""
        asked = [e for e in self.entries if e.weight > 0]
        centre = sum((e.weight * e.fit.law.loss(x) for e in asked), start=np.zeros(len(x)))
        pooled = [e.fit.draw(x, of, self.seed + k) for k, e in enumerate(asked)]
        shares = self._shares(asked)
        mixed = np.concatenate(
            [d[np.arange(n) % len(d)] for d, n in zip(pooled, shares, strict=True)]
        )
        doubts = dict.fromkeys(c for e in asked for c in e.fit.doubts(x))
        level = self.level if level is None else level
        return summarise(
            x, np.asarray(centre), mixed, level, of, asked[0].fit.law.box, tuple(doubts)
        )

    def exponent(self, level: float | None = None) -> tuple[float, float, float]:
        """The compute-optimal exponent of params averaged over laws, with the interval of their mixture.

        Laws without an optimum (their loss falls for ever along one axis) have none, and laws whose form allows one
        exponent only (alpha = beta) assume it instead of finding it: both are left out, as are laws of a weight
        below 0.05. NaN where no law is left.
        """
        level = self.level if level is None else level
        asked = [
            e for e in self.entries if np.isfinite(e.fit.exponent[0]) and not e.fit.exponent_by_form
        ]
        asked = [e for e in asked if e.weight >= 0.05]
        if not asked:
            return np.nan, np.nan, np.nan
        drawn = [
            e.fit.exponent_draws[np.arange(count) % len(e.fit.exponent_draws)]
            for e, count in zip(asked, self._shares(asked), strict=True)
        ]
        low, high = np.nanquantile(np.concatenate(drawn), [(1 - level) / 2, (1 + level) / 2])
        value = np.average([e.fit.exponent[0] for e in asked], weights=[e.weight for e in asked])
        return float(value), float(low), float(high)

    def save(self, path: str | Path, force: bool = False) -> Path:
        """Write the comparison as a JSON file, which `load` reads, and return its path; see `isoloss.files.save`."""
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
    runs: Runs | Any,
    *,
    holdouts: Sequence[str | Callable[[Sample], Mask]] | None = None,
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

    Each law is fitted to all runs and, once a hold-out, to the rows that it leaves (RULES, as far as the runs allow
    them, unless ``holdouts`` names others). A law that is not defined on these runs, or cannot predict held-out ones,
    is listed with the reason. Weights maximise the held-out log score of the mixture (stacking of predictive
    distributions, Yao et al. 2018), averaged over bootstraps of the held-out runs. Raises FitError when no law can be fitted, or two laws have one name.
    """
    runs = as_runs(runs)
    sample = as_sample(runs, per)
    chosen = [preset(x) if isinstance(x, str) else x for x in laws]
    _check_names(chosen)
    parts = _splits(sample, holdouts, seed)
    settings = {
        "objective": objective,
        "per": per,
        "draws": draws,
        "how": how,
        "starts": starts,
        "level": level,
    }
    found: list[tuple[Fit, tuple[HeldOut, ...]]] = []
    refused: dict[str, str] = {}
    for law in chosen:
        try:
            fit = fit_law(law, runs, **settings, seed=seed, tick=tick)  # type: ignore[arg-type]
            unseen = tuple(_unseen(fit, sample, rows, draws, how, starts, tick) for rows in parts)
        except (FitError, DomainError) as error:
            refused[law.name] = str(error)
            continue
        found.append((fit, unseen))
    if not found:
        said = "; ".join(f"{name}: {reason}" for name, reason in refused.items())
        raise FitError(f"no law can be fitted to these runs: {said}")
    entries = ranked(found, [part.test for part in parts], sample, level, seed)
    return Comparison(entries, refused, tuple(s.rule for s in parts), level, judge(entries), seed)


def _check_names(laws: Sequence[Law]) -> None:
    names = [law.name for law in laws]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise FitError(
            f"two laws are named {twice[0]!r}; give one another name with dataclasses.replace(law, name=...)"
        )


def _splits(
    sample: Sample, holdouts: Sequence[str | Callable[[Sample], Mask]] | None, seed: int
) -> list[Split]:
    """The splits of the rules, each set of rows once; rules of our own that do not apply are left out."""
    out: list[Split] = []
    for rule in RULES if holdouts is None else holdouts:
        try:
            new = splits(sample, rule, seed)
        except FitError:
            if holdouts is not None:
                raise
            continue
        out += [s for s in new if not any(np.array_equal(s.test, other.test) for other in out)]
    if not out:
        raise FitError(
            "runs vary neither in params nor in tokens per param, so nothing can be held out; name holdouts"
        )
    return out


def _unseen(
    fit: Fit,
    sample: Sample,
    rows: Split,
    draws: int,
    how: Resample | None,
    starts: int,
    tick: Tick | None,
) -> HeldOut:
    """What the law of a fit says of rows when it has not seen them."""
    train, test = sample.take(rows.train), sample.take(rows.test)
    assert fit.optimum is not None
    seed = fit.facts.seed
    law = fit.optimum.problem.coordinates.law.release(*fit.absent)
    optimum = optimum_of(law, train, fit.objective, starts, seed)
    spread = resample(train, optimum, draws, how, seed + 1, tick)
    return held_out(optimum, spread, test, rows.rule, fit.level, seed)
