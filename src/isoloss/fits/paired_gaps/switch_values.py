"""What decay and a switch of precision do to a gap, as values that print themselves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from isoloss.fits.arguments import FitError
from isoloss.fits.paired_gaps.paired import Slope
from isoloss.fits.sections import NOT_HELD, Section, number, signed, text
from isoloss.laws import Array
from isoloss.runs import compact

#: Speeds over the reference that the report asks for.
SPEEDS = (1.2, 1.5, 2.0)


@dataclass(frozen=True)
class Decayed:
    """The gap of a precision at a held and at a decayed rate.

    Attributes
    ----------
    precision
        Its spelling.
    cells, pairs
        Counts of params and tokens that have both, and of pairs of runs.
    held, decayed
        Mean gaps, in the unit of the loss.
    less
        Decayed less held, with its error over trajectories.
    ratio
        Decayed over held.
    """

    precision: str
    cells: int
    pairs: int
    held: float
    decayed: float
    less: Slope
    ratio: Slope


@dataclass(frozen=True)
class Kept:
    """What a switch to the reference leaves of a gap in one cell.

    Attributes
    ----------
    precision, schedule, params, tokens
        The cell; the precision is that before the switch.
    percent
        Of the training, from which the reference is trained.
    pairs
        Trajectories.
    whole, left
        Mean gaps without and with the switch.
    share
        Left over whole, with its error over trajectories.
    """

    precision: str
    schedule: str
    params: float
    tokens: float
    percent: float
    pairs: int
    whole: float
    left: float
    share: Slope


@dataclass(frozen=True)
class Fading:
    """How damage fades once the reference is trained: q(t) = (1 - at_once) e^(-t / T).

    Attributes
    ----------
    log_tokens
        Logarithm of T, tokens, with its error.
    at_once
        The part of a gap that goes with the rounding itself, with its error.
    at_edge
        Whether T lies at the edge of what is looked for, so that it is not held.
    """

    log_tokens: Slope
    at_once: Slope
    at_edge: bool

    @property
    def tokens(self) -> float:
        """T: the tokens over which damage fades to 1 / e."""
        return math.exp(self.log_tokens.value)

    def interval(self, level: float = 0.9) -> tuple[float, float]:
        """The Student-t interval of T; NaN with one trajectory."""
        low, high = self.log_tokens.interval(level)
        return math.exp(low), math.exp(high)

    def left(self, after: Array | float) -> Array:
        """The share of a gap that is left after so many tokens at the reference."""
        faded = np.exp(-np.asarray(after, dtype=float) / self.tokens)
        return np.asarray((1 - self.at_once.value) * faded)


@dataclass(frozen=True)
class Switch:
    """The best switch at equal hours.

    Attributes
    ----------
    speedup
        How many times as fast the low precision is.
    percent
        Where to switch, from the first percent that was tried on: 100 never, 0 the reference alone.
    gain
        Loss that it wins over never switching, 0 or more.
    regret_of_reference
        Loss that training in the reference alone has above it.
    """

    speedup: float
    percent: float
    gain: float
    regret_of_reference: float


@dataclass(frozen=True, repr=False)
class ScheduleEffects:
    """What decay and switches do to gaps.

    Attributes
    ----------
    level
        Coverage of intervals, 0.9 = 90%.
    decays
        Held and decayed gaps by cell.
    kept
        What each switch leaves by cell.
    fadings
        How damage fades, by precision, schedule and params.
    slopes
        The loss that a factor e of tokens is worth at the reference, by schedule and params.
    """

    level: float
    decays: tuple[Decayed, ...]
    kept: tuple[Kept, ...]
    fadings: Mapping[tuple[str, str, float], Fading]
    slopes: Mapping[tuple[str, float], float]

    def best_switch(self, precision: str, schedule: str, speedup: float) -> Switch:
        """Where to switch to the reference, at equal hours and at the longest runs of the table.

        Parameters
        ----------
        precision, schedule
            Of runs that change, as the table has them.
        speedup
            Tokens a second over those of the reference, above 0.

        Raises
        ------
        FitError
            The table has no such runs, they do not hold how damage fades, or the reference has one
            length, so that nothing is known of what tokens are worth.
        """
        if not 0 < speedup < math.inf:
            raise FitError(f"speedup is {speedup:g}; accepted is a number above 0")
        own = [e for e in self.kept if (e.precision, e.schedule) == (precision, schedule)]
        cell = max(own, key=lambda each: (each.params, each.tokens), default=None)
        fading = None if cell is None else self.fadings.get((precision, schedule, cell.params))
        if cell is None or fading is None or fading.at_edge:
            known = [f"'{p}' ({s})" for (p, s, _), f in self.fadings.items() if not f.at_edge]
            raise FitError(
                f"the runs do not hold how damage of '{precision}' ({schedule}) fades; they do of "
                f"{', '.join(dict.fromkeys(known)) or 'none'}"
            )
        worth = self.slopes.get((schedule, cell.params))
        if worth is None:
            raise FitError(
                "runs at the reference have one length, so nothing is known of what tokens are "
                "worth; add runs of another length"
            )
        first = min(each.percent for each in own) / 100
        shares = np.linspace(first, 1.0, 1001)
        longer = shares + speedup * (1 - shares)
        left = fading.left((1 - shares) * cell.tokens / longer)
        loss = worth * np.log(longer) - np.where(shares < 1, 1 - left, 0.0) * cell.whole
        alone = float(worth * math.log(speedup) - cell.whole)
        k = int(np.argmin(loss))
        best = min(float(loss[k]), alone)
        percent = 100 * float(shares[k]) if loss[k] <= alone else 0.0
        return Switch(speedup, percent, -best, alone - best)

    def sections(self) -> list[Section]:
        """The report: decay, switches, and the best switch at equal hours."""
        return [*self._decays(), *self._kept(), *self._best()]

    def _decays(self) -> Iterator[Section]:
        if self.decays:
            lines = (
                "mean gaps of the same trajectories at a held rate and after it has decayed, "
                f"{self.level:.0%} intervals by jackknife over trajectories",
            )
            head = ("precision", "cells", "pairs", "held", "decayed", "difference",
                    "decayed / held")  # fmt: skip
            rows = tuple(
                (e.precision, str(e.cells), str(e.pairs), signed(e.held, 4), signed(e.decayed, 4),
                 _within(e.less, self.level, 2), _within(e.ratio, self.level, 3))
                for e in self.decays
            )  # fmt: skip
            yield Section("What the decay of the rate does to a gap", lines, head, rows)

    def _kept(self) -> Iterator[Section]:
        if not self.kept:
            return
        lines = [
            "left: gap of a run that changes to the reference over that of one that does not; "
            "faded: what a part that goes at once and T tokens leave of it",
        ]
        for (precision, schedule, params), fading in self.fadings.items():
            place = f"{precision}, {schedule}, {compact(params)} params"
            lines.append(f"{place}: {self._faded(fading)}")
        head = ("precision", "schedule", "params", "tokens", "from", "pairs", "gap", "left",
                "share", "faded")  # fmt: skip
        rows = tuple(
            (e.precision, e.schedule, compact(e.params), compact(e.tokens), f"{e.percent:g}%",
             str(e.pairs), signed(e.whole, 4), signed(e.left, 4), _within(e.share, self.level, 2),
             self._left(e))
            for e in self.kept
        )  # fmt: skip
        yield Section("What a switch to the reference leaves of a gap", tuple(lines), head, rows)

    def _faded(self, fading: Fading) -> str:
        if fading.at_edge:
            return f"T {NOT_HELD}"
        low, high = fading.interval(self.level)
        told = f" ({compact(low)} to {compact(high)})" if math.isfinite(low) else ""
        at_once = _within(fading.at_once, self.level, 2)
        return f"at once {at_once}, T {compact(fading.tokens)} tokens{told}"

    def _left(self, cell: Kept) -> str:
        fading = self.fadings.get((cell.precision, cell.schedule, cell.params))
        if fading is None or fading.at_edge:
            return NOT_HELD
        return number(float(fading.left((1 - cell.percent / 100) * cell.tokens)), 2)

    def _best(self) -> Iterator[Section]:
        rows = []
        for precision, schedule in dict.fromkeys((p, s) for p, s, _ in self.fadings):
            for speedup in SPEEDS:
                try:
                    best = self.best_switch(precision, schedule, speedup)
                except FitError:
                    continue
                rows.append(
                    (precision, schedule, f"{speedup:g}", f"{best.percent:.0f}%",
                     f"{best.gain:.4f}", f"{best.regret_of_reference:.4f}")
                )  # fmt: skip
        if rows:
            lines = (
                "at equal hours and the longest runs, from the first percent tried on; speed: "
                "tokens a second over the reference's; 100% is never, 0% the reference alone",
            )
            head = ("precision", "schedule", "speed", "switch from", "won over never",
                    "lost by the reference alone")  # fmt: skip
            yield Section("The best switch at equal hours", lines, head, tuple(rows))

    def __str__(self) -> str:
        return text(self.sections())

    __repr__ = __str__


def _within(slope: Slope, level: float, digits: int) -> str:
    """A value with its interval, or alone where one trajectory tells none."""
    low, high = slope.interval(level)
    if not math.isfinite(low):
        return f"{slope.value:.{digits}g}"
    return f"{slope.value:.{digits}g} ({low:.{digits}g} to {high:.{digits}g})"
