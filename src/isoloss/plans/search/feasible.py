"""The space that a budget leaves on a machine, or why it leaves none.

**Within rates.** Hours and money are at the middle of rates that are ranges. Where params and
tokens are both held, a limit that they miss there may hold at other rates of the range: such
candidates stay, with `Spending.times` above 1, and `shares_within` says in what share of the draws
of rates they keep within the limit. Where no rate of the range suffices they are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from isoloss.formats import Precision
from isoloss.laws import Array
from isoloss.plans.budget import Budget
from isoloss.plans.costs import Hardware, RateDraws, in_doubt, rate_of_model
from isoloss.plans.problems import PlanError
from isoloss.plans.search.space import (
    LEAST_PARAMS,
    LEAST_TOKENS,
    TRAINING,
    Space,
    caps_of,
    decoding_bytes,
    device_hours,
    drawn_space,
    serving_bytes,
    spendings_of,
)
from isoloss.runs import compact

#: Draws of the rates behind the share of them that keep within a limit, and what is added to the
#: middle cost of held counts, so that rounding leaves them allowed.
DRAWN, SLACK = 4000, 1e-9


def space_of(budget: Budget, machine: Hardware, precisions: Sequence[Precision]) -> Space:
    """The space that a budget leaves on a machine.

    Raises PlanError where a limit needs a device and the machine is none, or no model fits.
    """
    rates = tuple(rate_of_model(machine, p, budget.decoder, budget.params) for p in precisions)
    spendings = tuple(spendings_of(budget, machine, precisions, rates))
    cap, capped_by = caps_of(budget, machine, precisions)
    params = None if budget.params is None else float(np.log(budget.params))
    tokens = None if budget.tokens is None else float(np.log(budget.tokens))
    hours = None if machine.is_abstract else device_hours(budget, machine, precisions, rates)
    space = Space(tuple(precisions), rates, spendings, cap, capped_by, params, tokens, hours)
    space = _within_rates(space, budget, machine)
    _check(space, budget, machine)
    return space


def _within_rates(space: Space, budget: Budget, machine: Hardware) -> Space:
    """The space with limits that held counts miss at the middle rates only."""
    held = _held(space, machine)
    if held is None:
        return space
    spent = [s.spent(*held) / s.most for s in space.spendings]
    least = _at_fastest(space, budget, machine)
    may = np.all([share <= 1 for share in least], axis=0)
    stretched = [np.where(may, np.maximum(1.0, share * (1 + SLACK)), 1.0) for share in spent]
    if not (np.array(stretched) > 1).any():
        return space
    pairs = zip(space.spendings, stretched, strict=True)
    return replace(space, spendings=tuple(replace(s, times=times) for s, times in pairs))


def _held(space: Space, machine: Hardware) -> tuple[float, float] | None:
    """Params and tokens where both are held and limited at rates in doubt, or None."""
    if space.params is None or space.tokens is None or not space.spendings:
        return None
    if not in_doubt(machine, space.rates):
        return None
    return float(np.exp(space.params)), float(np.exp(space.tokens))


def _at_fastest(space: Space, budget: Budget, machine: Hardware) -> list[Array]:
    """The share of each limit that held counts take at the fastest of the rates, (n,) each.

    FLOPs of bf16 fall with the speed-up alone, hours and money with the whole rate.
    """
    n, d = float(np.exp(space.params or 0.0)), float(np.exp(space.tokens or 0.0))
    asked = budget, machine, space.precisions, space.rates
    gains = [1.0 / r.speed_up.high if r.speed_up else r.cost for r in space.rates]
    level = machine.level.high
    whole = [level / r.interval[1] for r in space.rates]
    base = np.full((1, 1), level)
    by_speed = {s.name: s for s in spendings_of(*asked, (np.array([gains]), base))}
    by_rate = {s.name: s for s in spendings_of(*asked, (np.array([whole]), base))}
    found = ((by_speed if s.name == "train" else by_rate)[s.name] for s in space.spendings)
    return [np.reshape(s.spent(n, d) / s.most, -1) for s in found]


def shares_within(space: Space, budget: Budget, machine: Hardware) -> Array:
    """The share of the draws of rates at which held params and tokens keep within every limit, by
    precision, (n,); NaN where they are not held or rates are exact.
    """
    held = _held(space, machine)
    if held is None:
        return np.full(len(space), np.nan)
    drawn = drawn_space(space, budget, machine, RateDraws.of(machine, DRAWN))
    within = [s.spent(*held) <= s.most for s in drawn.spendings]
    return np.asarray(np.mean(np.all(within, axis=0), axis=0))


def why_none(space: Space, k: int, budget: Budget, machine: Hardware) -> str | None:
    """Why the budget leaves no model in one precision of a space, or None where it leaves some."""
    try:
        _check(space.take(k), budget, machine)
    except PlanError as error:
        return str(error)
    return None


def _check(space: Space, budget: Budget, machine: Hardware) -> None:
    """Raise PlanError where no precision allows any model, with the limit and what would do."""
    smallest = LEAST_PARAMS if space.params is None else space.params
    room = np.minimum(space.most_params(), space.cap)
    if (room >= smallest - 1e-12).any():
        return
    k = int(np.argmax(room))
    params, size = float(np.exp(smallest)), f"{compact(np.exp(smallest))} params"
    if space.cap[k] < smallest:
        raise PlanError(_too_large(space, k, params, budget, machine))
    tokens = np.exp(LEAST_TOKENS if space.tokens is None else space.tokens)
    worst = max(space.spendings, key=lambda s: float(s.spent(params, tokens)[k]) / s.most)
    need = float(worst.spent(params, tokens)[k]) / worst.most
    given = getattr(budget, worst.name)
    unit = f" {budget.currency}" if worst.name == "money" and budget.currency else ""
    would = f"{given * need:.4g}{unit} would do"
    if _held(space, machine) is not None:
        which = space.spendings.index(worst)
        least = float(_at_fastest(space, budget, machine)[which][k])
        would += f" at the middle of the rates, {given * least:.4g}{unit} at their fastest"
    elif worst.name != "train" and in_doubt(machine, space.rates):
        would += " at the middle of the rates"
    cheapest = ", the cheapest of the candidates" if len(space) > 1 else ""
    raise PlanError(
        f"{worst.name} {given:.4g}{unit} does not pay for {size} on {compact(tokens)} tokens in "
        f"'{space.precisions[k]}'{cheapest}; {would}"
    )


def _too_large(space: Space, k: int, params: float, budget: Budget, machine: Hardware) -> str:
    """Why no candidate of so many params meets a limit on memory or speed, and what would do.

    The smallest is named where all miss the limit; else the one, `k`, that comes nearest to all
    limits, as a smaller one misses another.
    """
    size, rule, limit = f"{compact(params)} params", budget.training_memory, space.capped_by[k]
    if limit == TRAINING and budget.devices is not None and rule is not None:
        model = budget.decoder, budget.all_params
        why = rule.why_not(params, budget.devices, machine.memory, machine.name, *model)
        return f"{why}; training_memory='off' (--training-memory off) plans without this limit"
    counted = serving_bytes if limit == "memory" else decoding_bytes
    needs = [float(counted(params, p, budget)) for p in space.precisions]
    pairs = list(zip(needs, map(str, space.precisions), strict=True))
    (need, precision), rank = min(pairs), ("smallest", "fastest")
    if (space.cap >= np.log(params)).any():
        (need, precision), rank = pairs[k], ("nearest to all limits",) * 2
    of = f", the {rank[0]} of the candidates" if len(space) > 1 else ""
    if limit == "memory":
        return (
            f"memory {float(budget.memory or 0) / 1e9:.4g} GB holds no model of {size} in "
            f"'{precision}'{of}; {need / 1e9:.4g} GB would do"
        )
    reached = machine.bandwidth * budget.serving_devices / need
    devices = np.ceil((budget.speed or 0.0) / reached * budget.serving_devices)
    return (
        f"no model of {size} decodes at {budget.speed:.4g} tokens/s on {machine.name} "
        f"('{precision}' is the {rank[1]}); {reached:.4g} tokens/s would do, or {devices:.0f} "
        "serving devices"
    )
