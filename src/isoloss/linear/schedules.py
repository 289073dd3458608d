"""Schedules of the step size by name: how the size of step t stands to the largest one.

A schedule is one record: its stretches of constant size, which the exact engine jumps over, or the
size of every step, which it takes one by one. `SCHEDULES.register("name", Schedule(...))` adds one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoloss.files import Registry

Array = NDArray[np.float64]
#: (size / largest size, steps) of each stretch of constant size, in order.
Stages = list[tuple[float, int]]


@dataclass(frozen=True)
class Schedule:
    """Step sizes of a descent, in units of the largest one, from its number of steps T.

    Exactly one of `stages` and `sizes` is given.

    Attributes
    ----------
    meaning : str
        What it does, in a few words.
    stages : callable, optional
        T -> [(size, steps), ...], stretches of constant size whose steps sum to T. Cost does not
        grow with T.
    sizes : callable, optional
        T -> array (T,), the size of every step. Cost grows with T.

    Raises
    ------
    ValueError
        Both or neither are given.
    """

    meaning: str
    stages: Callable[[int], Stages] | None = None
    sizes: Callable[[int], Array] | None = None

    def __post_init__(self) -> None:
        if (self.stages is None) == (self.sizes is None):
            raise ValueError("a schedule has stages or sizes; give one of the two")

    def stages_of(self, steps: int) -> Stages | None:
        """The stretches of T steps; None where every step has a size of its own.

        Raises
        ------
        ValueError
            The steps do not sum to T, or a size is not in 0..1.
        """
        if self.stages is None:
            return None
        made = self.stages(steps)
        if sum(count for _, count in made) != steps:
            raise ValueError(f"the stages of the schedule '{self.meaning}' are not {steps} steps")
        self._check(np.array([size for size, _ in made]))
        return made

    def sizes_of(self, steps: int) -> Array:
        """The size of each of T steps, (T,), in units of the largest.

        Raises
        ------
        ValueError
            There are not T of them, or one is not in 0..1.
        """
        if self.sizes is None:
            sizes, counts = zip(*(self.stages_of(steps) or ()), strict=True)
            return np.repeat(np.array(sizes), counts)
        made = np.asarray(self.sizes(steps), dtype=float)
        if made.shape != (steps,):
            raise ValueError(
                f"the schedule '{self.meaning}' made sizes of shape {made.shape}, not ({steps},)"
            )
        self._check(made)
        return made

    def _check(self, sizes: Array) -> None:
        # The stability limit is judged at the largest size, so none may exceed it.
        bad = ~((sizes >= 0) & (sizes <= 1))
        if bad.any():
            raise ValueError(
                f"the schedule '{self.meaning}' made the size {sizes[int(np.argmax(bad))]}; "
                "accepted is 0 to 1, in units of the largest"
            )


def _halved(steps: int) -> Stages:
    """Half the size after every K = floor(T / log2 T) steps (Wu et al. 2022, Lin et al. 2024)."""
    if steps < 3:
        return [(1.0, steps)]
    length = int(steps / math.log2(steps))
    starts = range(0, steps, length)
    # Powers of two, so that the sizes of a descent have the digits of its first one.
    return [(2.0**-k, min(length, steps - start)) for k, start in enumerate(starts)]


def _cosine(steps: int) -> Array:
    """(1 + cos(pi t / T)) / 2 at t = 0..T-1."""
    return np.asarray((1 + np.cos(np.pi * np.arange(steps) / steps)) / 2)


def _shipped() -> None:
    for name, schedule in (
        ("constant", Schedule("one size throughout", stages=lambda steps: [(1.0, steps)])),
        ("geometric", Schedule("halved log2 T times, at equal distances", stages=_halved)),
        ("cosine", Schedule("half a cosine, from the largest size to 0", sizes=_cosine)),
    ):
        SCHEDULES.register(name, schedule, home=__name__)


#: The schedules by name, as `SGD` takes them.
SCHEDULES: Registry[Schedule] = Registry("schedule", load=_shipped, of=Schedule)
