"""Laws compared: fitted to the same runs, ranked by held-out error, averaged by weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from isoloss.files import displayed, equal_by_content, save, was
from isoloss.fits.arguments import Of, check_level, check_of
from isoloss.fits.compare_laws.averaging import by_those_that_see, doubts_of_laws
from isoloss.fits.compare_laws.comparison_report import (
    average_section,
    finds_exponent,
    ranking_section,
    residual_sections,
    warnings_of_laws,
    withheld_of,
)
from isoloss.fits.compare_laws.ranking import Entry
from isoloss.fits.doubt import (
    Prediction,
    hidden_beyond,
    in_parts,
    loss_draws,
    not_far,
    nothing,
    outside_runs,
    points,
    repeating_where_able,
    summarise,
    warnings_at,
)
from isoloss.fits.identify import SHARE, widened
from isoloss.fits.result import Fit
from isoloss.fits.sections import Section, text
from isoloss.fits.warning import ResultWarning
from isoloss.formats import Precision
from isoloss.laws import Array, Inputs, sees_repetition


@equal_by_content
@displayed
@dataclass(frozen=True)
class Comparison:
    """Laws fitted to the same runs and ranked; prints itself, predicts as their average.

    Attributes
    ----------
    entries
        The laws, the smallest held-out error first.
    refused
        Laws that are not defined on the runs, or cannot predict held-out ones, with the reason.
    rules
        The hold-outs.
    level
        Coverage of intervals, 0.9 = 90%.
    warnings
        What speaks against the comparison as a whole; those of each fit are its own.
    seed
        The seed of resampling.
    """

    entries: tuple[Entry, ...]
    refused: Mapping[str, str]
    rules: tuple[str, ...]
    level: float
    warnings: tuple[ResultWarning, ...] = field(metadata=was("cautions"))
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
        unique_tokens: ArrayLike | None = None,
    ) -> Prediction:
        """The loss averaged over laws by their weights, with the interval of the mixture.

        Parameters
        ----------
        params, tokens, precision, level, of, group, sparsity, unique_tokens
            As in `Fit.predict`.

        Returns
        -------
        Prediction
            Losses in the metric of the runs, with intervals and warnings.

        Raises
        ------
        DomainError
            No law of weight is defined at any point.
        FitError
            An argument is not accepted.
        """
        x = points(params, tokens, precision, group, sparsity, unique_tokens)
        return self.predict_inputs(x, level, of)

    def predict_inputs(self, x: Inputs, level: float | None = None, of: Of = "run") -> Prediction:
        """As ``predict``, for inputs that are made. Laws without weight are not asked, nor those
        that cannot see a point."""
        level = self._level(level)
        check_of(of)
        return in_parts(x, lambda some: self._predict(some, level, of))

    def _predict(self, x: Inputs, level: float, of: Of) -> Prediction:
        """The prediction of points that all repeat tokens, or none of which does."""
        given = [e for e in self.entries if e.weight > 0]
        asked = [_repeating(e, x) for e in given]
        # Of laws that can take no term, only what they are left out of is said.
        pairs = zip(given, asked, strict=True)
        able = [e.fit.law for e, own in pairs if own is not e or sees_repetition(e.fit.law)]
        often = warnings_at(able, x) if able else ()
        blank = nothing(x, level, of, self.best.law.metric)
        average = partial(self._average, level=level, of=of)
        found = by_those_that_see(asked, x, average, blank)
        laws = [(e.fit.law, e.fit.discrepancy) for e in asked]
        told = np.flatnonzero(np.isfinite(found.loss))
        hidden = hidden_beyond(laws, x.take(told)) if len(told) else ()
        far = outside_runs(x, asked[0].fit.law.box)
        said = replace(found, warnings=(*far, *hidden, *often, *found.warnings))
        return not_far(said, x, asked[0].fit.law.box)

    def _level(self, level: float | None) -> float:
        """A level that is asked for, which the replicates of each law reach, or its own."""
        fewest = min(len(e.fit.draws) for e in self.entries)
        return self.level if level is None else check_level(level, fewest or None)

    def _average(self, asked: Sequence[Entry], x: Inputs, level: float, of: Of) -> Prediction:
        """The average of some laws by weight, with the interval of the mixture.

        What lies outside the runs is said once, of all laws and points, and not here.
        """
        centre = sum((e.weight * e.fit.law.loss(x) for e in asked), start=np.zeros(len(x)))
        pooled = [e.fit.draw(x, of, self.seed + k) for k, e in enumerate(asked)]
        shares = self._shares(asked)
        mixed = np.concatenate([_spread(d, n) for d, n in zip(pooled, shares, strict=True)])
        first = replace(asked[0].fit.law, box=None)
        made = summarise(x, np.asarray(centre), mixed, level, of, first, doubts_of_laws(asked, x))
        laws = [(e.weight, e.fit.identified, e.fit.coordinates) for e in asked]
        means = [loss_draws(e.fit.coordinates, e.fit.draws, x) for e in asked]
        alone = np.concatenate([_spread(d, n) for d, n in zip(means, shares, strict=True)])
        return widened(made, laws, alone, x)

    @property
    def withheld(self) -> str | None:
        """Reason not to use the averaged exponent, or None."""
        return withheld_of(self.entries, self.exponent())

    def exponent(self, level: float | None = None) -> tuple[float, float, float]:
        """The compute-optimal exponent of params averaged over laws: value, low, high.

        Laws without an optimum (their loss falls for ever along one axis) have none, and laws whose
        form allows one exponent only (alpha = beta) assume it instead of finding it: both are left
        out, as are laws of a weight below 0.05. NaN where no law is left; infinite ends where laws
        of half the weight or more leave it to a ridge; `withheld` where those that find one have
        less than half the weight.
        """
        level = self._level(level)
        asked = finds_exponent(self.entries)
        if not asked:
            return np.nan, np.nan, np.nan
        drawn = [
            _spread(e.fit.exponent_draws[:, None], count)[:, 0]
            for e, count in zip(asked, self._shares(asked), strict=True)
        ]
        low, high = np.nanquantile(np.concatenate(drawn), [(1 - level) / 2, (1 + level) / 2])
        weights = np.array([e.weight for e in asked]) / sum(e.weight for e in asked)
        values, lows, _ = np.array([e.fit.exponent for e in asked]).T
        if weights[np.isinf(lows)].sum() >= SHARE:
            low, high = -np.inf, np.inf
        return float(values @ weights), float(low), float(high)

    def save(self, path: str | Path, force: bool = False) -> Path:
        """Save the comparison as a JSON file, which `load` reads, and return its path."""
        return save(self, path, force)

    def _shares(self, asked: Sequence[Entry], total: int = 4000) -> list[int]:
        return [max(1, round(total * e.weight)) for e in asked]

    def sections(self) -> list[Section]:
        """The report as titled sections, for whoever prints it."""
        parts = [
            ranking_section(self.entries, self.rules),
            average_section(self.entries, self.exponent(), self.level),
            *residual_sections(self.entries),
        ]
        if self.refused:
            refused = tuple(f"{name}: {reason}" for name, reason in self.refused.items())
            parts.append(Section("Not defined on these runs", refused))
        said = (*map(str, self.warnings), *warnings_of_laws(self.entries))
        return [*parts, Section("Warnings", said or ("none",))]

    def __str__(self) -> str:
        return text(self.sections())


def _repeating(entry: Entry, x: Inputs) -> Entry:
    """The entry of a law with a term for repeated tokens where some point repeats them, and where
    it has or can take one."""
    law = repeating_where_able(entry.fit.law, x)
    same = law is entry.fit.law
    return entry if same else replace(entry, fit=replace(entry.fit, law=law))


def _spread(draws: Array, count: int) -> Array:
    """So many draws (count, n) that stand evenly for draws (S, n) of each point: their quantiles.

    The first ones of few replicates would make a law of small weight a matter of the seed. Points
    with draws that are undefined keep them as they come, since their share must be kept.
    """
    shares = (np.arange(count) + 0.5) / count
    known = np.isfinite(draws).all(axis=0)
    found = draws[np.arange(count) % len(draws)]
    found[:, known] = np.quantile(draws[:, known], shares, axis=0)
    return np.asarray(found)
