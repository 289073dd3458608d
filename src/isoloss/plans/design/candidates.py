"""Candidates for the next runs: a grid of params, tokens and precisions, and what each costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoloss.formats import Precision
from isoloss.laws import Array, Box, Inputs, as_inputs
from isoloss.plans.budget import Budget
from isoloss.plans.costs import Dimension, Hardware, amount, rate_of
from isoloss.plans.problems import PlanError
from isoloss.plans.search import spendings_of
from isoloss.runs import compact

#: How far above the fitted runs candidates reach, as a factor, and how many sizes and lengths there
#: are.
UP, POINTS = 4.0, 13
BF16 = Precision("bf16")
Range = tuple[str | float, str | float]


@dataclass(frozen=True)
class Region:
    """The params, tokens and tokens per param that runs may have, as (least, most)."""

    params: tuple[float, float]
    tokens: tuple[float, float]
    ratio: tuple[float, float]


@dataclass(frozen=True)
class Candidates:
    """Possible runs with their cost (FLOPs of bf16): arrays (m,), the precision as an index."""

    params: Array
    tokens: Array
    which: NDArray[np.intp]
    cost: Array
    precisions: tuple[Precision, ...]

    def __len__(self) -> int:
        return len(self.params)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Candidates:
        """Some of them."""
        return Candidates(
            self.params[rows], self.tokens[rows], self.which[rows], self.cost[rows], self.precisions
        )

    def inputs(self, group: str | None) -> Inputs:
        """The inputs of a law for all of them."""
        spelled = [self.precisions[k] for k in self.which]
        return as_inputs(
            self.params, self.tokens, spelled, group=None if group is None else [group] * len(self)
        )


def region_of(box: Box, params: Range | None, tokens: Range | None) -> Region:
    """Where runs may lie: as given, or from the least fitted run to four times the largest.

    Raises PlanError for a range that cannot be read or whose ends are the wrong way round.
    """
    low, high = box.tokens_per_param
    free = params is not None or tokens is not None
    return Region(
        ends_of(box.params, params, "params"),
        ends_of(box.tokens, tokens, "tokens"),
        (0.0, float("inf")) if free else (low / UP, high * UP),
    )


def ends_of(
    fitted: tuple[float, float], given: Range | None, what: Dimension
) -> tuple[float, float]:
    """The range that is given, else from the least fitted count to four times the most.

    Raises PlanError for one that cannot be read or whose ends are the wrong way round.
    """
    if given is None:
        return fitted[0], fitted[1] * UP
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) != 2:
        raise PlanError(f"{what} is {given!r}; accepted are two counts, the smaller first")
    low, high = (amount(each, what, what) for each in given)
    if low > high:
        raise PlanError(
            f"{what} of the runs go from {given[0]} to {given[1]}; give the smaller one first"
        )
    return low, high


def grid(
    region: Region, sizes: int, lengths: int, machine: Hardware, precisions: Sequence[Precision]
) -> Candidates:
    """A regular grid over log params and log tokens in every precision, cut to the ratio."""
    formats = len(precisions)
    n = np.repeat(_steps(region.params, sizes), lengths * formats)
    d = np.tile(np.repeat(_steps(region.tokens, lengths), formats), sizes)
    which = np.tile(np.arange(formats), sizes * lengths)
    rate = np.array([rate_of(machine, p).cost for p in precisions])
    found = Candidates(n, d, which, 6.0 * n * d * rate[which], tuple(precisions))
    low, high = region.ratio
    return found.take((d / n >= low * (1 - 1e-9)) & (d / n <= high * (1 + 1e-9)))


def affordable(all_of_them: Candidates, most: float) -> Candidates:
    """The candidates that cost no more than all runs may.

    Raises PlanError, with the cheapest, where there is none.
    """
    k = int(np.argmin(all_of_them.cost)) if len(all_of_them) else -1
    if k < 0:
        raise PlanError(
            "no run has these params, tokens and tokens per param; widen params or tokens"
        )
    if all_of_them.cost[k] > most:
        a = all_of_them
        raise PlanError(
            f"{most:.3g} FLOPs pay for no run: the cheapest, {compact(a.params[k])} params on "
            f"{compact(a.tokens[k])} tokens in '{a.precisions[a.which[k]]}', costs "
            f"{a.cost[k]:.3g}; give more, or smaller params or tokens"
        )
    return all_of_them.take(all_of_them.cost <= most)


def regular(
    region: Region, side: int, machine: Hardware, precisions: Sequence[Precision], most: float
) -> Candidates | None:
    """The side x side grid in every precision that costs `most`, from the region's least corner.

    Both sides reach the same share of the region, in logarithms, and beyond it where the money is
    there for more. None where even runs that are all alike cost more.
    """

    def reaching(share: float) -> Candidates:
        ends = [(low, low * (high / low) ** share) for low, high in (region.params, region.tokens)]
        return grid(Region(ends[0], ends[1], region.ratio), side, side, machine, precisions)

    low, high = 0.0, 3.0
    if reaching(low).cost.sum() > most:
        return None
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if reaching(middle).cost.sum() <= most else (low, middle)
    return reaching(low)


def purse(budget: Budget, machine: Hardware) -> float:
    """The FLOPs of bf16 that a budget for runs pays for.

    Raises PlanError for limits other than money, time and compute, and where training is free.
    """
    others = [name for name in budget.limits if name not in ("train", "hours", "money")]
    if others:
        raise PlanError(
            "a budget for runs holds train, hours or money; "
            f"{', '.join(others)} belongs to the target"
        )
    if machine.is_free_to_train:
        raise PlanError(f"training is free on {machine.name}; name a device, or linear-bits")
    found = spendings_of(budget, machine, (BF16,), (rate_of(machine, BF16),))
    if not found:
        raise PlanError(
            "the budget pays for no run; give train, hours or money, as Budget('1e19 flop')"
        )
    return float(min(6.0 * s.most / s.each[0] for s in found))


def _steps(ends: tuple[float, float], count: int) -> Array:
    """Points evenly spaced in the logarithm, to three digits, which is what people train."""
    points = np.exp(np.linspace(np.log(ends[0]), np.log(ends[1]), count))
    return np.array([float(f"{v:.3g}") for v in points])
