"""The verb ``gauge``: a run under way beside its control.

Run and control see the same batches, so that the noise of their difference is a small part of
that of either loss. The false alarms over the whole run, `alarm`, are shared out: half to the
interval of the expected gap, whose ends are the bounds, half to the tests of `sequential` against
them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from isoloss.files import real_number
from isoloss.fits.arguments import FitError, check_level, shown
from isoloss.fits.gauging.expectation import Expectation, given_gap, predicted_gap
from isoloss.fits.gauging.gauge_values import Found, Gauge, Verdict
from isoloss.fits.gauging.paired_logs import PairedLogs, paired_logs
from isoloss.fits.gauging.sequential import (
    block_ends,
    block_means,
    found_at,
    inflation,
    smallest_found,
)
from isoloss.fits.gauging.trend import AHEAD, Crossing, crossing
from isoloss.laws import Array
from isoloss.runs import TrainingLog, read_log

#: Blocks below which nothing is said.
LEAST_BLOCKS = 4
#: Blocks of the later half, whose spread is the error of its mean.
LATER = 16
#: Block means that differ by less, in nats per token, differ by rounding of the sums alone.
NO_SPREAD = 1e-12
Log = TrainingLog | str | Path
#: By verdict the sign of the excess, the bound at each row, and the false alarms.
Bounds = dict[Verdict, tuple[float, Array, float]]


def gauge(
    run: Log,
    against: Log,
    *,
    fit: Any = None,
    params: Any = None,
    precision: Any = None,
    expected: float | Expectation | None = None,
    error: float | None = None,
    limit: float | None = None,
    planned: float | None = None,
    batch_tokens: float | None = None,
    alarm: float = 0.05,
    level: float = 0.9,
    columns: Mapping[str, str] | None = None,
) -> Gauge:
    """Say whether a run under way is as predicted, worse than rounding explains, or better than its
    control.

    Parameters
    ----------
    run, against
        Logs of the run and of its control, a run at the reference on the same batches: files that
        may still grow, trackers, or what `isoloss.runs.read_log` gave.
    fit, params, precision
        A fit (of gaps, or of losses with precisions in it) that predicts the gap, and the model and
        precision of the run.
    expected, error
        In place of a fit: the gap that is expected, in nats per token, and its standard error.
        Without either, the run is tested against the control alone.
    limit
        A gap, as that at which a recipe no longer pays: where will it be crossed?
    planned
        Tokens of the whole run; those of the longer log unless given.
    batch_tokens
        Tokens of a step, where a log counts steps alone; one that counts tokens too must agree.
    alarm
        Chance of a false alarm over the whole run, however often one looks.
    level
        Coverage of the intervals of gap and crossing, 0.9 = 90%.
    columns
        Names of the columns step, tokens and loss in files.

    Returns
    -------
    Gauge
        The verdict, when it was found, the gap so far, and the smallest that would have been found.

    Raises
    ------
    RunsError
        A log cannot be read.
    FitError
        Steps or tokens of the logs do not match, or contradict `batch_tokens`, the control
        diverged, or an argument is not accepted.
    """
    alarm, level = _check_alarm(alarm), check_level(level)
    if fit is not None and expected is not None:
        raise FitError("fit and expected both say which gap to expect; give one of the two")
    if fit is None and (params is not None or precision is not None):
        raise FitError("params and precision say what a fit is asked for, and none is given")
    if limit is not None and not np.isfinite(real_number(limit)):
        raise FitError(f"limit is {shown(limit)}; it is a gap in nats per token, as 0.02")
    for name, count in (("planned", planned), ("batch_tokens", batch_tokens)):
        if count is not None and not 0 < real_number(count) < np.inf:
            raise FitError(f"{name} is {shown(count)}; it is a count of tokens above 0")
    one, two = (e if isinstance(e, TrainingLog) else read_log(e, columns) for e in (run, against))
    paired = paired_logs(one, two, batch_tokens, planned)
    wanted = _expected(paired, expected, error, alarm)
    if fit is not None:
        paired.check_tokens()
        # Nothing is predicted of no tokens, and a run that diverged at once has no rows.
        begin = float(paired.tokens[paired.tokens > 0].min(initial=paired.whole))
        span = begin, max(paired.whole, AHEAD * float(paired.tokens.max(initial=0.0)))
        wanted = predicted_gap(fit, params, precision, span, alarm)
    return _gauged(paired, wanted, limit, alarm, level)


def _check_alarm(alarm: Any) -> float:
    """The chance of a false alarm as a number; FitError for what is no share."""
    if not 0 < real_number(alarm) < 1:
        raise FitError(f"alarm is {shown(alarm)}; it is a share between 0 and 1, as 0.05")
    return float(alarm)


def _expected(
    paired: PairedLogs, expected: float | Expectation | None, error: float | None, alarm: float
) -> Expectation | None:
    """The gap that is given, None where none is."""
    if expected is None:
        if error is not None:
            raise FitError(f"error is {shown(error)} and no gap is expected; give both")
        return None
    if not isinstance(expected, Expectation):
        return given_gap(expected, error, alarm)
    if expected.grows:
        paired.check_tokens()
    return expected


def _gauged(
    paired: PairedLogs, wanted: Expectation | None, limit: float | None, alarm: float, level: float
) -> Gauge:
    """The tests, and what is known of the gap."""
    bounds = _bounds(paired.tokens, wanted, alarm)
    first = _telling(_found(paired, bounds))
    worse = next(iter(bounds.values()))
    last = len(paired.gap) - 1
    high = float(worse[1][last]) if last >= 0 else math.nan
    begins = (0, len(paired.gap) // 2)
    least = [
        math.nan if paired.equal else high + smallest_found(paired.gap - worse[1], worse[2], begin)
        for begin in begins
    ]
    ahead = None if limit is None or paired.equal else _crossing(paired, wanted, limit, level)
    return Gauge(
        paired=paired,
        verdict=_nothing(paired, wanted) if first is None else first.verdict,
        found=first,
        gap=_later_half(paired.gap, level),
        expected=wanted,
        smallest=least[0],
        smallest_late=least[1],
        crossing=ahead,
        limit=limit,
        alarm=alarm,
        level=level,
    )


def _found(paired: PairedLogs, bounds: Bounds) -> list[Found]:
    """What the tests have found."""
    if paired.diverged is not None:
        return [Found("diverged", paired.diverged)]
    found: list[Found] = []
    for verdict, (sign, bound, share) in bounds.items():
        at = None if paired.equal else found_at(sign * (paired.gap - bound), share)
        if at is not None:
            found.append(Found(verdict, float(paired.tokens[at])))
    return found


def _nothing(paired: PairedLogs, wanted: Expectation | None) -> Verdict:
    """The verdict where nothing was found."""
    if len(block_ends(len(paired.gap))) < LEAST_BLOCKS:
        return "too early"
    if paired.equal:
        return "equal to the control"
    return "no gap found" if wanted is None else "as predicted"


def _telling(found: Sequence[Found]) -> Found | None:
    """What was found first; below zero says more than below the prediction, and stands for it."""
    first = min(found, key=lambda each: each.tokens, default=None)
    if first is not None and first.verdict == "less than predicted":
        return next((e for e in found if e.verdict == "better than the reference"), first)
    return first


def _bounds(tokens: Array, wanted: Expectation | None, alarm: float) -> Bounds:
    """What is tested: the sign of the excess, the bound at each row, and the false alarms."""
    none = np.zeros(len(tokens))
    if wanted is None:
        return {
            "worse than the reference": (1.0, none, alarm / 2),
            "better than the reference": (-1.0, none, alarm / 2),
        }
    _, low, high = wanted.at(tokens)
    return {
        "worse than rounding explains": (1.0, high, alarm / 4),
        "less than predicted": (-1.0, low, alarm / 8),
        "better than the reference": (-1.0, none, alarm / 8),
    }


def _later_half(gap: Array, level: float) -> tuple[float, float, float]:
    """Mean gap of the later half of the rows with its interval, of this one look; NaN ends where
    there are too few blocks, or all have one mean.
    """
    half = gap[len(gap) // 2 :]
    if not len(half):
        return math.nan, math.nan, math.nan
    size = max(1, len(half) // LATER)
    means = half[len(half) % size :].reshape(-1, size).mean(1)
    n, mean = len(means), float(half.mean())
    if n < LEAST_BLOCKS or np.ptp(means) < NO_SPREAD:
        return mean, math.nan, math.nan
    error = math.sqrt(float(means.var(ddof=1)) / n * inflation(means))
    reach = float(stats.t.ppf((1 + level) / 2, n - 1)) * error
    return mean, mean - reach, mean + reach


def _crossing(
    paired: PairedLogs, wanted: Expectation | None, limit: float, level: float
) -> Crossing | None:
    ends = block_ends(len(paired.gap))
    rows = np.diff(ends, prepend=0)
    shape = None
    if wanted is not None and wanted.grows:
        grown = wanted
        shape = lambda tokens: grown.at(tokens)[0]  # noqa: E731
    return crossing(block_means(paired.tokens), block_means(paired.gap), rows, limit, level, shape)
