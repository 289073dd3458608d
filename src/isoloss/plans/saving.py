"""Plans and payoffs as kinds of files: the charts of a plan go with it, so that it is drawn without
its laws.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

from isoloss.files import KINDS, Kind, fields_of
from isoloss.files import load as load
from isoloss.plans.paying import Payoffs
from isoloss.plans.result import Plan


def _with_charts(plan: Plan) -> dict[str, Any]:
    told = {"judged": plan.regrets, "priced": plan.break_evens, "spelled": plan.spellings}
    return fields_of(replace(plan, drawn=plan.charts, **told))  # type: ignore[arg-type]


def check_plan(plan: Plan) -> None:
    """Raise ValueError where a plan that was read has no choices, one without a size, or a level
    that is no share.
    """
    if not plan.choices:
        raise ValueError("it has no choices")
    for each in plan.choices:
        for name in ("params", "tokens", "flop"):
            value = getattr(each, name)
            # Rounding a model that is there trains nothing.
            if not 0 <= value < inf or (value == 0 and name != "flop"):
                raise ValueError(
                    f"{name} of the choice {each.precision!r} is {value}; the file is damaged or "
                    "edited"
                )
    if not 0 < plan.level < 1:
        raise ValueError(f"level is {plan.level}; it must be above 0 and below 1")


def check_payoffs(found: Payoffs) -> None:
    """Raise ValueError where payoffs that were read are none, or a level that is no share."""
    if not found.payoffs:
        raise ValueError("it has no recipes")
    if not 0 < found.terms.level < 1:
        raise ValueError(f"level is {found.terms.level}; it must be above 0 and below 1")


KINDS.register("plan", Kind(Plan, to_json=_with_charts, check=check_plan))
KINDS.register("payoffs", Kind(Payoffs, check=check_payoffs))
