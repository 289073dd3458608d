"""The parts of a plan: one precision with its best size, what one law alone would do, a simpler choice and its cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Choice:
    """One precision with its best params and tokens, expected loss (nats), and intervals over laws and refits.

    The intervals are of each refit planned again in this precision; ``probability`` is the weight of the refits in
    which this precision is the best of all. ``spent`` is the share of each limit that is used; ``binding`` names the
    limits that are used up; ``flop`` counts those of bf16. ``device_hours`` of training is NaN where the machine is
    abstract. ``counted`` is the exact flop of training a decoder of usual shape over the 6 N D that costs are made of.
    """

    precision: str
    params: float
    tokens: float
    loss: float
    params_interval: tuple[float, float]
    tokens_interval: tuple[float, float]
    loss_interval: tuple[float, float]
    probability: float
    binding: tuple[str, ...]
    spent: Mapping[str, float]
    flop: float
    device_hours: float
    serving_bytes: float
    rate: str
    emulated: tuple[str, ...] = ()
    counted: float = 1.0


@dataclass(frozen=True)
class LawPlan:
    """What one law alone would do; ``outside`` is how far that lies outside its runs, as a factor (1 inside)."""

    law: str
    weight: float
    precision: str
    params: float
    tokens: float
    loss: float
    outside: float


@dataclass(frozen=True)
class Regret:
    """A simpler choice, and what it would cost: ``excess`` loss (nats) over the plan's with its interval over refits.

    ``wasted`` is the share of the budget that the plan would not need to reach the same loss; ``money`` that share of
    what is paid, NaN where no price is given.
    """

    choice: str
    precision: str
    params: float
    tokens: float
    loss: float
    excess: float
    excess_interval: tuple[float, float]
    wasted: float
    money: float
