"""The algorithm: one-pass stochastic gradient descent from w_0 = 0, its step sizes and what it returns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from isoloss.linear.words import finite, one_of, whole

Array = NDArray[np.float64]
Schedule = Literal["constant", "geometric", "cosine"]
SCHEDULES = ("constant", "geometric", "cosine")
ITERATES = ("last", "average", "tail", "tail 0.25")


@dataclass(frozen=True)
class SGD:
    """`steps` steps on fresh batches of `batch` samples: steps x batch samples in all.

    `step_size` is a number, or a share of the largest stable one, '0.5 limit' (`stability_limit`, which
    depends on the problem, the batch, the momentum and the precision). Schedules: 'constant';
    'geometric', halved after every K = floor(steps / log2 steps) steps (Wu et al. 2022, Lin et al. 2024);
    'cosine', step_size (1 + cos(pi t / steps)) / 2 at t = 0..steps-1. `momentum` b of the heavy ball:
    u+ = b u - step_size gradient, w+ = w + u+.
    """

    steps: int
    batch: int = 1
    step_size: float | str = "0.5 limit"
    schedule: Schedule = "constant"
    momentum: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", whole("steps", self.steps))
        object.__setattr__(self, "batch", whole("batch", self.batch))
        one_of("schedule", self.schedule, SCHEDULES)
        momentum = finite("momentum", self.momentum, 0.0)
        if momentum >= 1:
            raise ValueError(f"momentum is {self.momentum!r}; accepted is 0 or more and below 1")
        object.__setattr__(self, "momentum", momentum)
        if self.share is None:
            object.__setattr__(
                self, "step_size", finite("step_size", self.step_size, 0.0, above=True)
            )

    @classmethod
    def samples(cls, samples: int, batch: int = 1, **given: Any) -> Self:
        """The descent that sees `samples` samples: samples // batch steps; `given` are the other fields."""
        samples, batch = whole("samples", samples), whole("batch", batch)
        if samples < batch:
            raise ValueError(
                f"{samples} samples do not fill one batch of {batch}; give at least {batch}"
            )
        return cls(samples // batch, batch, **given)

    @property
    def share(self) -> float | None:
        """The share of the stability limit that the step size is, or None where it is a number."""
        if not isinstance(self.step_size, str):
            return None
        number, _, word = self.step_size.strip().partition(" ")
        if word.strip() != "limit":
            raise ValueError(
                f"step_size is {self.step_size!r}; accepted is a number above 0 or a share such as '0.5 limit'"
            )
        return finite("the share of the limit", number, 0.0, above=True)

    def stages(self, step_size: float) -> list[tuple[float, int]]:
        """(step size, steps) of each stretch of constant step size; a cosine has none of them.

        `step_size` is the first step size as a number.
        """
        if self.schedule == "constant" or self.steps < 3:
            return [(step_size, self.steps)]
        length = int(self.steps / math.log2(self.steps))
        starts = range(0, self.steps, length)
        return [
            (step_size / 2**k, min(length, self.steps - start)) for k, start in enumerate(starts)
        ]

    def step_sizes(self, step_size: float) -> Array:
        """Every step size, (steps,); `step_size` is the first as a number."""
        if self.schedule == "cosine":
            return step_size * (1 + np.cos(np.pi * np.arange(self.steps) / self.steps)) / 2
        sizes, lengths = zip(*self.stages(step_size), strict=True)
        return np.repeat(np.array(sizes), lengths)


def first_averaged(iterate: str, steps: int) -> int | None:
    """The first t of the iterates w_t that are averaged, up to w_{steps-1}; None for the last iterate, w_steps.

    'tail' averages the last half, 'tail 0.25' the last quarter; at least one.
    """
    if iterate == "last":
        return None
    if iterate == "average":
        return 0
    words = iterate.split() if isinstance(iterate, str) else []
    if words[:1] != ["tail"] or len(words) > 2:
        one_of("iterate", iterate, ITERATES)
    share = finite("the share of the tail", words[1] if len(words) == 2 else 0.5, 0.0, above=True)
    if share > 1:
        raise ValueError(
            f"the share of the tail is {share!r}; accepted is a number above 0, at most 1"
        )
    return steps - max(1, round(share * steps))
