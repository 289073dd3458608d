"""Stepping through many steps: in machine code where that pays and numba is there, else in numpy;
in pieces, so that it can be watched and stopped, and with its time said before.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isoloss.linear.exact.state import Seen, State, state_of, stepped
from isoloss.linear.exact.step_operator import Operator
from isoloss.linear.update_rules import Coefficients

Array = NDArray[np.float64]
#: Steps that are still taken one by one, some hours of them.
LONGEST = 10**8
#: Seconds: of a step and of a coordinate of one in numpy and in machine code (measured on one core,
#: benchmarks/walked_risk.py), what loading numba takes, and what is said before it is waited for.
NUMPY, COMPILED, LOADING, LONG = (5e-5, 2.5e-8), (1e-7, 7e-9), 1.0, 5.0
#: Of one coordinate where the parameter in use is rounded to the nearest number.
NUMPY_NEAREST, COMPILED_NEAREST = (2.5e-3, 3e-6), (1e-6, 2.5e-7)
#: Of one coordinate of one sample of a replicate (benchmarks/sampled_sgd.py), and replicates that
#: say something.
SAMPLED, SOME = 1e-9, 100
#: Seconds of one piece of a walk.
PIECE = 0.2


class LongWalk(UserWarning):
    """A risk that takes more than a few seconds, said before it is waited for."""


@dataclass(frozen=True)
class Way:
    """How the engine gets through a stretch: jumping where that holds, or always step by step in
    numpy, the reference; who is told the share of a walk that is done; and the steps of the
    whole walk, where a closure cuts it into pieces.
    """

    jump: bool = True
    told: Callable[[float], None] | None = None
    whole: int = 0

    def part(self, first: float, last: float) -> Way:
        """The way through a part of the whole, from one share of it to another."""
        told = self.told
        if told is None:
            return self
        return replace(self, told=lambda share: told(first + share * (last - first)))


JUMP, STEP = Way(), Way(jump=False)


@dataclass(frozen=True)
class Pace:
    """What a walk costs: seconds in numpy and in machine code, and whether the latter is taken."""

    numpy: float
    machine: float
    compiled: bool

    @property
    def seconds(self) -> float:
        """The time it takes."""
        return self.machine if self.compiled else self.numpy


def pace_of(steps: int, numbers: int, way: Way, nearest: bool = False) -> Pace:
    """The pace of steps on so many coordinates."""
    each = (NUMPY_NEAREST, COMPILED_NEAREST) if nearest else (NUMPY, COMPILED)
    slow, fast = (steps * (step + numbers * one) for step, one in each)
    share = steps / max(way.whole, steps, 1)
    pays = way.jump and slow > share * LOADING + fast
    return Pace(slow, fast, pays and importlib.util.find_spec("numba") is not None)


def announced(
    steps: int, numbers: int, way: Way, nearest: bool = False, batch: float = 1.0
) -> None:
    """Warn (LongWalk) of steps that take more than a few seconds, with what would be quicker."""
    pace = pace_of(steps, numbers, way, nearest)
    if pace.seconds < LONG:
        return
    quicker = ""
    if not pace.compiled and pace.machine < pace.numpy / 2:
        spoken = _spoken(pace.machine)
        quicker = f"; about {spoken} compiled: method 'exact', pip install 'isoloss[sample]'"
    # Coordinates stand for all of them in a closure of nearest rounding, so a replicate is known.
    sampled = SOME * steps * batch * numbers * SAMPLED
    if nearest and sampled < pace.seconds / 2:
        quicker += f"; about {_spoken(sampled)} with method 'sampled' and {SOME} replicates"
    warnings.warn(
        f"{steps:,} steps are taken one by one, about {_spoken(pace.seconds)}{quicker}",
        LongWalk,
        stacklevel=2,
    )


def _spoken(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def pieces_of(steps: int, seconds: float) -> list[slice]:
    """Steps in pieces of a fraction of a second, so that a walk can be watched and stopped."""
    if steps == 0:
        return []
    most = max(1, int(PIECE / max(seconds / steps, 1e-12)))
    return [slice(low, min(low + most, steps)) for low in range(0, steps, most)]


def check_walk(steps: int) -> None:
    """Raise ValueError if steps are too many to be taken one by one."""
    if steps > LONGEST:
        raise ValueError(
            f"{steps} steps have to be taken one by one here, which is too many; accepted are at "
            f"most {LONGEST}, "
            "or a constant or geometric schedule well below the stability limit with method 'exact'"
        )


def walked(
    at: State,
    op: Operator,
    gamma: Array,
    steps: NDArray[np.int64],
    rule: Coefficients,
    summing: bool,
    way: Way,
) -> State:
    """The state behind `steps` (P,) steps of size gamma (P, 1), one after the other."""
    check_walk(int(steps.max()))
    # Each point by itself, so that its digits do not depend on those beside it.
    fast = np.array([pace_of(int(each), op.h.shape[1], way).compiled for each in steps])
    if fast.all():
        sizes = [
            np.broadcast_to(size, count) for size, count in zip(gamma[:, 0], steps, strict=True)
        ]
        return _machine_walked(at, op, sizes, rule, summing, way)
    if fast.any():
        rows = np.argsort(fast, kind="stable")
        parts_of = [
            walked(at.rows(some), op.rows(some), gamma[some], steps[some], rule.rows(some),
                   summing, way)
            for some in (np.flatnonzero(~fast), np.flatnonzero(fast))
        ]  # fmt: skip
        return _joined(parts_of, rows)
    return _waiting(at, op, gamma, steps, rule, summing, way)


def _waiting(
    at: State,
    op: Operator,
    gamma: Array,
    steps: NDArray[np.int64],
    rule: Coefficients,
    summing: bool,
    way: Way,
) -> State:
    """The same in numpy, side by side; who is there waits for the others."""
    left = np.arange(len(steps))
    # Points with fewer steps leave the stack when theirs are done, so none is computed in vain.
    parts: list[tuple[NDArray[np.intp], State]] = []
    done = 0
    for goal in np.unique(steps):
        sizes_left = np.broadcast_to(gamma, (len(left), goal - done))
        at = _numpy_walked(at, op, sizes_left, rule, summing, way)
        done = int(goal)
        here = steps[left] == goal
        parts.append((left[here], at.rows(np.flatnonzero(here))))
        rest = np.flatnonzero(~here)
        at, op, gamma, rule, left = (
            at.rows(rest),
            op.rows(rest),
            gamma[rest],
            rule.rows(rest),
            left[rest],
        )
    return _joined([state for _, state in parts], np.concatenate([rows for rows, _ in parts]))


def _joined(parts: list[State], rows: NDArray[np.intp]) -> State:
    """States of some points each as one, back in the order of the points."""
    order = np.argsort(rows)
    columns = zip(*(state.arrays() for state in parts), strict=True)
    return state_of([None if c[0] is None else np.concatenate(c)[order] for c in columns])


def varied(
    at: State,
    op: Operator,
    sizes: Array,
    rule: Coefficients,
    summing: bool,
    way: Way,
    seen: Seen | None = None,
) -> State:
    """The state behind steps whose size (P, T) may differ from step to step."""
    if pace_of(sizes.shape[1], op.h.shape[1], way).compiled and seen is None:
        return _machine_walked(at, op, list(sizes), rule, summing, way)
    return _numpy_walked(at, op, sizes, rule, summing, way, seen)


def _numpy_walked(
    at: State,
    op: Operator,
    sizes: Array,
    rule: Coefficients,
    summing: bool,
    way: Way,
    seen: Seen | None = None,
) -> State:
    steps = sizes.shape[1]
    for piece in pieces_of(steps, pace_of(sizes.size, op.h.shape[1], STEP).numpy):
        for size in sizes[:, piece].T:
            at = stepped(at, op, size[:, None], rule, summing, seen)
        if way.told is not None and steps > 1:
            way.told(piece.stop / steps)
    return at


def _machine_walked(
    at: State,
    op: Operator,
    sizes: list[Array],
    rule: Coefficients,
    summing: bool,
    way: Way,
) -> State:
    """The state behind steps of sizes (T,) of every point, one point after the other."""
    kernels, done = kernels_of("compiled_walk"), 0
    everything = sum(len(each) for each in sizes)
    rows = []
    for row, mine in enumerate(sizes):
        here = slice(row, row + 1)
        state, known, three = _laid_out(at.rows(here), op.rows(here), rule.rows(here))
        for piece in pieces_of(len(mine), pace_of(len(mine), known.shape[1], way).machine):
            now = np.ascontiguousarray(mine[piece])
            if at.speed is None:
                kernels.walk_plain(now, known, state, summing)
            else:
                kernels.walk_ruled(now, known, state, three, summing)
            if way.told is not None:
                way.told((done + piece.stop) / everything)
        done += len(mine)
        rows.append(state)
    moved = np.stack(rows, axis=1)
    return state_of([*moved, *(None for _ in range(len(at.arrays()) - len(moved)))])


def _laid_out(
    at: State, op: Operator, rule: Coefficients
) -> tuple[Array, Array, tuple[float, ...]]:
    """State, operator and rule of one point as compiled code takes them."""
    state = np.array([each[0] for each in at.arrays() if each is not None])
    # h, D, beta, k and the weights of the sum rho <h, M> + <eta, m>.
    by_square, by_mean = op.rho * op.weight * op.h, op.weight * op.eta
    known = np.array([each[0] for each in (op.h, op.d, op.beta, op.k, by_square, by_mean)])
    return state, known, tuple(float(np.ravel(each)[0]) for each in rule)


def kernels_of(name: str) -> Any:
    """A file of compiled loops, loaded only here: numba takes a while and is optional."""
    return importlib.import_module(f"isoloss.linear.exact.{name}")
