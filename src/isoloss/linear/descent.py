"""The algorithm: one-pass stochastic gradient descent from w_0 = 0, its step sizes and what it
returns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from isoloss.files import displayed
from isoloss.linear.checks import finite, one_of, whole
from isoloss.linear.schedules import SCHEDULES
from isoloss.linear.update_rules import UPDATE_RULES, Coefficients

Array = NDArray[np.float64]
ITERATES = ("last", "average", "tail", "tail 0.25")


@displayed
@dataclass(frozen=True)
class SGD:
    """One-pass SGD on fresh batches: w_{t+1} = w_t + u_{t+1}, u_{t+1} = momentum u_t - step_size
    gradient_t, or another rule of updating.

    Attributes
    ----------
    steps : int
        Number of steps T; steps x batch samples are seen.
    batch : int
        Samples of a step, B.
    step_size : float or str
        The largest step size gamma, a number above 0, or a share of the largest stable one such as
        '0.5 limit' (`stability_limit`, which depends on the problem, the batch, the momentum and
        the precision).
    schedule : str
        'constant'; 'geometric', halved after every K = floor(T / log2 T) steps (Wu et al. 2022, Lin
        et al. 2024); 'cosine', step_size (1 + cos(pi t / T)) / 2 at t = 0..T-1; or a registered one
        (`SCHEDULES`).
    momentum : float
        The rule's b, from 0 to below 1; 0 is plain SGD under every rule that ships.
    rule : str
        'heavy ball', u_{t+1} as above; 'nesterov', w_{t+1} = w_t + momentum u_{t+1} - step_size
        gradient_t; 'ema', w_{t+1} = w_t + (1 - momentum) u_{t+1}; or a registered one
        (`UPDATE_RULES`).

    Raises
    ------
    ValueError
        A field is out of range; the message has the value and what is accepted.
    """

    steps: int
    batch: int = 1
    step_size: float | str = "0.5 limit"
    schedule: str = "constant"
    momentum: float = 0.0
    rule: str = "heavy ball"

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", whole("steps", self.steps))
        object.__setattr__(self, "batch", whole("batch", self.batch))
        one_of("schedule", self.schedule, tuple(SCHEDULES))
        momentum = finite("momentum", self.momentum, 0.0)
        if momentum >= 1:
            raise ValueError(f"momentum is {self.momentum!r}; accepted is 0 or more and below 1")
        object.__setattr__(self, "momentum", momentum)
        one_of("rule", self.rule, tuple(UPDATE_RULES))
        UPDATE_RULES[self.rule].coefficients(momentum)
        if self.share is None:
            object.__setattr__(
                self, "step_size", finite("step_size", self.step_size, 0.0, above=True)
            )

    @classmethod
    def samples(cls, samples: int, batch: int = 1, **given: Any) -> Self:
        """The descent that sees a number of samples.

        Parameters
        ----------
        samples, batch
            It takes samples // batch steps.
        given
            The other fields.

        Returns
        -------
        SGD
            The descent.

        Raises
        ------
        ValueError
            The samples do not fill one batch, or a field is out of range.
        """
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
                f"step_size is {self.step_size!r}; accepted is a number above 0 or a share such as "
                "'0.5 limit'"
            )
        return finite("the share of the limit", number, 0.0, above=True)

    @property
    def coefficients(self) -> Coefficients:
        """What the rule does at this momentum.

        Raises ValueError where a registered rule makes no rule of it.
        """
        return UPDATE_RULES[self.rule].coefficients(self.momentum)

    @property
    def updating(self) -> str:
        """The rule and its momentum in words, empty for plain SGD."""
        named = "" if self.rule == "heavy ball" else f"{self.rule}, "
        return "" if self.coefficients.still else f"{named}momentum {self.momentum:g}"

    def stages(self, step_size: float) -> list[tuple[float, int]] | None:
        """(step size, steps) of each stretch of constant step size; None where every step has its
        own.

        `step_size` is the largest step size as a number.
        """
        made = SCHEDULES[self.schedule].stages_of(self.steps)
        return None if made is None else [(step_size * size, count) for size, count in made]

    def step_sizes(self, step_size: float) -> Array:
        """Every step size, (steps,); `step_size` is the largest as a number."""
        return step_size * SCHEDULES[self.schedule].sizes_of(self.steps)


def first_averaged(iterate: str, steps: int) -> int | None:
    """The first t of the iterates w_t that are averaged, up to w_{steps-1}; None for the last
    iterate, w_steps.

    'tail' averages the last half, 'tail 0.25' the last quarter; at least one. Raises ValueError for
    other words.
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


def sized(sgd: SGD, limit: float) -> float:
    """The step size of a descent as a number, for a stability limit.

    Raises ValueError for a share of an infinite limit.
    """
    size = float(sgd.step_size) if sgd.share is None else sgd.share * limit
    if math.isfinite(size):
        return size
    raise ValueError(
        f"the step size '{sgd.step_size}' has no limit here: every feature is rounded to 0 and "
        "nothing is learnt; take a finer format or scale, or give a number"
    )
