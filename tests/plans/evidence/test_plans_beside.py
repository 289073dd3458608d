"""A plan beside published models: rows of the report, points of the picture."""

import re

import pytest

from isoloss.plans import Budget, plan
from isoloss.plans.costs import RUNS
from isoloss.runs import MODELS

HELD = Budget(params="8B", tokens="16T")


def test_the_report_ends_with_the_nearest_published_models() -> None:
    found = plan("kumar2024", HELD, "h100", precision="bf16", extrapolate=True)
    last = found.sections()[-1]
    assert last.title == "Beside published models"
    here, first = last.rows[:2]
    assert here[:5] == ("this plan", "8B", "8B", "16T", "2k")
    llama = MODELS["llama3-8b"]
    assert first[0] == "llama3-8b"
    assert first[6] == f"{15 / 16 * llama.active / 8e9:.3g}"
    assert first[7:] == ("1.3M h100", llama.source)
    assert [row[0] for row in last.rows[1:]] == [
        m for m in (r[0] for r in last.rows) if m in MODELS
    ]


def test_what_is_no_language_model_stands_beside_none() -> None:
    from dataclasses import replace

    found = plan("kumar2024", HELD, "h100", precision="bf16")
    other = replace(found, metric="excess_risk")
    assert "Beside published models" not in str(other)
    assert re.search("Beside published models", str(found))


@pytest.mark.parametrize("name", [name for name in RUNS if name in MODELS])
def test_models_and_the_runs_behind_rates_have_the_same_numbers(name: str) -> None:
    run, model = RUNS[name], MODELS[name]
    assert run.params == pytest.approx(model.active, rel=0.01)
    assert (run.tokens, run.hours) == (model.tokens, model.hours)
    assert (run.device or run.machine).lower() == model.device
