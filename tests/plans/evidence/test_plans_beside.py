"""A plan beside published models: rows of the report, points of the picture."""

import re

from isoloss.plans import Budget, plan
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
    assert first[7:] == ("1.46M h100", llama.source)
    assert [row[0] for row in last.rows[1:]] == [
        m for m in (r[0] for r in last.rows) if m in MODELS
    ]


def test_what_is_no_language_model_stands_beside_none() -> None:
    from dataclasses import replace

    found = plan("kumar2024", HELD, "h100", precision="bf16")
    other = replace(found, metric="excess_risk")
    assert "Beside published models" not in str(other)
    assert re.search("Beside published models", str(found))
