"""What runs cost in device hours, days and money, over the range of the machine's rates."""

from __future__ import annotations

from collections.abc import Callable

from isoloss.files import percent
from isoloss.plans.budget import Budget
from isoloss.plans.costs import COVERAGE, Hardware, Range, level_in_words
from isoloss.runs import compact


def cost_in_words(flop: float, budget: Budget, machine: Hardware) -> str | None:
    """Device hours of runs, the days of a budget's devices and the money at its price, each with
    the range of the rates that the hours rest on; None on a cost model.

    FLOPs of runs in other formats are counted as those of bf16 at the middle of their speed-ups.

    Parameters
    ----------
    flop
        Of all runs, counted as FLOPs of bf16.
    budget
        Whose devices and price are used, where it says any.
    machine
        On which the runs are trained.

    Returns
    -------
    str or None
        A sentence.
    """
    if machine.is_abstract:
        return None
    level = machine.level
    low, middle, high = (flop / rate / 3600.0 for rate in (level.high, level.middle, level.low))
    hours = Range(low, middle, high, level.basis)
    said = [f"{_ends(hours, compact)} device hours"]
    if budget.devices is not None:
        days = hours.times(1 / (24 * budget.devices))
        said.append(f"{_ends(days, _three)} days on {budget.devices} devices")
    if budget.price is not None:
        unit = f" {budget.currency}" if budget.currency else " (money)"
        said.append(f"{_ends(hours.times(budget.price), compact)}{unit}")
    over = "taken as exact" if level.is_point else f"ends of {percent(COVERAGE)}"
    if level.basis == "published":
        over += f", of models of {compact(machine.least_params)} params and more"
    return f"they cost: {', '.join(said)}; throughput: {level_in_words(machine)}, {over}"


def _ends(value: Range, write: Callable[[float], str]) -> str:
    """The middle of a range, and its ends where it is one."""
    if value.is_point:
        return write(value.middle)
    return f"{write(value.middle)} ({write(value.low)} to {write(value.high)})"


def _three(value: float) -> str:
    return f"{value:.3g}"
