"""Plans as JSON files, and back: the charts of a plan go with it, so that it can be drawn without its laws."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from isoloss.fits import FILES as BELOW
from isoloss.fits import Comparison, Fit
from isoloss.laws import Box, Law
from isoloss.plans.charts import Charts, Curve, Frontier, Served, Serving, Surface
from isoloss.plans.result import Choice, LawPlan, Plan, Regret

#: What this room saves, beside what fits save; "question" holds the laws, which a plan is read without.
FILES = BELOW.also(
    {"plan": Plan},
    [Plan, Choice, LawPlan, Regret, Charts, Surface, Frontier, Curve, Serving, Served, Box],
    {"question"},
)


def save(plan: Plan, path: str | Path, force: bool = False) -> Path:
    """The path of the JSON file that was written. Raises FitError when it exists and ``force`` is not given."""
    return FILES.save(replace(plan, drawn=plan.charts, judged=plan.regrets), path, force)


def load(path: str | Path) -> Fit | Comparison | Law | Plan:
    """The fit, comparison, law or plan that was saved.

    Raises FitError for a file that is none of ours or of a newer schema.
    """
    thing = FILES.load(path)
    assert isinstance(thing, Fit | Comparison | Law | Plan)
    return thing
