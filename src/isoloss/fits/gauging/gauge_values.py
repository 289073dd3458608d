"""What the gauge says of a run under way, as a value that prints itself."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from isoloss.files import displayed, percent
from isoloss.fits.gauging.expectation import Expectation
from isoloss.fits.gauging.paired_logs import PairedLogs
from isoloss.fits.gauging.trend import LEAST, Crossing
from isoloss.fits.sections import Section, signed, text
from isoloss.runs import compact

Verdict = Literal[
    "as predicted",
    "worse than rounding explains",
    "less than predicted",
    "better than the reference",
    "worse than the reference",
    "no gap found",
    "diverged",
    "equal to the control",
    "too early",
]


@dataclass(frozen=True)
class Found:
    """What was found, and where: tokens, or steps where the logs have no tokens."""

    verdict: Verdict
    tokens: float


@displayed
@dataclass(frozen=True, repr=False, eq=False)
class Gauge:
    """A run under way beside its control.

    Attributes
    ----------
    paired
        The rows that both logs have.
    verdict
        What was found first, or that nothing was: "as predicted", "no gap found" where no gap was
        expected, "too early" where there are too few steps, "equal to the control" where all losses
        are, which tells nothing.
    found
        The verdict with the tokens at which it was found; None where nothing was.
    gap
        Mean of the later half of the rows and the ends of its interval, of this one look; NaN ends
        where there are too few blocks, or all have one mean.
    expected
        The gap that is expected; None where the control alone was given.
    smallest, smallest_late
        The constant gap, nats per token, that would have been found by now if noise were as it is,
        from the start and over the later half of the rows alone; a fault that adds less is not told
        from rounding. NaN where none would.
    crossing
        Where the limit is crossed; None where none was given, blocks are too few or all losses are
        equal.
    limit
        The gap that was asked for, if any.
    alarm
        Chance of a false alarm over the whole run.
    level
        Coverage of the intervals of gap and crossing, 0.9 = 90%.
    """

    paired: PairedLogs
    verdict: Verdict
    found: Found | None
    gap: tuple[float, float, float]
    expected: Expectation | None
    smallest: float
    smallest_late: float
    crossing: Crossing | None
    limit: float | None
    alarm: float
    level: float

    @property
    def found_share(self) -> float | None:
        """The share of the tokens of the whole run at which it was found."""
        return None if self.found is None else self.found.tokens / self.paired.whole

    def sections(self) -> list[Section]:
        """The report."""
        return [Section("The run beside its control", tuple(self._lines()))]

    def _lines(self) -> Iterator[str]:
        paired, unit = self.paired, self.paired.unit
        yield f"verdict: {self.verdict}{self._where()}"
        yield (
            f"false alarms over the whole run: at most {percent(self.alarm)}, however often one "
            "looks"
        )
        seen = float(paired.tokens[-1]) if len(paired.tokens) else 0.0
        yield (
            f"seen: {len(paired.gap)} steps of {paired.run} and {paired.control}, "
            f"{compact(seen)} of {compact(paired.whole)} {unit} ({seen / paired.whole:.0%})"
        )
        if paired.equal:
            yield (
                f"{paired.run} and {paired.control} have the same loss at all {len(paired.gap)} "
                "steps: one log given twice, or a run that rounds nothing; this tells nothing of a "
                "gap"
            )
        else:
            yield from self._gaps(seen)
            yield from self._crossing()
        yield from paired.notes
        if self.expected is not None:
            yield from (f"warning, {each}" for each in self.expected.warnings)

    def _where(self) -> str:
        if self.found is None:
            return ""
        share = f"{self.found_share:.0%}" if self.found_share is not None else ""
        at = f"{compact(self.found.tokens)} {self.paired.unit}"
        return (
            f", found at {at} ({share} of the run)" if self.verdict != "diverged" else f" at {at}"
        )

    def _gaps(self, seen: float) -> Iterator[str]:
        mean, low, high = self.gap
        if not math.isnan(mean):
            ends = (
                "no interval: too few steps, or all of one gap"
                if math.isnan(low)
                else f"{percent(self.level)} interval {signed(low, 4)} to {signed(high, 4)}"
            )
            yield f"gap in the later half of these: {signed(mean, 4)} ({ends})"
        if self.expected is not None and seen:
            gap, below, above = (
                float(each[0]) for each in self.expected.at(self.paired.tokens[-1:])
            )
            yield (
                f"expected here: {signed(gap, 4)} ({signed(below, 4)} to {signed(above, 4)}), "
                f"{self.expected.said}"
            )
        if self.found is None and low > self._above():
            chance = percent((1 - self.level) / 2)
            yield (
                "the interval of the later half lies above "
                f"{'no gap' if self.expected is None else 'what is expected there'}, "
                f"as one look at a run as predicted does in up to {chance}: the test has not found "
                "a gap by now"
            )
        least = [
            f"{signed(each, 4)} nats per token" if not math.isnan(each) else "not known"
            for each in (self.smallest, self.smallest_late)
        ]
        yield (
            f"smallest gap that would have been found by now: {least[0]} from the start, "
            f"{least[1]} over the later half alone"
        )

    def _above(self) -> float:
        """The mean upper end of what is expected over the later half; 0, no gap, where nothing
        is.
        """
        if self.expected is None:
            return 0.0
        later = self.paired.tokens[len(self.paired.tokens) // 2 :]
        return float(np.mean(self.expected.at(later)[2])) if len(later) else math.nan

    def _crossing(self) -> Iterator[str]:
        if self.limit is None:
            return
        head = f"gap of {self.limit:g}"
        if self.crossing is None:
            yield f"{head}: not held, fewer than {LEAST} blocks of steps"
            return
        unit, since, until = self.paired.unit, self.crossing.since, self.crossing.until
        at, low, high = (
            f"beyond {compact(until)}"
            if math.isinf(each)
            else f"before {compact(since)}"
            if each <= since
            else compact(each)
            for each in (self.crossing.tokens, self.crossing.low, self.crossing.high)
        )
        if math.isinf(self.crossing.low):
            yield f"{head}: not crossed up to {compact(until)} {unit}, ten times what was seen"
        elif self.crossing.high <= since:
            yield f"{head}: the gap lay above it from the start (before {compact(since)} {unit})"
        else:
            yield f"{head} crossed: {at} {unit} ({percent(self.level)} interval {low} to {high})"

    def __str__(self) -> str:
        return text(self.sections())
