"""A plan beside published models: rows of the report, points of the picture."""

import inspect
import re

import pytest

from isoloss.plans import Budget, plan
from isoloss.plans.costs import RUNS, published_runs
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
def test_runs_behind_rates_have_the_params_of_their_models(name: str) -> None:
    assert RUNS[name].params == pytest.approx(MODELS[name].active, rel=0.01)


def test_hours_of_models_stand_in_one_place() -> None:
    """The runs behind rates read them in the list of models and write none again."""
    source = inspect.getsource(published_runs)
    hours = [m.hours for m in MODELS.values() if m.name in RUNS]
    assert len(hours) == 7
    assert [h for h in hours if f"{h:_.0f}" in source or f"{h / 1e6:g}e6" in source] == []
    assert RUNS["deepseek-v3"].device == "H800"
    assert (RUNS["llama2-7b"].device, RUNS["llama2-7b"].hours) == ("", 184_320)


@pytest.mark.parametrize(
    ("held", "said"),
    [
        # 6 x 8e9 x 15e12 at the middle of an H100's rates against 1.3M hours for 8.03e9.
        (("8B", "15T"), "llama3-8b took 1.3M hours on h100 in bf16, 8.03B params on 15T tokens"),
        (("70B", "14T"), "llama3-70b took 6.4M hours on h100 in bf16"),
    ],
)
def test_a_published_run_stands_beside_the_hours(held: tuple[str, str], said: str) -> None:
    budget = Budget(params=held[0], tokens=held[1])
    found = plan("kumar2024", budget, "h100", precision=["int8 g:int8", "bf16"])
    (choice,) = (c for c in found.choices if c.precision == "bf16")
    (told,) = found.published
    run = RUNS[said.split()[0]]
    hours = run.hours * choice.params * choice.tokens / run.params / run.tokens
    low, high = choice.paid_hours_interval
    where = "inside" if low < hours < high else "outside"
    ratio = hours / choice.paid_hours
    assert told.startswith(f"published: {said}")
    assert told.endswith(f": per FLOP {ratio:.2f} times the hours of 'bf16', {where} the interval")
    assert where == ("outside" if run.name == "llama3-8b" else "inside")
    assert f"  {told}\n" in str(found)


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (("65B", "1.4T"), "llama1-65b took 1.02M hours on a100 in bf16 (assumed), 65.3B params"),
        (("7B", "1T"), "llama1-7b took 82.4k hours on a100 in bf16 (assumed), 6.74B params"),
        (("176B", "366B"), "bloom-176b took 1.08M hours on a100 in bf16, 176B params"),
    ],
)
def test_a_format_that_its_authors_do_not_say_is_assumed(held: tuple[str, str], said: str) -> None:
    found = plan("kumar2024", Budget(params=held[0], tokens=held[1]), "h100", precision="bf16")
    assert found.published[0].startswith(f"published: {said}")


def test_runs_of_other_machines_formats_and_sizes_are_not_compared() -> None:
    held = {"precision": "bf16"}
    (other,) = plan("kumar2024", Budget(params="8B", tokens="15T"), "a100", **held).published
    assert other.endswith("8.03B params on 15T tokens")
    (fp8,) = plan("sun2025", Budget(params="37B", tokens="15T"), "h200", **held).published
    assert fp8.startswith("published: deepseek-v3 took 2.66M hours on H800 in fp8")
    assert fp8.endswith("tokens")
    asked = {"precision": "e4m3 g:e4m3"}
    (same,) = plan("sun2025", Budget(params="37B", tokens="15T"), "h200", **asked).published
    assert "times the hours of 'w:e4m3 a:e4m3 kv:e4m3 g:e4m3', inside" in same
    far = plan("kumar2024", Budget(params="8B", tokens="8T"), "h100", **held)
    assert far.published == ()
    rate = "2500 tokens/s at 8B"
    served = Budget(params="8B", tokens="15T", served="1T", serve_rate=rate)
    (paid,) = plan("kumar2024", served, "h100", **held).published
    assert paid.endswith("times the hours of 'bf16'")
