"""The verb ``score``: frozen forecasts against the runs that came after them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isoloss.files import load, real_number, shown_value
from isoloss.fits import Sample, as_sample, excluded_by_reason, gap_table, left_out_in_words
from isoloss.laws import Array, Mask
from isoloss.runs import Runs, as_runs, compact
from isoloss.scores.distribution import interval_score, log_score, probability
from isoloss.scores.frozen_forecast import Forecast
from isoloss.scores.ledgers import ledger
from isoloss.scores.problems import ScoreError
from isoloss.scores.scored import ForecastScore, Score, ScoredPoint

#: Usual tolerance of params and tokens, as a share.
TOLERANCE = 0.01


def score(
    forecasts: Forecast | str | Path | Sequence[Forecast],
    runs: Runs | Any,
    *,
    tolerance: float = TOLERANCE,
) -> Score:
    """How frozen forecasts did on runs that came after them.

    A run belongs to a point whose params and tokens are its own within the tolerance and whose
    precision is the same; each run is scored, and a point is the mean of its runs. A point whose
    runs differ in more than the seed, as in schedule, is left out, and the report says so, as it
    does of rows that cannot be used and of points with no other rows.

    Parameters
    ----------
    forecasts
        A forecast, a list of them, a file, or a folder of files: a ledger, whose chain of hashes is
        checked.
    runs
        Runs, or what `isoloss.runs.read` takes. For gaps the partners at the reference too.
    tolerance
        How far params and tokens may differ, as a share.

    Returns
    -------
    Score
        Coverage with its error, interval and log scores; printing it is the report.

    Raises
    ------
    ScoreError
        No point was run, or only in runs of several kinds or that cannot be used, the metric is
        another, the ledger is broken, or an argument is not accepted.
    FilesError
        A forecast was changed or cannot be read.
    """
    if not 0 <= real_number(tolerance) < 1:
        raise ScoreError(
            f"tolerance is {shown_value(tolerance)}; it is a share of params and tokens, as 0.01"
        )
    named = _named(forecasts)
    table = as_runs(runs)
    found = tuple(_scored(name, each, table, tolerance) for name, each in named)
    left_out = excluded_by_reason(table)
    if not any(one.points for one in found):
        if why := [each for one in found for each in (*one.mixed, *one.unusable)]:
            raise ScoreError(why[0])
        first, count = named[0][1], sum(len(each) for _, each in named)
        others = "".join(f"; {line}" for line in left_out_in_words(left_out))
        raise ScoreError(
            f"no run is one of the {count} points that were forecast, as "
            f"{first.params[0]:.4g} params on {first.tokens[0]:.4g} tokens in "
            f"'{first.precision[0]}', within {tolerance:g}{others}"
        )
    return Score(found, named[0][1].level, float(tolerance), left_out)


def _named(forecasts: Any) -> list[tuple[str, Forecast]]:
    """The forecasts that are meant, each with a name."""
    if isinstance(forecasts, str | Path):
        path = Path(forecasts)
        if path.is_dir():
            return list(ledger(path))
        value = load(path)
        if not isinstance(value, Forecast):
            kind = type(value).__name__.lower()
            raise ScoreError(f"'{path}' holds a {kind}; give a forecast or a folder of them")
        return [(path.name, value)]
    given = [forecasts] if isinstance(forecasts, Forecast) else forecasts
    if (
        not isinstance(given, Sequence)
        or not given
        or not all(isinstance(each, Forecast) for each in given)
    ):
        raise ScoreError(
            f"forecasts is {shown_value(forecasts)}; give a forecast, a file or a folder"
        )
    return [(each.hash[:12] or "not frozen", each) for each in given]


def _scored(name: str, found: Forecast, runs: Runs, tolerance: float) -> ForecastScore:
    seen = (
        _Seen.gaps(runs)
        if found.quantity == "gap"
        else _Seen.losses(as_sample(runs, takes_per=False))
    )
    if seen.sample.metric != found.metric:
        raise ScoreError(
            f"the forecast {name} is of {found.metric} and the losses of the runs are "
            f"{seen.sample.metric}"
        )
    points = [_point(found, k, seen, tolerance) for k in range(len(found))]
    told = tuple(each for each in points if isinstance(each, ScoredPoint))
    absent = [k for k, each in enumerate(points) if each is None]
    unusable = tuple(filter(None, (_unusable(found, k, seen, runs, tolerance) for k in absent)))
    own = bool(found.data) and found.data == runs.hash
    return ForecastScore(
        name, found.quantity, found.metric, found.made, found.hash, told,
        len(absent) - len(unusable), own,
        tuple(each for each in points if isinstance(each, str)), unusable,
    )  # fmt: skip


class _Seen:
    """What was run: losses of runs, or gaps of cells, and the runs themselves."""

    def __init__(
        self, params: Array, tokens: Array, precision: Sequence[str], value: Array, sample: Sample
    ):
        self.params, self.tokens, self.value = params, tokens, value
        self.precision = np.array(precision, dtype=object)
        self.sample = sample

    @classmethod
    def losses(cls, sample: Sample) -> _Seen:
        names = [str(sample.x.levels.items[k]) for k in sample.x.level]
        return cls(sample.x.params, sample.x.tokens, names, sample.loss, sample)

    @classmethod
    def gaps(cls, runs: Runs) -> _Seen:
        sample = as_sample(runs, unread=True, takes_per=False)
        cells = gap_table(runs).cells
        columns = [np.array([getattr(c, k) for c in cells]) for k in ("params", "tokens", "mean")]
        return cls(columns[0], columns[1], [c.precision for c in cells], columns[2], sample)

    def at(self, found: Forecast, k: int, tolerance: float) -> Mask:
        """Which of them belong to a point of a forecast."""
        return _near(self.params, self.tokens, self.precision, found, k, tolerance)


def _near(
    params: Array, tokens: Array, precision: NDArray[Any], found: Forecast, k: int, tolerance: float
) -> Mask:
    """Which rows have the params, tokens and precision of a point; unknown ones have not."""
    near = np.log1p(tolerance) + 1e-12
    with np.errstate(all="ignore"):
        return np.asarray(
            (np.abs(np.log(params / found.params[k])) <= near)
            & (np.abs(np.log(tokens / found.tokens[k])) <= near)
            & (precision == found.precision[k])
        )


def _unusable(found: Forecast, k: int, seen: _Seen, runs: Runs, tolerance: float) -> str | None:
    """Why a point that was run cannot be scored; None where it was not run."""
    point = _called(found, k)
    rows = runs.excluded
    mine = rows.take(_near(rows["params"], rows["tokens"], rows["precision"], found, k, tolerance))
    if len(mine):
        (why, count), *others = excluded_by_reason(mine).items()
        more = f" and {len(mine) - count} more" if others else ""
        return f"{point} were run and cannot be used: {why}{more}"
    if _Seen.losses(seen.sample).at(found, k, tolerance).any():
        return (
            f"{point} were run and have no gap: no usable run at the reference shares all but "
            "their precision"
        )
    return None


def _called(found: Forecast, k: int) -> str:
    return (
        f"{compact(found.params[k])} params on {compact(found.tokens[k])} tokens in "
        f"'{found.precision[k]}'"
    )


def _point(found: Forecast, k: int, seen: _Seen, tolerance: float) -> ScoredPoint | str | None:
    """One point of a forecast with what was run there; None where nothing was, and why where its
    runs are of several kinds.
    """
    values = seen.value[seen.at(found, k, tolerance)].tolist()
    if not values:
        return None
    rows = _Seen.losses(seen.sample).at(found, k, tolerance)
    if len(values) > 1 and (kinds := seen.sample.differing(rows)):
        column, told = next(iter(kinds.items()))
        return (
            f"{_called(found, k)} have runs that differ in {column} ({', '.join(told)}), which "
            f"are no seeds of one point; keep one with where({column}=...)"
        )
    low, high, row = float(found.low[k]), float(found.high[k]), found.quantiles[k]
    return ScoredPoint(
        float(found.params[k]), float(found.tokens[k]), found.precision[k],
        float(found.middle[k]), low, high, float(np.mean(values)), len(values),
        float(np.mean([low <= each <= high for each in values])),
        float(np.mean([interval_score(each, low, high, found.level) for each in values])),
        float(np.mean([log_score(each, row) for each in values])),
        float(np.mean([probability(each, row) for each in values])),
    )  # fmt: skip
