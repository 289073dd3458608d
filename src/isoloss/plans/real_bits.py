"""The best bits as a real number: what the closed forms of the papers give, between the formats that exist.

No number has 7.002 bits, so this is no plan. It is the optimum that theory speaks of: it shows how flat the valley
between two formats is and whether the best moves with the budget. For factors on params and cost N D P it is the
argmax of f(P) / P at any budget (see search.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.optimize import minimize_scalar

from isoloss.formats import Format, Precision
from isoloss.laws import Array, DomainError, Inputs, Law, Level, Levels, preset
from isoloss.plans.costs import Hardware, Rate, amount, as_machine
from isoloss.plans.problems import PlanError
from isoloss.plans.search import MOST_PARAMS, Best, Member, Space, Spending, search

#: Points of the first look, from which the best is refined.
POINTS = 125


@dataclass(frozen=True)
class RealBits:
    """The best real number of bits, with the params, tokens and loss (nats) that go with it."""

    bits: float
    params: float
    tokens: float
    loss: float

    def __str__(self) -> str:
        return f"{self.bits:.3f} bits: {self.params:.4g} params on {self.tokens:.4g} tokens, loss {self.loss:.4f}"


@dataclass(frozen=True)
class _Real(Levels):
    """Levels of one precision whose formats have real numbers of bits, one a level."""

    bits_at: tuple[float, ...] = ()

    def formats(self, part: str, stage: Literal["train", "serve"] = "train") -> list[Format | None]:
        known = super().formats(part, stage)
        return [
            f if f is None else replace(f, bits=b) for f, b in zip(known, self.bits_at, strict=True)
        ]


def best_bits(
    law: str | Law,
    budget: str | float,
    hardware: str | Hardware = "linear-bits",
    *,
    precision: str | Precision = "int8",
    params: str | float | None = None,
    within: tuple[float, float] = (1.0, 20.0),
) -> RealBits:
    """The best bits, as a real number, of all formats that ``precision`` sets ("w4 a4" ties weights and activations).

    ``budget``: flop of 16 bits on "linear-bits" (cost 6 N D P / 16), bits of all weights on "memory-bits" (N P).
    ``params`` may be held. ``within``: the bits between which to look. Raises PlanError for other hardware, where no
    number of bits has a loss, and where tokens cost nothing and more of them help up to 1e20 (look at fewer bits).
    Reference: Kumar et al. 2024 (2411.04330), sections 4.3.2, 4.3.3 and appendix E (eq. 29), corrected.
    """
    device, asked = as_machine(hardware), Precision.parse(precision)
    if not device.is_abstract:
        raise PlanError(
            f"real bits need a cost linear in bits; {device.name} computes in formats: use plan"
        )
    member = Member(preset(law) if isinstance(law, str) else law)
    most = amount(budget, "flop", "budget")
    held = None if params is None else float(np.log(amount(params, "params", "params")))

    def planned(bits: Array) -> Best:
        levels = _levels(asked, bits)
        space = _space(bits, most, device, held)
        return search(lambda u, y: member.loss(member.values, u, y, levels, None), space)

    grid = np.array([b for b in np.linspace(*within, POINTS) if _is_defined(member.law, asked, b)])
    if not len(grid):
        raise PlanError(
            f"{member.law.name} is not defined in '{asked}' at any bits from {within[0]:g} to {within[1]:g}"
        )
    losses = planned(grid).loss[0]
    if not np.isfinite(losses).any():
        raise PlanError(
            f"{member.law.name} gives no loss in {asked} at any bits within budget {budget}"
        )
    k = int(np.argmin(losses))
    ends = grid[max(k - 1, 0)], grid[min(k + 1, len(grid) - 1)]
    found = minimize_scalar(
        lambda p: float(planned(np.array([p])).loss[0, 0]),
        bounds=ends,
        method="bounded",
        options={"xatol": 1e-6},
    )
    best = planned(np.array([found.x]))
    return RealBits(
        float(found.x), float(best.params[0, 0]), float(best.tokens[0, 0]), float(best.loss[0, 0])
    )


def _levels(precision: Precision, bits: Array) -> Levels:
    return _Real((Level(precision),) * len(bits), bits_at=tuple(map(float, bits)))


def _is_defined(law: Law, precision: Precision, bits: float) -> bool:
    """Whether the law has a loss there: two factors below zero would make a positive product."""
    x = Inputs(
        np.array([1e9]),
        np.array([1e11]),
        _levels(precision, np.array([bits])),
        np.zeros(1, dtype=np.intp),
    )
    try:
        return bool(np.isfinite(law.loss(x)).all())
    except DomainError:
        return False


def _space(bits: Array, most: float, device: Hardware, params: float | None) -> Space:
    """What the budget leaves at each number of bits."""
    none = np.zeros(len(bits))
    spending = (
        Spending("train", 6.0 * bits / 16.0, none, most)
        if device.rule == "linear-bits"
        else Spending("train", none, bits, most)
    )
    rates = tuple(Rate(float(b) / 16.0, 0.0, "linear in bits") for b in bits)
    names = (Precision("fp"),) * len(bits)
    return Space(
        names,
        rates,
        (spending,),
        np.full(len(bits), MOST_PARAMS),
        ("params",) * len(bits),
        params,
        None,
    )
