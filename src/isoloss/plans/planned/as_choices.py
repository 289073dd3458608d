"""Candidates of a plan as choices: best first, each with its intervals and what it costs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.special import ndtri

from isoloss.fits import Standing
from isoloss.laws import Array, plain
from isoloss.plans.budget import Budget
from isoloss.plans.costs import Hardware, Range, Rate, counted_over_rule
from isoloss.plans.doubt import FAR, NO_INTERVAL, interval
from isoloss.plans.evidence import Choice
from isoloss.plans.planned.panels import Planned, Plans, differences
from isoloss.plans.planned.ridges import Ridge, ridges_of, widened
from isoloss.plans.problems import PlanError
from isoloss.plans.search import Space, far, order_of, serving_bytes, training_bytes, why_none


@dataclass(frozen=True)
class Use:
    """What every choice is judged by: the budget, the machine, and the coverage of intervals."""

    budget: Budget
    device: Hardware
    level: float
    _kept: dict[int, tuple[Ridge, ...]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def price(self) -> float:
        """Of a device hour; NaN where the budget has none."""
        return float("nan") if self.budget.price is None else self.budget.price

    def ridges(self, found: Planned) -> tuple[Ridge, ...]:
        """The ridges of the laws of a plan, followed once."""
        if id(found) not in self._kept:
            self._kept[id(found)] = ridges_of(found, self.budget, self.level)
        return self._kept[id(found)]


def ranked(plans: Plans) -> tuple[list[int], Array, dict[str, str]]:
    """The candidates that can be planned, best first, their differences, and why others are lost.

    Those that no law sees stand last: bounds before what is unknown.
    """
    candidates = plans.panel.precisions
    own = [plans.of(k) for k in range(len(candidates))]
    loss = np.array([float(p.mean.loss[0, p.at(k)]) for k, p in enumerate(own)])
    if not np.isfinite(loss).any():
        names = ", ".join(f"'{p}'" for p in candidates)
        raise PlanError(f"none of the candidates {names} can be planned within {plans.budget}")
    known = [int(k) for k in np.flatnonzero(np.isfinite(loss))]
    seen = [k for k in known if plans.panel.seers[k]]
    difference = np.full((len(loss), len(loss)), np.nan)
    difference[np.ix_(seen, seen)] = differences(plans, seen)
    order = [seen[i] for i in order_of(difference[np.ix_(seen, seen)], loss[seen])]
    rest = [k for k in known if k not in seen]
    order += sorted(rest, key=lambda k: (plans.panel.readers(k)[1] == "unknown", loss[k]))
    lost = {str(p): _lost(k, plans) for k, p in enumerate(candidates) if k not in known}
    return order, difference, lost


def _lost(k: int, plans: Plans) -> str:
    """Why a candidate has no plan."""
    why = why_none(plans.space, k, plans.budget, plans.device)
    no_loss = "no loss at any size that the budget allows, or not for all replicates of all laws"
    return f"'{plans.panel.precisions[k]}': {why or no_loss}"


def beside_first(
    k: int, leader: int, first: Choice, plans: Plans, use: Use, difference: Array
) -> Choice:
    """Candidate `k` beside the first choice, of candidate `leader`: planned, or priced at its size
    where no law sees it.

    A law that reads a candidate as another one knows its best size no better than its loss.
    """
    if k == leader:
        return first
    if plans.panel.readers(k)[1] == "unknown":
        return unseen_choice(k, plans.space, first, use)
    least = plans.more_at_least(k, leader)
    return replace(choice_of(k, plans, use, float(difference[k, leader])), more_at_least=least)


def choice_of(k: int, plans: Plans, use: Use, more: float) -> Choice:
    """One candidate with its plan; `more` is its loss over that of the first choice."""
    found = plans.of(k)
    j, space = found.at(k), found.space
    n, d = float(found.mean.params[0, j]), float(found.mean.tokens[0, j])
    places = [far(m, n, d, use.budget.unique_tokens) for m in found.members]
    outside = max((o for o in places if o == o), default=1.0)
    standing = plans.panel.readers(k)[1]
    params, tokens, loss, hours = _intervals(found, j, outside, use, standing)
    return Choice(
        precision=str(space.precisions[j]),
        params=n,
        tokens=d,
        loss=float("nan") if standing == "unknown" else float(found.mean.loss[0, j]),
        params_interval=params,
        tokens_interval=tokens,
        loss_interval=loss,
        probability=plans.share_won(k),
        laws=tuple(m.law.name for m in found.members),
        standing=standing,
        more=more,
        outside=outside,
        is_point=found.is_point,
        paid_hours_interval=hours,
        money_interval=(hours[0] * use.price, hours[1] * use.price),
        **_priced(n, d, j, space, use, found.in_doubt),
    )


def _priced(
    n: float, d: float, j: int, space: Space, use: Use, in_doubt: bool = False
) -> dict[str, Any]:
    """What params and tokens cost in one precision of a space: the fields of a choice."""
    spent = {s.name: float(s.spent(n, d)[j] / s.most) for s in space.spendings}
    binding = [name for name, share in spent.items() if share > 1 - 1e-6]
    if space.params is None and np.log(n) > space.cap[j] - 1e-6:
        binding.append(space.capped_by[j])
    rate = space.rates[j]
    paid = float("nan") if space.hours is None else float(space.hours.spent(n, d)[j])
    hours = float("nan") if use.device.is_abstract else 6.0 * n * d / rate.flops / 3600.0
    return {
        "binding": tuple(binding), "spent": spent, "flop": 6.0 * n * d * rate.cost,
        "device_hours": hours,
        "serving_bytes": float(plain(serving_bytes(n, space.precisions[j], use.budget))),
        "counted": _counted(n, use.budget), "paid_hours": paid,
        "wall_hours": paid / (use.budget.devices or float("nan")), "money": paid * use.price,
        "training_bytes": training_bytes(n, use.budget, use.device),
        "all_params": n if use.budget.all_params is None else use.budget.all_params,
        "epochs": d / (use.budget.unique_tokens or float("nan")), **_rates(rate, in_doubt),
    }  # fmt: skip


def unseen_choice(j: int, space: Space, first: Choice, use: Use) -> Choice:
    """A candidate at which no law is defined: its costs at the size of the first choice.

    Fewer params, or fewer tokens, where its limits leave no more.
    """
    n = min(first.params, float(np.exp(space.most_params()[j])))
    log_n = np.full((1, len(space)), np.log(n))
    d = min(first.tokens, float(np.exp(plain(space.frontier(log_n))[0, j])))
    priced = _priced(n, d, j, space, use) | {"binding": ()}
    hours = _hours_at(space.rates[j], priced["device_hours"], priced["paid_hours"], use.level)
    return Choice(
        precision=str(space.precisions[j]),
        params=n,
        tokens=d,
        loss=float("nan"),
        params_interval=NO_INTERVAL,
        tokens_interval=NO_INTERVAL,
        loss_interval=NO_INTERVAL,
        probability=float("nan"),
        standing="unknown",
        outside=float("nan"),
        is_point=first.is_point,
        paid_hours_interval=hours,
        money_interval=(hours[0] * use.price, hours[1] * use.price),
        **priced,
    )


def _hours_at(rate: Rate, training: float, paid: float, level: float) -> tuple[float, float]:
    """The interval of device hours at known params and tokens, over the rate alone; NaN where that
    is taken as exact.
    """
    if rate.is_point:
        return NO_INTERVAL
    z = float(ndtri(0.5 + level / 2))
    own = Range(rate.interval[0], rate.flops, rate.interval[1], rate.basis)
    slow, fast = (float(v) for v in own.at(np.array([-z, z])))
    served = paid - training
    return served + training * rate.flops / fast, served + training * rate.flops / slow


def _counted(params: float, budget: Budget) -> float:
    """Exact training FLOPs over the 6 N D of costs; NaN for experts of unknown shape."""
    if budget.decoder is None and budget.all_params is not None:
        return float("nan")
    return counted_over_rule(params, budget.decoder)


def _rates(rate: Rate, in_doubt: bool) -> dict[str, Any]:
    """What a choice keeps of its rate."""
    told = {"rate": rate.how, "emulated": rate.emulated, "in_doubt": in_doubt}
    if rate.speed_up is None:
        return told
    gain = rate.speed_up
    return told | {
        "rate_interval": rate.interval, "speed_up": gain.middle, "basis": rate.basis,
        "speed_up_interval": (gain.low, gain.high), "runs_in": rate.runs_in,
    }  # fmt: skip


def _intervals(
    found: Planned, j: int, outside: float, use: Use, standing: Standing
) -> list[tuple[float, float]]:
    """The intervals of params, tokens, loss and device hours; NaN where there is none.

    Hours are known of a choice whatever its loss, so rates that are drawn give theirs an interval
    where no law gives one.
    """
    none = [NO_INTERVAL] * 3
    if found.is_point or outside > FAR or standing != "seen":
        return [*none, _hours(found, j, use) if found.in_doubt else NO_INTERVAL]
    best, ends = found.drawn, []
    held = np.isfinite(best.loss[:, j])
    if not held.any():  # at no rate that was drawn does it keep within the budget
        return [*none, _hours(found, j, use)]
    for name in ("params", "tokens", "loss"):
        own = interval(getattr(best, name)[held, j], found.weights[held], use.level)
        along = [(r.weight, getattr(r, name)) for r in use.ridges(found)]
        ends.append(widened(own, along, j, use.level))
    along = [(r.weight, r.hours) for r in use.ridges(found) if r.hours is not None]
    return [*ends, widened(_hours(found, j, use), along, j, use.level)]


def _hours(found: Planned, j: int, use: Use) -> tuple[float, float]:
    """The interval of the device hours of a candidate; NaN on a cost model."""
    if found.hours is None or found.hours_weights is None:
        return NO_INTERVAL
    held = np.isfinite(found.hours[:, j])
    return interval(found.hours[held, j], found.hours_weights[held], use.level)
