"""The verb `plan`: a budget in; the best params, tokens and precision out, with intervals."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from isoloss.fits import Comparison, ResultWarning, Standing, WarningKind
from isoloss.laws import Array, plain
from isoloss.plans.budget import Budget, BudgetLike, as_budget, machine_of
from isoloss.plans.checks import Spellings, as_count, check_level, check_switch
from isoloss.plans.costs import Hardware, Rate, counted_over_rule
from isoloss.plans.doubt import FAR, NO_INTERVAL, interval
from isoloss.plans.evidence import Choice, LawPlan, Question, lies_between
from isoloss.plans.inherited import withheld_by_fits
from isoloss.plans.panels import Planned, Plans, differences
from isoloss.plans.problems import PlanError
from isoloss.plans.result import Plan
from isoloss.plans.ridges import Ridge, ridges_of, widened, withheld_by_ridges
from isoloss.plans.search import (
    LawsLike,
    Panel,
    Space,
    far,
    levels_of,
    loss_of,
    members_of,
    metric_of_all,
    order_of,
    repeating,
    search,
    serving_bytes,
    space_of,
    training_bytes,
)
from isoloss.plans.warnings_of_plan import (
    disagreeing,
    emulated_of,
    memory_of,
    mixture_warning,
    no_one_size,
    outside_of,
    unsure,
    warnings_of,
)
from isoloss.plans.what_laws_see import (
    Spelled,
    candidates_of,
    check_told,
    defined_nowhere,
    known_of,
    not_repeating,
    not_told_apart,
    silent,
    unseen_of,
)
from isoloss.runs import compact


def plan(
    laws: LawsLike,
    budget: BudgetLike,
    hardware: str | Hardware | None = None,
    *,
    precision: Spellings | None = None,
    extrapolate: bool = False,
    draws: int = 1000,
    level: float = 0.9,
    group: str | None = None,
) -> Plan:
    """The params, tokens and precision of least expected loss that a budget allows on a machine.

    Parameters
    ----------
    laws
        A fit, a comparison (all its laws by weight), a law or its name, a list of these, a mapping
        of names to weights, or "published": every published law that has its constants.
    budget
        A Budget, a mapping of its words, a sentence, as "64 h100 for 30 days", or compute alone, as
        "1e21 flop".
    hardware
        A machine by name, or a Hardware; it may be left out where the budget names it.
    precision
        The candidates: a spelling, a Precision, or a list; by default those of the fitted runs,
        bf16 where there are none.
    extrapolate
        Recommend one choice also outside the region of the runs, where it is withheld otherwise.
    draws
        How many bootstrap replicates of the laws are planned again, for the intervals.
    level
        Coverage of the intervals, 0.9 = 90%.
    group
        Whose constants, where a law has some for each of several groups.

    Returns
    -------
    Plan
        The choices, least expected loss first.

    Raises
    ------
    PlanError
        An argument is of the wrong kind, no law knows a candidate, laws cannot tell the candidates
        apart, or the budget allows no model or limits too little.
    """
    budget = as_budget(budget)
    device = machine_of(budget, hardware)
    draws = as_count("draws", draws)
    check_level(level, draws)
    check_switch("extrapolate", extrapolate)
    use, asked = Use(budget, device, level), candidates_of(laws, precision)
    if (fresh := _without_repetition(laws, asked, use, draws, extrapolate, group)) is not None:
        return fresh
    return _plan(laws, asked, use, draws, extrapolate, group)


def _without_repetition(
    laws: LawsLike, asked: Spelled, use: Use, draws: int, extrapolate: bool, group: str | None
) -> Plan | None:
    """The plan where all tokens are unique, if no choice needs more of them than there are."""
    unique = use.budget.unique_tokens
    if unique is None:
        return None
    try:
        fresh = replace(use, budget=use.budget.with_unique(None))
        found = _plan(laws, asked, fresh, draws, extrapolate, group)
    except PlanError:  # without repetition nothing may bound the tokens
        return None
    if any(c.tokens > unique * (1 + 1e-9) for c in found.choices):
        return None
    words = f"none, {compact(unique)} unique tokens are as many as are trained on, or more"
    return replace(found, budget=str(use.budget), repetition=words)


def _plan(
    laws: LawsLike, asked: Spelled, use: Use, draws: int, extrapolate: bool, group: str | None
) -> Plan:
    """The plan, once its arguments are checked."""
    budget, device, level = use.budget, use.device, use.level
    repeated = repeating(members_of(laws, group), budget.unique_tokens)
    members = repeated.members
    metric = metric_of_all(members)
    candidates, nowhere = known_of(members, asked[0])
    panel = Panel.of(members, candidates)
    check_told(panel)
    space = space_of(budget, device, (*candidates, *nowhere))
    plans = Plans(panel, space.pick(range(len(candidates))), budget, draws, device)
    order, difference, lost = _ranked(plans)
    found, first = plans.of(order[0]), _choice(order[0], plans, use, 0.0)
    choices = tuple(_beside(k, first, plans, use, difference) for k in order)
    bare = tuple(_unseen(k, space, first, use) for k in range(len(candidates), len(space)))
    own = [i for i, row in enumerate(panel.views) if any(view.sees for view in row)]
    by_law = tuple(_of_law(i, plans) for i in own or range(len(members)))
    outside = outside_of(found.members, first)
    reasons = (
        *unsure(choices, difference, order, panel), outside,
        repeated.outside(first.tokens, budget.unique_tokens), withheld_by_fits(found.members),
        withheld_by_ridges(use.ridges(found), found.at(order[0]), level),
    )  # fmt: skip
    withheld = None if extrapolate else "; ".join(filter(None, reasons)) or None
    extra = (ResultWarning(WarningKind.EXTRAPOLATION, outside),) if outside and extrapolate else ()
    warnings = (
        *extra, *memory_of(first, budget, device), *emulated_of((*choices, *bare), device),
        *mixture_warning(found.members, found.counts, first, budget),
        *repeated.warnings(first.tokens, budget.unique_tokens), *not_repeating(repeated.left_out),
        *silent(panel, own), *(laws.warnings if isinstance(laws, Comparison) else ()),
        *disagreeing(by_law), *not_told_apart(panel), *unseen_of(panel), *defined_nowhere(nowhere),
        *lies_between(members, draws, choices, budget),
        *warnings_of(found.members, first, device, found.space, found.at(order[0])),
    )  # fmt: skip
    question = Question(
        found.members, found.counts, budget, device, found.space, found.drawn, found.weights,
        panel, plans.space,
    )  # fmt: skip
    return Plan(
        (*choices, *bare), by_law, str(budget), str(device), level, withheld, {**asked[1], **lost},
        tuple(dict.fromkeys(warnings)), question=question, metric=metric,
        currency=budget.currency, devices=budget.devices, apart=no_one_size(by_law),
        repetition=repeated.words(first.tokens, budget.unique_tokens),
        training_memory=_kept_in_training(first, budget, device),
    )  # fmt: skip


def _kept_in_training(first: Choice, budget: Budget, device: Hardware) -> str | None:
    """What training the first choice keeps on each device, and by which rule; None where devices
    are not known or no limit is asked for.
    """
    if first.training_bytes != first.training_bytes or budget.training_memory is None:
        return None
    return (
        f"{first.training_bytes / 1e9:.4g} of {device.memory / 1e9:.4g} GB on each of "
        f"{budget.devices} {device.name} ({budget.training_memory.in_words})"
    )


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


def _ranked(plans: Plans) -> tuple[list[int], Array, dict[str, str]]:
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
    why = "no loss at any size that the budget allows, or not for all replicates of all laws"
    lost = {str(p): f"'{p}': {why}" for k, p in enumerate(candidates) if k not in known}
    return order, difference, lost


def _beside(k: int, first: Choice, plans: Plans, use: Use, difference: Array) -> Choice:
    """One candidate beside the first choice: planned, or priced at its size where no law sees it.

    A law that reads a candidate as another one knows its best size no better than its loss.
    """
    own = str(plans.panel.precisions[k])
    if own == first.precision:
        return first
    if plans.panel.readers(k)[1] == "unknown":
        return _unseen(k, plans.space, first, use)
    names = [str(p) for p in plans.panel.precisions]
    return _choice(k, plans, use, float(difference[k, names.index(first.precision)]))


def _choice(k: int, plans: Plans, use: Use, more: float) -> Choice:
    """One candidate with its plan; `more` is its loss over that of the first choice."""
    found = plans.of(k)
    j, space = found.at(k), found.space
    n, d = float(found.mean.params[0, j]), float(found.mean.tokens[0, j])
    outside = max((o for m in found.members if (o := far(m, n, d)) == o), default=1.0)
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


def _unseen(j: int, space: Space, first: Choice, use: Use) -> Choice:
    """A candidate at which no law is defined: its costs at the size of the first choice.

    Fewer params, or fewer tokens, where its limits leave no more.
    """
    n = min(first.params, float(np.exp(space.most_params()[j])))
    log_n = np.full((1, len(space)), np.log(n))
    d = min(first.tokens, float(np.exp(plain(space.frontier(log_n))[0, j])))
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
        **_priced(n, d, j, space, use),
    )


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


def _of_law(i: int, plans: Plans) -> LawPlan:
    """What one law alone would do with the budget, among the candidates that it sees."""
    member, row = plans.panel.members[i], plans.panel.views[i]
    seen = [k for k, view in enumerate(row) if view.sees]
    if seen and member.drawn is None:  # without replicates its mean loss is its loss
        found = plans.alone(i)
        space, best = found.space, found.mean
    else:
        defined = [k for k, view in enumerate(row) if view.undefined is None]
        space = plans.space.pick(seen or defined)
        loss = loss_of(member, member.values, levels_of(space.precisions), plans.budget)
        best = search(loss, space)
    k = int(np.argmin(best.loss[0]))
    n, d = float(best.params[0, k]), float(best.tokens[0, k])
    return LawPlan(
        member.law.name,
        member.weight,
        str(space.precisions[k]),
        n,
        d,
        float(best.loss[0, k]) if seen else float("nan"),
        far(member, n, d),
    )
