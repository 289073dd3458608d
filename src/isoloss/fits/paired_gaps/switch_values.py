"""What decay and a switch of precision do to a gap, as values that print themselves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from isoloss.fits.arguments import FitError
from isoloss.fits.paired_gaps.paired import Slope
from isoloss.fits.sections import NOT_HELD, Section, number, signed, text
from isoloss.laws import Array
from isoloss.runs import compact

#: Speeds over the reference that the report asks for.
SPEEDS = (1.2, 1.5, 2.0)


def left_of(share: Array | float, rho: float) -> Array:
    """What a switch at a share of the training leaves of a gap, with a memory of rho."""
    s = np.asarray(share, dtype=float)
    # expm1 keeps the digits where rho is large and all tokens count alike.
    return np.asarray(np.exp(-(1 - s) / rho) * np.expm1(-s / rho) / math.expm1(-1 / rho))


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
class Memory:
    """How fast damage fades.

    Attributes
    ----------
    log_rho
        Logarithm of the share of the training over which it fades, with its error.
    at_edge
        Whether it lies at the edge of what is looked for, so that only a bound is known.
    """

    log_rho: Slope
    at_edge: bool

    @property
    def rho(self) -> float:
        """The share of the training over which damage fades."""
        return math.exp(self.log_rho.value)

    def interval(self, level: float = 0.9) -> tuple[float, float]:
        """The Student-t interval of rho; NaN with one trajectory."""
        low, high = self.log_rho.interval(level)
        return math.exp(low), math.exp(high)


@dataclass(frozen=True)
class Switch:
    """The best switch at equal hours.

    Attributes
    ----------
    speedup
        How many times as fast the low precision is.
    percent
        Where to switch: 100 never, 0 at once (train in the reference alone).
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
    memories
        How fast damage fades, by precision and schedule.
    slopes
        The loss that a factor e of tokens is worth at the reference, by schedule and params.
    """

    level: float
    decays: tuple[Decayed, ...]
    kept: tuple[Kept, ...]
    memories: Mapping[tuple[str, str], Memory]
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
            The table has no such runs, the memory is not held, or the reference has one length, so
            that nothing is known of what tokens are worth.
        """
        if not 0 < speedup < math.inf:
            raise FitError(f"speedup is {speedup:g}; accepted is a number above 0")
        memory = self.memories.get((precision, schedule))
        if memory is None or memory.at_edge:
            known = ", ".join(
                f"'{p}' ({s})" for (p, s), m in self.memories.items() if not m.at_edge
            )
            raise FitError(
                f"the runs do not hold how damage of '{precision}' ({schedule}) fades; they do of "
                f"{known or 'none'}"
            )
        own = [e for e in self.kept if (e.precision, e.schedule) == (precision, schedule)]
        cell = max(own, key=lambda each: (each.params, each.tokens))
        worth = self.slopes.get((schedule, cell.params))
        if worth is None:
            raise FitError(
                "runs at the reference have one length, so nothing is known of what tokens are "
                "worth; add runs of another length"
            )

        def loss(share: float) -> float:
            lost = worth * math.log(share + speedup * (1 - share))
            return lost - (1 - float(left_of(share, memory.rho))) * cell.whole

        shares = np.linspace(0.0, 1.0, 201)
        start = shares[int(np.argmin([loss(s) for s in shares]))]
        found = optimize.minimize_scalar(
            loss, bounds=(max(0.0, start - 0.01), min(1.0, start + 0.01)), method="bounded"
        )
        best = min((float(found.x), 0.0, 1.0, float(start)), key=loss)
        return Switch(speedup, 100 * best, -loss(best), loss(0.0) - loss(best))

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
            "left: gap of a run that changes to the reference over that of one that does not; by "
            "memory: what fading over a share rho of the training leaves",
        ]
        for (precision, schedule), memory in self.memories.items():
            low, high = memory.interval(self.level)
            held = NOT_HELD if memory.at_edge else f"{memory.rho:.2g} ({low:.2g} to {high:.2g})"
            lines.append(f"rho of {precision}, {schedule}: {held}")
        head = ("precision", "schedule", "params", "tokens", "from", "pairs", "gap", "left",
                "share", "by memory")  # fmt: skip
        rows = tuple(
            (e.precision, e.schedule, compact(e.params), compact(e.tokens), f"{e.percent:g}%",
             str(e.pairs), signed(e.whole, 4), signed(e.left, 4), _within(e.share, self.level, 2),
             self._by_memory(e))
            for e in self.kept
        )  # fmt: skip
        yield Section("What a switch to the reference leaves of a gap", tuple(lines), head, rows)

    def _by_memory(self, cell: Kept) -> str:
        memory = self.memories[cell.precision, cell.schedule]
        if memory.at_edge:
            return NOT_HELD
        return number(float(left_of(cell.percent / 100, memory.rho)), 2)

    def _best(self) -> Iterator[Section]:
        rows = []
        for precision, schedule in self.memories:
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
                "at equal hours and the longest runs; speed: tokens a second over the reference's; "
                "100% is never, 0% is the reference alone",
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
