"""What precisions cost, as values that print themselves: gaps by cell, by precision, in a table."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from isoloss.files import displayed
from isoloss.fits.paired_gaps.gap_growth import Growth
from isoloss.fits.paired_gaps.paired import Slope
from isoloss.fits.sample import left_out_in_words
from isoloss.fits.sections import Section, number, signed, text
from isoloss.runs import compact, metric_of

#: A gap is resolved where it would be found to differ from zero by a two-sided test of this level.
TEST = 0.95
#: What an exponent is of where params and tokens cannot be told apart.
WORDS = {"together": "tokens, params growing with them", "tokens per param": "tokens per param"}


@dataclass(frozen=True)
class CellGap:
    """The mean gap of a precision in one cell.

    Attributes
    ----------
    precision
        Its spelling.
    params, tokens, schedule
        The cell.
    pairs
        Pairs of runs, one a seed.
    mean
        Mean gap, in the unit of the loss.
    error
        Its standard error over seeds; NaN with one seed.
    """

    precision: str
    params: float
    tokens: float
    schedule: str
    pairs: int
    mean: float
    error: float


@dataclass(frozen=True)
class PrecisionGap:
    """The gaps of a precision under one schedule.

    Attributes
    ----------
    precision, schedule
        Their spelling and name.
    cells, pairs
        Counts.
    mean
        Mean of the cells, in the unit of the loss.
    error
        Its standard error over paired seeds; NaN where a cell has one seed.
    resolved
        The smallest gap that one cell would tell from none.
    growth
        How the gap grows with tokens and params, or the sentence why that is not known.
    """

    precision: str
    schedule: str
    cells: int
    pairs: int
    mean: float
    error: float
    resolved: float
    growth: Growth | str

    @property
    def after(self) -> bool:
        """Whether it is of rounding after training."""
        return "->" in self.precision


@displayed
@dataclass(frozen=True, repr=False)
class GapTable:
    """Paired gaps: loss at a precision less loss at the reference, all else equal.

    Attributes
    ----------
    level
        Coverage of intervals, 0.9 = 90%.
    noise
        Standard deviation over seeds of the loss of reference runs in one cell.
    freedom
        Its degrees of freedom.
    cells
        The gaps cell by cell.
    precisions
        The gaps by precision and schedule.
    schedules
        Names of the learning-rate schedules.
    differences
        Exponents under the first schedule less those under the second, by precision and name.
    left_out
        How many runs no gap is made of, by the reason.
    metric
        What the losses are: "nats" per token or "excess_risk".
    pooled
        How many gaps are to the mean of several runs at the reference that are equal in every
        column of the table.
    absent
        Columns by which such runs might differ, which the table has not.
    """

    level: float
    noise: float
    freedom: int
    cells: tuple[CellGap, ...]
    precisions: tuple[PrecisionGap, ...]
    schedules: tuple[str, ...]
    differences: dict[tuple[str, str], Slope]
    left_out: dict[str, int] = field(default_factory=dict)
    metric: str = "unknown"
    pooled: int = 0
    absent: tuple[str, ...] = ()

    def of(self, precision: str, schedule: str | None = None) -> PrecisionGap:
        """The gaps of one precision. Raises KeyError for one that the table lacks."""
        for each in self.precisions:
            if each.precision == precision and schedule in (None, each.schedule):
                return each
        raise KeyError(
            f"there are no pairs of {precision!r}; precisions are "
            f"{', '.join(p.precision for p in self.precisions)}"
        )

    def sections(self) -> list[Section]:
        """The report: costs in training and after it, how they grow, and cell by cell."""
        return [*self._stages(), *self._differences(), self._by_cell()]

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is to be known of the rows: which were left out, which stand for several."""
        return (*left_out_in_words(self.left_out), *self._pooled())

    def _pooled(self) -> Iterator[str]:
        if self.pooled:
            lacks = f" (it has no {', '.join(self.absent)})" if self.absent else ""
            yield (
                f"{self.pooled} gaps are to the mean of several runs at the reference that are "
                f"equal in every column of the table{lacks}: repeats, or runs that differ in what "
                "it does not say"
            )

    def _stages(self) -> Iterator[Section]:
        unit = metric_of(self.metric)
        if math.isfinite(self.noise):
            seeds = (
                "losses of equal reference runs differ by "
                f"{unit.amount(f'{self.noise:.4f}')} between seeds "
                f"({self.freedom} degrees of freedom)"
            )
        else:
            seeds = "one seed: neither the noise between seeds nor any error over them is known"
        for after, title in (
            (False, "What a precision costs in training"),
            (True, "What it costs after training"),
        ):
            rows = [p for p in self.precisions if p.after == after]
            if rows:
                lines = (
                    *self.remarks,
                    seeds,
                    "mean of the cells with its standard error over paired seeds; resolved: the "
                    f"smallest gap that one cell would tell from none ({TEST:.0%}, two-sided)",
                    f"gap ~ tokens^d params^-n by Poisson pseudo-likelihood, {self.level:.0%} "
                    "intervals by jackknife over trajectories",
                )
                head = (
                    "precision",
                    "schedule",
                    "cells",
                    "pairs",
                    "gap",
                    "se",
                    "resolved",
                    "d",
                    "n",
                )
                yield Section(title, lines, head, tuple(_row(p, self.level) for p in rows))

    def _differences(self) -> Iterator[Section]:
        if self.differences:
            one, two = self.schedules[:2]
            rows = tuple(
                (precision, name, _interval(slope, self.level))
                for (precision, name), slope in self.differences.items()
            )
            lines = (
                f"exponent under {one} less exponent under {two}, the same trajectories left out "
                "of both",
            )
            yield Section(
                "Decay against none", lines, ("precision", "exponent of", "difference"), rows
            )

    def _by_cell(self) -> Section:
        rows = tuple(
            (
                c.precision,
                c.schedule,
                compact(c.params),
                compact(c.tokens),
                f"{c.tokens / c.params:.3g}",
                str(c.pairs),
                signed(c.mean, 4),
                number(c.error, 2),
            )
            for c in self.cells
        )
        head = (
            "precision",
            "schedule",
            "params",
            "tokens",
            "tokens per param",
            "pairs",
            "gap",
            "se",
        )
        return Section("Cell by cell", (), head, rows)

    def __str__(self) -> str:
        return text(self.sections())


def _row(p: PrecisionGap, level: float) -> tuple[str, ...]:
    if isinstance(p.growth, str):
        grown = (p.growth, "")
    elif one := p.growth.slopes.keys() & {"together", "tokens per param"}:
        (name,) = one
        grown = (f"{_interval(p.growth.slopes[name], level)} in {WORDS[name]}", "")
    else:
        d, n = (p.growth.slopes.get(name) for name in ("tokens", "params"))
        minus = None if n is None else Slope(-n.value, n.error, n.freedom)
        grown = (_interval(d, level), _interval(minus, level))
    counts = p.precision, p.schedule, str(p.cells), str(p.pairs)
    return (*counts, signed(p.mean, 4), number(p.error, 2), number(p.resolved, 2), *grown)


def _interval(slope: Slope | None, level: float) -> str:
    if slope is None:
        return "-"
    value, low, high = (signed(each, 2) for each in (slope.value, *slope.interval(level)))
    return f"{value} ({low} to {high})"
