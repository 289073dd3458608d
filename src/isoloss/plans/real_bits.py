"""The best bits as a real number: the optimum of the papers, between existing formats.

No format has 7.002 bits, so this is no plan. It shows how flat the valley between two formats is
and whether the best moves with the budget. For factors on params and cost N D P it is the argmax of
f(P) / P at any budget (see search/optimum.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.optimize import minimize_scalar

from isoloss.files import displayed
from isoloss.formats import Format, Precision
from isoloss.laws import Array, DomainError, Inputs, Level, Levels
from isoloss.plans.budget import BudgetLike, as_budget
from isoloss.plans.checks import one_precision
from isoloss.plans.costs import Hardware, Rate, amount, as_machine
from isoloss.plans.problems import PlanError
from isoloss.plans.search import (
    MOST_PARAMS,
    Best,
    LawLike,
    Member,
    Space,
    Spending,
    member_of,
    search,
)
from isoloss.runs import compact

#: Points of the first look, from which the best is refined.
POINTS = 125


@displayed
@dataclass(frozen=True)
class RealBits:
    """The best real number of bits.

    Attributes
    ----------
    bits
        Of all formats of the precision.
    params, tokens, loss
        The best plan with these bits; its loss in the metric of the laws.
    """

    bits: float
    params: float
    tokens: float
    loss: float

    def __str__(self) -> str:
        size = f"{compact(self.params)} params on {compact(self.tokens)} tokens"
        return f"{self.bits:.3f} bits: {size}, loss {self.loss:.4f}"


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
    law: LawLike,
    budget: BudgetLike,
    hardware: str | Hardware = "linear-bits",
    *,
    precision: str | Precision = "int8",
    params: str | float | None = None,
    within: tuple[float, float] = (1.0, 20.0),
    group: str | None = None,
) -> RealBits:
    """The best bits, as a real number, of all formats that `precision` sets.

    Reference: Kumar et al. 2024 (2411.04330), sections 4.3.2, 4.3.3 and
    appendix E (eq. 29), corrected.

    Parameters
    ----------
    law
        A law, its name, or a fit.
    budget
        Compute: a Budget of `train` (and `params`), a text such as "1e21 flop", or a number. On
        "linear-bits" these are FLOPs of 16 bits (cost 6 N D P / 16), on "memory-bits" the bits of
        all weights (N P).
    hardware
        "linear-bits" or "memory-bits", by name or as Hardware.
    precision
        The parts whose bits are varied together: "w4 a4" ties weights and activations. Its own bits
        do not matter.
    params
        Held params (count), free where None.
    within
        The bits between which to look, (least, most).
    group
        Whose constants, where the law has some for each of several groups.

    Returns
    -------
    RealBits
        The best bits with their params, tokens and loss.

    Raises
    ------
    PlanError
        The hardware is a device, the budget limits something else, no number of bits has a loss, or
        tokens cost nothing and more of them help up to 1e20 (look at fewer bits).
    """
    device, asked = as_machine(hardware), one_precision(precision)
    if not device.is_abstract:
        raise PlanError(
            f"real bits need a cost linear in bits; {device.name} computes in formats: use plan"
        )
    most, held = _limits(budget, params)
    least_bits, most_bits = _ends(within)
    member = member_of(law, group)

    def planned(bits: Array) -> Best:
        levels = _levels(asked, bits)
        space = _space(bits, most, device, held)
        return search(lambda u, y: member.loss(member.values, u, y, levels, None), space)

    every = np.linspace(least_bits, most_bits, POINTS)
    grid = np.array([b for b in every if _is_defined(member, asked, b)])
    if not len(grid):
        raise PlanError(
            f"{member.law.name} is not defined in '{asked}' at any bits "
            f"from {least_bits:g} to {most_bits:g}"
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


def _limits(budget: BudgetLike, params: str | float | None) -> tuple[float, float | None]:
    """The compute of a budget, and log of the params that are held."""
    given = as_budget(budget)
    others = [name for name in given.limits if name not in ("train", "params")]
    if others or given.train is None:
        raise PlanError(
            f"the best bits are those of compute alone, as '1e21 flop', and budget is {given}"
        )
    held = given.params if params is None else amount(params, "params", "params")
    return given.train, None if held is None else float(np.log(held))


def _ends(within: tuple[float, float]) -> tuple[float, float]:
    try:
        low, high = (float(end) for end in within)
    except (TypeError, ValueError):
        low, high = float("nan"), float("nan")
    if not 0 < low < high < float("inf"):
        raise PlanError(
            f"within is {within!r}; accepted are two numbers of bits, the smaller first, as (1, 20)"
        )
    return low, high


def _levels(precision: Precision, bits: Array) -> Levels:
    return _Real((Level(precision),) * len(bits), bits_at=tuple(map(float, bits)))


def _is_defined(member: Member, precision: Precision, bits: float) -> bool:
    """Whether the law has a loss there: two factors below zero would make a positive product."""
    groups = () if member.group is None else (member.group,)
    x = Inputs(
        np.array([1e9]),
        np.array([1e11]),
        _levels(precision, np.array([bits])),
        np.zeros(1, dtype=np.intp),
        groups=groups,
        group=np.zeros(len(groups), dtype=np.intp),
    )
    try:
        return bool(np.isfinite(member.law.loss(x)).all())
    except DomainError:
        return False


def _space(bits: Array, most: float, device: Hardware, params: float | None) -> Space:
    """What the budget leaves at each number of bits."""
    none = np.zeros(len(bits))
    each, once = (none, bits) if device.is_free_to_train else (6.0 * bits / 16.0, none)
    spending = Spending("train", each, once, most)
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
