"""How forecasts did, as values: each point, each forecast, and all of them; prints itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isoloss.files import displayed, percent, save
from isoloss.fits import Section, left_out_in_words, loss_in_words, share_of, text
from isoloss.runs import compact, metric_of


@dataclass(frozen=True)
class ScoredPoint:
    """One point of a forecast that was run.

    Attributes
    ----------
    params, tokens, precision
        As they were predicted.
    middle, low, high
        The prediction and its interval.
    seen
        The mean of the runs there, or of the gaps of pairs.
    runs
        How many they are.
    inside
        Share of them inside the interval.
    interval_score, log_score
        Means over them.
    probability
        The predicted probability of less than was seen, mean over them: uniform over calibrated
        forecasts.
    """

    params: float
    tokens: float
    precision: str
    middle: float
    low: float
    high: float
    seen: float
    runs: int
    inside: float
    interval_score: float
    log_score: float
    probability: float


@dataclass(frozen=True)
class ForecastScore:
    """How one forecast did.

    Attributes
    ----------
    name
        Of its file or its hash.
    quantity, metric, made, hash
        As in the forecast.
    points
        Those that were run.
    unseen
        How many were not.
    is_own
        Whether the runs are the very table that was fitted.
    mixed
        Why points were left out whose runs are of several kinds, a sentence each.
    unusable
        Why points were left out whose runs cannot be used, a sentence each.
    """

    name: str
    quantity: str
    metric: str
    made: str
    hash: str
    points: tuple[ScoredPoint, ...]
    unseen: int
    is_own: bool
    mixed: tuple[str, ...] = ()
    unusable: tuple[str, ...] = ()

    @property
    def inside(self) -> float:
        """Share of the points inside their intervals; NaN without any."""
        return _mean([each.inside for each in self.points])

    @property
    def rms(self) -> float:
        """Root mean square of seen less predicted."""
        return math.sqrt(_mean([(each.seen - each.middle) ** 2 for each in self.points]))


@displayed
@dataclass(frozen=True, repr=False)
class Score:
    """How forecasts did. Prints itself.

    Attributes
    ----------
    forecasts
        One for each, in the order of the ledger.
    level
        Coverage that the intervals claim.
    tolerance
        How far params and tokens of runs may differ, as a share.
    left_out
        How many rows of the table cannot be used, by the reason.
    """

    forecasts: tuple[ForecastScore, ...]
    level: float
    tolerance: float
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def points(self) -> list[ScoredPoint]:
        """Every point that was run."""
        return [each for one in self.forecasts for each in one.points]

    @property
    def coverage(self) -> tuple[float, float]:
        """Share of the distinct points inside their intervals, and its standard error.

        A point that was forecast several times counts once, by its mean. Binomial over distinct
        points (Agresti and Coull 1998: all inside is no certainty); with three forecasts or more
        the larger of that and of the spread of forecasts, since points of one forecast miss
        together.
        """
        told = self.points
        if not told:
            return math.nan, math.nan
        units = self._units()
        weight = 1 / np.bincount(units)[units]
        inside, count = np.array([each.inside for each in told]), self.distinct
        p, error = share_of(float(weight @ inside), count)
        of = np.repeat(np.arange(len(self.forecasts)), [len(f.points) for f in self.forecasts])
        n = len(set(of.tolist()))
        if n > 2:
            # The mean over points is a ratio of sums over forecasts.
            off = np.bincount(of, weight * (inside - p))
            error = max(error, math.sqrt(n / (n - 1) * float(off @ off)) / count)
        return p, error

    @property
    def distinct(self) -> int:
        """How many points differ in what was run: one that is forecast twice is one."""
        return len(set(self._units().tolist()))

    def _units(self) -> NDArray[np.intp]:
        """The distinct point that each point is, shape (n,): of one quantity and precision, params
        and tokens that the same runs lie at, and the same seen of them.
        """
        firsts: list[tuple[str, ScoredPoint]] = []
        units = []
        for quantity, each in ((one.quantity, p) for one in self.forecasts for p in one.points):
            found = (k for k, (of, first) in enumerate(firsts)
                     if of == quantity and _is_same(first, each, self.tolerance))  # fmt: skip
            k = next(found, len(firsts))
            if k == len(firsts):
                firsts.append((quantity, each))
            units.append(k)
        return np.array(units, dtype=np.intp)

    @property
    def interval_score(self) -> float:
        """Mean interval score of the points."""
        return _mean([each.interval_score for each in self.points])

    @property
    def log_score(self) -> float:
        """Mean log density of the points."""
        return _mean([each.log_score for each in self.points])

    def save(self, path: str | Path, force: bool = False) -> Path:
        """Write it as a JSON file, which `load` reads; FilesError where that cannot be."""
        return save(self, path, force)

    def sections(self) -> list[Section]:
        """The report: all forecasts, each of them, each point."""
        return [self._of_all(), self._by_forecast(), self._by_point()]

    def _of_all(self) -> Section:
        told = self.points
        mixed = [f"left out, {f.name}: {why}" for f in self.forecasts
                 for why in (*f.mixed, *f.unusable)]  # fmt: skip
        count = len(told) + len(mixed)
        lines = [f"{count} of {count + sum(f.unseen for f in self.forecasts)} points were "
                 f"run, params and tokens within {percent(self.tolerance)}"]  # fmt: skip
        if told:
            share, error = self.coverage
            lines += [
                f"in the {percent(self.level)} interval: {100 * share:.1f}% (standard error "
                f"{100 * error:.1f}%)",
                f"interval score {self.interval_score:.4f} (lower is better), log score "
                f"{self.log_score:.3f} (higher is better)",
            ]
        if self.distinct < len(told):
            lines.append(
                f"{self.distinct} of the {len(told)} scored points are distinct: one that was "
                "forecast several times counts once in the share and its standard error"
            )
        lines += [
            f"warning, {one.name}: these runs are the table that it was fitted to"
            for one in self.forecasts
            if one.is_own
        ]
        lines += [*mixed, *left_out_in_words(self.left_out)]
        return Section("How the forecasts did", tuple(lines))

    def _by_forecast(self) -> Section:
        head = ("forecast", "made", "of", "points", "not run", "left out", "inside", "rms error",
                "interval score", "log score")  # fmt: skip
        rows = tuple(
            (one.name, one.made, f"{one.quantity} ({metric_of(one.metric).short})",
             str(len(one.points)), str(one.unseen), str(len(one.mixed) + len(one.unusable)),
             _said(one.inside, "{:.0%}".format),
             _said(one.rms if one.points else math.nan, "{:.4f}".format),
             _said(_mean([p.interval_score for p in one.points]), "{:.4f}".format),
             _said(_mean([p.log_score for p in one.points]), "{:.3f}".format))
            for one in self.forecasts
        )  # fmt: skip
        return Section("Forecast by forecast", (), head, rows)

    def _by_point(self) -> Section:
        rows = tuple(
            (compact(p.params), compact(p.tokens), p.precision,
             *map(loss_in_words, (p.middle, p.low, p.high, p.seen)), str(p.runs),
             "yes" if p.inside == 1 else "no" if p.inside == 0 else f"{p.inside:.0%}")
            for p in self.points
        )  # fmt: skip
        head = ("params", "tokens", "precision", "predicted", "low", "high", "seen", "runs",
                "inside")  # fmt: skip
        return Section("Point by point", (), head, rows)

    def __str__(self) -> str:
        return text(self.sections())


def _is_same(one: ScoredPoint, other: ScoredPoint, tolerance: float) -> bool:
    """Whether two points of one quantity were met by the same runs."""
    near = 2 * math.log1p(tolerance) + 1e-12
    return (
        (one.precision, one.runs, one.seen) == (other.precision, other.runs, other.seen)
        and abs(math.log(one.params / other.params)) <= near
        and abs(math.log(one.tokens / other.tokens)) <= near
    )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else math.nan


def _said(value: float, write: Callable[[float], str]) -> str:
    return write(value) if value == value else "-"
