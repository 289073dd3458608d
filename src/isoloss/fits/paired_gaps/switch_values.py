"""What decay and a switch of precision do to a gap, as values that print themselves."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from numbers import Real

import numpy as np

from isoloss.files import displayed, shown_value
from isoloss.fits.arguments import FitError
from isoloss.fits.paired_gaps.paired import Slope
from isoloss.fits.sections import NOT_HELD, Section, number, signed, text
from isoloss.formats import Precision
from isoloss.laws import Array
from isoloss.runs import compact

#: A held gap of so many standard errors or fewer has no ratio that says anything.
FAINTEST = 2.0
#: Speeds over the reference that the report asks for.
SPEEDS = (1.2, 1.5, 2.0)


@dataclass(frozen=True)
class Decayed:
    """The gap of a precision at a held and at a decayed rate.

    Attributes
    ----------
    precision, schedule
        Its spelling, and the schedule that decays.
    cells, pairs
        Counts of params and tokens that have both, and of pairs of runs.
    held
        Mean gap at the held rate, in the unit of the loss, with its error over trajectories.
    decayed
        Mean gap at the decayed rate.
    less
        Decayed less held, with its error over trajectories.
    ratio
        Decayed over held.
    """

    precision: str
    schedule: str
    cells: int
    pairs: int
    held: Slope
    decayed: float
    less: Slope
    ratio: Slope

    @property
    def told(self) -> bool:
        """Whether the held gap is clearly above zero, so that a ratio to it says something."""
        return is_told(self.held)


@dataclass(frozen=True)
class Kept:
    """What a switch to the reference leaves of a gap in one cell.

    Attributes
    ----------
    precision, then
        Before the switch and after it.
    schedule, params, tokens
        The cell.
    percent
        Of the training, from which the reference is trained.
    pairs
        Trajectories.
    whole
        Mean gap without the switch, with its error over trajectories.
    left
        Mean gap with it.
    share
        Left over whole, with its error over trajectories.
    """

    precision: str
    then: str
    schedule: str
    params: float
    tokens: float
    percent: float
    pairs: int
    whole: Slope
    left: float
    share: Slope

    @property
    def told(self) -> bool:
        """Whether the whole gap is clearly above zero, so that a share of it says something."""
        return is_told(self.whole)


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


@displayed
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
        How damage fades, by precision, what it changes to, schedule and params.
    slopes
        The loss that a factor e of tokens is worth at the reference, by schedule and params.
    left_out
        How many runs are no part of it, by the reason.
    """

    level: float
    decays: tuple[Decayed, ...]
    kept: tuple[Kept, ...]
    fadings: Mapping[tuple[str, str, str, float], Fading]
    slopes: Mapping[tuple[str, float], float]
    left_out: Mapping[str, int] = field(default_factory=dict)

    def best_switch(
        self, precision: str | Precision, schedule: str, speedup: float, then: str = "fp"
    ) -> Switch:
        """Where to switch to the reference, at equal hours and at the longest runs of the table.

        Parameters
        ----------
        precision, schedule
            Of runs that change, as the table has them.
        speedup
            Tokens a second over those of the reference, above 0.
        then
            What they change to, "fp" or "bf16".

        Raises
        ------
        FitError
            The table has no such runs, they do not hold how damage fades, or the reference has one
            length, so that nothing is known of what tokens are worth.
        """
        is_number = isinstance(speedup, Real) and not isinstance(speedup, bool)
        if not is_number or not 0 < speedup < math.inf:
            raise FitError(f"speedup is {shown_value(speedup)}; accepted is a number above 0")
        try:
            change = str(Precision.parse(precision)), str(Precision.parse(then))
        except ValueError as error:
            raise FitError(str(error)) from None
        own = [e for e in self.kept if (e.precision, e.then, e.schedule) == (*change, schedule)]
        cell = max(own, key=lambda each: (each.params, each.tokens), default=None)
        fading = None if cell is None else self.fadings.get((*change, schedule, cell.params))
        if cell is None or fading is None or fading.at_edge:
            known = [f"'{p}' to '{a}' ({s})" for (p, a, s, _), f in self.fadings.items()
                     if not f.at_edge]  # fmt: skip
            raise FitError(
                f"the runs do not hold how damage of '{change[0]}' fades after a change to "
                f"'{change[1]}' ({schedule}); they do of "
                f"{', '.join(dict.fromkeys(known)) or 'none'}"
            )
        worth = self.slopes.get((schedule, cell.params))
        if worth is None:
            raise FitError(
                "no trajectory at the reference has two lengths, so nothing is known of what "
                "tokens are worth; add runs of another length"
            )
        first = min(each.percent for each in own) / 100
        shares = np.linspace(first, 1.0, 1001)
        longer = shares + speedup * (1 - shares)
        left = fading.left((1 - shares) * cell.tokens / longer)
        loss = worth * np.log(longer) - np.where(shares < 1, 1 - left, 0.0) * cell.whole.value
        alone = float(worth * math.log(speedup) - cell.whole.value)
        k = int(np.argmin(loss))
        best = min(float(loss[k]), alone)
        percent = 100 * float(shares[k]) if loss[k] <= alone else 0.0
        return Switch(speedup, percent, -best, alone - best)

    def sections(self) -> list[Section]:
        """The report: decay, switches, and the best switch at equal hours."""
        return [*self._left_out(), *self._decays(), *self._kept(), *self._best()]

    def _left_out(self) -> Iterator[Section]:
        if self.left_out:
            lines = tuple(f"{count} left out: {why}" for why, count in self.left_out.items())
            yield Section("What is no part of it", lines)

    def _decays(self) -> Iterator[Section]:
        if self.decays:
            lines = (
                "mean gaps of the same seeds at a held rate and at one that has decayed, "
                f"{self.level:.0%} intervals by jackknife over trajectories",
            )
            head = ("precision", "schedule", "cells", "pairs", "held", "decayed", "difference",
                    "decayed / held")  # fmt: skip
            rows = tuple(
                (e.precision, e.schedule, str(e.cells), str(e.pairs), signed(e.held.value, 4),
                 signed(e.decayed, 4), _within(e.less, self.level, 2),
                 _within(e.ratio, self.level, 3) if e.told else "held gap not above zero")
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
        for (precision, then, schedule, params), fading in self.fadings.items():
            place = f"{precision} then {then}, {schedule}, {compact(params)} params"
            lines.append(f"{place}: {self._faded(fading)}")
        head = ("precision", "schedule", "params", "tokens", "from", "pairs", "gap", "left",
                "share", "faded")  # fmt: skip
        rows = tuple(
            (f"{e.precision} then {e.then}", e.schedule, compact(e.params), compact(e.tokens),
             f"{e.percent:g}%",
             str(e.pairs), signed(e.whole.value, 4), signed(e.left, 4), self._share(e),
             self._left(e))
            for e in self.kept
        )  # fmt: skip
        yield Section("What a switch to the reference leaves of a gap", tuple(lines), head, rows)

    def _share(self, cell: Kept) -> str:
        return _within(cell.share, self.level, 2) if cell.told else "gap not above zero"

    def _faded(self, fading: Fading) -> str:
        if fading.at_edge:
            return f"T {NOT_HELD}"
        low, high = fading.interval(self.level)
        told = f" ({compact(low)} to {compact(high)})" if math.isfinite(low) else ""
        at_once = _within(fading.at_once, self.level, 2)
        return f"at once {at_once}, T {compact(fading.tokens)} tokens{told}"

    def _left(self, cell: Kept) -> str:
        fading = self.fadings.get((cell.precision, cell.then, cell.schedule, cell.params))
        if fading is None or fading.at_edge:
            return NOT_HELD
        return number(float(fading.left((1 - cell.percent / 100) * cell.tokens)), 2)

    def best(self) -> Iterator[tuple[str, str, str, Switch]]:
        """The best switch of each change and schedule at some speeds, where the runs hold it."""
        for before, then, schedule in dict.fromkeys(key[:3] for key in self.fadings):
            for speedup in SPEEDS:
                with contextlib.suppress(FitError):
                    yield before, then, schedule, self.best_switch(before, schedule, speedup, then)

    def _best(self) -> Iterator[Section]:
        rows = tuple(
            (f"{before} then {then}", schedule, f"{best.speedup:g}", f"{best.percent:.0f}%",
             f"{abs(best.gain):.4f}", f"{abs(best.regret_of_reference):.4f}")
            for before, then, schedule, best in self.best()
        )  # fmt: skip
        if rows:
            lines = (
                "at equal hours and the longest runs, from the first percent tried on; speed: "
                "tokens a second over the reference's; 100% is never, 0% the reference alone",
            )
            head = ("precision", "schedule", "speed", "switch from", "won over never",
                    "lost by the reference alone")  # fmt: skip
            yield Section("The best switch at equal hours", lines, head, rows)

    def __str__(self) -> str:
        return text(self.sections())


def is_told(gap: Slope) -> bool:
    """Whether a mean gap is above zero by more than its errors say; of one trajectory, at all."""
    return gap.value > (FAINTEST * gap.error if math.isfinite(gap.error) else 0.0)


def _within(slope: Slope, level: float, digits: int) -> str:
    """A value with its interval, or alone where one trajectory tells none."""
    low, high = slope.interval(level)
    if not math.isfinite(low):
        return f"{slope.value:.{digits}g}"
    return f"{slope.value:.{digits}g} ({low:.{digits}g} to {high:.{digits}g})"
