"""Plans and rankings of formats to serve as plain data for ``--json``; every number has a unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from math import isinf, isnan
from typing import Any

from isoloss.plans import BreakEven, Choice, LawBreakEven, Plan, ServingPlan
from isoloss.runs import metric_of, nearest_models

SHARE, TIMES = "share, 0 to 1", "times (a ratio)"
#: The unit of every number of a plan that is no loss and no sum of money, by its name.
UNITS = {
    "params": "parameters", "params_interval": "parameters", "all_params": "parameters",
    "active": "parameters", "tokens": "tokens", "tokens_interval": "tokens", "level": SHARE,
    "probability": SHARE, "wasted": SHARE, "wasted_by_law": SHARE,
    "spent_share": "share of each limit at the middle of the rates, above 1 where it is missed",
    "power": "W, the most that a device draws",
    "pays": SHARE, "weight": SHARE, "flop": "FLOPs of bf16", "device_hours": "device hours",
    "paid_hours": "device hours", "paid_hours_interval": "device hours", "wall_hours": "hours",
    "hours": "device hours", "serving_bytes": "bytes", "training_bytes": "bytes a device",
    "counted": "times 6 N D", "outside": "times beyond the runs (1: inside)", "epochs": "epochs",
    "rate_interval": "FLOP/s a device", "speed_up": f"{TIMES}, steps over steps in bf16",
    "speed_up_interval": TIMES, "interval": TIMES, "published": TIMES, "reached": TIMES,
    "figures": "count", "sources": "count", "devices": "count",
}  # fmt: skip
LOSSES = ("loss", "loss_interval", "more", "more_at_least", "excess", "excess_interval")
SUMS = ("money", "money_interval", "bill")
#: What stands in JSON, where infinity would be null as what is unknown is.
NEVER, UNLIMITED = "never", "unlimited"


def of_plan(plan: Plan) -> dict[str, Any]:
    """What the printed report says: choices, laws, what is left out, warnings."""
    aside = ("question", "drawn", "judged", "priced", "spelled")
    bare = replace(plan, question=None, drawn=None, judged=None, priced=None, spelled=None)
    shown = {name: value for name, value in asdict(bare).items() if name not in aside}
    shown["choices"] = [_choice(each) for each in plan.choices]
    shown["regrets"] = [asdict(each) for each in plan.regrets]
    shown["break_evens"] = [_break_even(each) for each in plan.break_evens]
    shown["spellings"] = [asdict(each) for each in plan.spellings]
    shown["headline"] = list(plan.headline)
    first = plan.choices[0]
    if plan.metric == "nats":
        near = nearest_models(first.params, first.tokens)
        shown["published_models"] = [asdict(model) for model in near]
    return {"units": units_of_plan(plan), **shown}


def units_of_plan(plan: Plan) -> dict[str, str]:
    """The unit of every number of a plan, by name."""
    loss, money = metric_of(plan.metric).short, plan.currency or "the currency of the budget"
    return {**dict.fromkeys(LOSSES, loss), **UNITS, **dict.fromkeys(SUMS, money)}


def of_serving(found: ServingPlan) -> dict[str, Any]:
    """What the printed ranking says; what is infinite is said in a word."""
    gap = metric_of(found.metric).short
    units = {
        **dict.fromkeys(("gap", "gap_interval", "by_law", "at_least", "gap_of_all"), gap),
        "bytes": "bytes", "bytes_read": "bytes a step of decoding", "params": "parameters",
        "speed": f"tokens/s a sequence ('{UNLIMITED}' on a cost model)", "tokens": "tokens",
        "critical": f"tokens ('{NEVER}': more never hurt)", "all_params": "parameters",
        "outside": UNITS["outside"], "level": SHARE,
    }  # fmt: skip
    shown = asdict(found)
    for each, choice in zip(shown["choices"], found.choices, strict=True):
        each["critical"] = [_unless_infinite(end, NEVER) for end in choice.critical]
        each["speed"] = _unless_infinite(choice.speed, UNLIMITED)
        each["no_interval"] = choice.absent if isnan(choice.gap_interval[0]) else None
    return {"units": units, **shown}


def _choice(choice: Choice) -> dict[str, Any]:
    """A choice, with shares under a name that says so, and what binds unknown where it is."""
    shown = asdict(choice)
    shown["spent_share"] = shown.pop("spent")
    shown["binding"] = None if choice.standing == "unknown" else list(choice.binding)
    shown["no_interval"] = None if choice.has_interval else choice.absent
    return shown


def _break_even(each: BreakEven) -> dict[str, Any]:
    return {
        **_speed(each),
        "interval": [_unless_infinite(end, NEVER) for end in each.interval],
        "by_law": [_speed(law) for law in each.by_law],
    }


def _speed(each: BreakEven | LawBreakEven) -> Mapping[str, Any]:
    """A break-even with the word of the report where a law reads the format as another."""
    as_read = each.standing == "unknown" and not isnan(each.speed_up)
    return {
        **asdict(each),
        "speed_up": _unless_infinite(each.speed_up, NEVER),
        "standing": "as read" if as_read else each.standing,
    }


def _unless_infinite(value: float, word: str) -> float | str:
    return word if isinf(value) else value
