"""Plans as a kind of file: charts go with the plan, so that it is drawn without its laws."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from isoloss.files import KINDS, Kind, fields_of
from isoloss.files import load as load
from isoloss.plans.result import Plan


def _with_charts(plan: Plan) -> dict[str, Any]:
    return fields_of(replace(plan, drawn=plan.charts, judged=plan.regrets))


KINDS.register("plan", Kind(Plan, to_json=_with_charts))
