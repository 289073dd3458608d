"""The headline of a plan: a range where laws have no common answer, rows for what no law sees."""

from __future__ import annotations

import numpy as np
import pytest

from isoloss.laws import preset
from isoloss.plans import Budget, LawPlan, PlanError, plan, rank_serving
from isoloss.plans.warnings_of_plan import disagreeing, no_one_size

HELD = Budget(params="150M", tokens="15B")


def alone(name: str, weight: float, params: float) -> LawPlan:
    return LawPlan(name, weight, "bf16", params, 1e10, 2.5, 1.0)


@pytest.mark.parametrize(
    ("times", "weight", "warned", "apart"),
    [(1.99, 0.5, False, False), (2.01, 0.5, True, False), (9.99, 0.5, True, False),
     (10.01, 0.5, True, True), (10.01, 0.05, True, True), (10.01, 0.049, False, False)],
)  # fmt: skip
def test_tenfold_is_no_common_answer(times, weight, warned, apart) -> None:
    laws = [alone("one", 1 - weight, 1e9), alone("other", weight, times * 1e9)]
    assert bool(disagreeing(laws)) == warned
    assert (no_one_size(laws) is not None) == apart


def test_laws_tenfold_apart_give_a_range_with_each_answer_and_no_star() -> None:
    near, far = preset("epoch2024"), preset("quest2025")
    for extrapolate in (False, True):
        found = plan([near, far], Budget("1e21 flop"), "h100", extrapolate=extrapolate)
        assert found.best is None
        text = str(found)
        assert "no one size: laws of weight would train 2.78B params (epoch2024) to 56.1B" in text
        assert "extrapolate=True" not in text
        assert {each.law for each in found.by_law} == {"epoch2024", "quest2025"}
    held = plan([near, far], Budget("1e21 flop", params="3B"), "h100", extrapolate=True)
    assert held.apart is None
    assert held.best is not None


def test_a_candidate_without_a_law_is_a_row_with_its_cost() -> None:
    asked = ["bf16", "w3 a3", "nvfp4"]
    found = plan("kumar2024", HELD, "h100", precision=asked)
    by = {c.precision: c for c in found.choices}
    assert list(by) == ["bf16", "nvfp4", "w3 a3"]
    for name in asked[1:]:
        c = by[name]
        assert (c.standing, c.absent) == ("unknown", "unknown")
        assert (c.params, c.tokens) == pytest.approx((1.5e8, 1.5e10))
        assert np.isnan([c.loss, c.more, c.probability, *c.loss_interval]).all()
        assert c.device_hours > 0
        row = next(line for line in str(found).splitlines() if line.startswith(f"  {name} "))
        assert row.count("unknown") == 7
    assert by["w3 a3"].serving_bytes == pytest.approx(1.5e8 * 3 / 8)
    assert any("no law sees 'w3 a3'" in w.text for w in found.warnings)


def test_its_size_is_that_of_the_first_choice_where_sizes_are_free() -> None:
    found = plan(
        "kumar2024", Budget("1e18 flop", memory="3 GB"), "h100", precision=["bf16", "w3 a3"]
    )
    first, other = found.choices
    assert (other.params, other.tokens) == (first.params, first.tokens)
    cost = other.flop / (6 * other.params * other.tokens)
    assert other.spent["train"] == pytest.approx(cost, rel=1e-6)


def test_what_one_law_bounds_stands_beside_what_it_sees() -> None:
    found = plan("hoffmann2022", HELD, "h100", precision=["bf16", "w4", "w8"])
    assert [c.standing for c in found.choices] == ["seen", "at least", "at least"]
    assert f"at least {preset('hoffmann2022')(1.5e8, 1.5e10):.4f}" in str(found)


@pytest.mark.parametrize("asked", [["w3 a3"], ["w3 a3", "w2 a2"]])
def test_only_where_no_candidate_is_known_it_is_an_error(asked) -> None:
    with pytest.raises(PlanError, match="no candidate is defined for any of 1 laws"):
        plan("kumar2024", HELD, "h100", precision=asked)


def test_no_common_law_is_said() -> None:
    found = plan(["kumar2024", "sun2025"], HELD, "linear-bits",
                 precision=["w5 a5", "w:e2m2/64 a:e2m2/64"])  # fmt: skip
    assert [c.standing for c in found.choices] == ["seen", "seen"]
    second = found.choices[1].precision
    row = next(line for line in str(found).splitlines() if line.startswith(f"  {second} "))
    assert "no common law" in row
    assert found.best is None


def test_no_code_words_are_printed_and_none_of_more_tokens_where_they_are_held() -> None:
    found = plan("kumar2024", Budget("1e21 flop", params="150M", tokens="15B"), "h100")
    assert "more tokens" not in str(found)
    assert "untested" not in str(found)
    assert not any(f"{each.kind}:" in str(found) for each in found.warnings if "_" in each.kind)


def test_a_recommendation_names_the_candidates_that_no_law_ranks() -> None:
    held = plan("sun2025", HELD, "h100", precision=["bf16", "e4m3 g:e5m2"], extrapolate=True)
    assert held.choices[1].standing == "at least"
    assert "so 'bf16' is the best of the others alone" in str(held)
    both = plan("kumar2024", HELD, "h100", precision=["bf16", "w8 a8"], extrapolate=True)
    assert "not ranked" not in str(both)


def test_serving_names_the_ways_that_no_law_ranks() -> None:
    model, ways = {"params": "100M", "tokens": "5B"}, ["e4m3", "w4/128"]
    found = rank_serving("kumar2024", model, "h100", ways)
    assert "not ranked: 'fp -> e4m3'" in str(found)
    assert "not ranked" not in str(rank_serving("kumar2024", model, "h100", ways[1:]))


def test_the_law_that_is_furthest_out_is_named() -> None:
    found = plan(["hoffmann2022", "kumar2024"], Budget("1e23 flop"), "h100")
    by_law = {each.law: each.outside for each in found.by_law}
    assert by_law["kumar2024"] > by_law["hoffmann2022"]
    assert "outside the runs of kumar2024" in found.withheld


@pytest.mark.parametrize(("flop", "times"), [("1e21 flop", 13.9), ("1e25 flop", 1390.0)])
def test_shares_of_best_are_the_same_wherever_a_report_gives_them(flop: str, times: float) -> None:
    found = plan("kumar2024", flop, "h100", precision=["bf16", "int8"], extrapolate=True)
    parts = str(found).split("From which speed-up")
    rows = [
        next(line.split() for line in part.splitlines() if line.startswith("  int8 "))
        for part in parts
    ]
    share = f"{100 * found.choices[1].probability:.0f}%"
    assert rows[1][-3:] == [share, "of", "rates"]
    assert rows[0][-4:] == [share, "of", "rates", "train"]
    assert found.choices[0].outside == pytest.approx(times, rel=0.01)


def test_a_headline_says_how_far_beyond_the_runs_it_lies() -> None:
    near = plan("epoch2024", "1e22 flop", "h100", extrapolate=True)
    assert near.headline[-1].endswith("the only candidate")
    far = plan("epoch2024", "6e23 flop", "h100", extrapolate=True)
    lies = f"{far.choices[0].outside:.3g} times beyond the runs of a law"
    assert 1 < far.choices[0].outside < 100
    assert far.headline[-1].endswith(f"the only candidate, {lies}")


@pytest.mark.parametrize(
    ("tokens", "said"),
    [("15B", "in 0.15 GB"), ("1T", "times beyond the runs of a law"),
     ("15T", "times beyond the runs, where nothing holds the error of a gap")],
)  # fmt: skip
def test_serving_says_how_far_beyond_the_runs_the_model_lies(tokens: str, said: str) -> None:
    use = Budget(params="150M", tokens=tokens)
    found = rank_serving("kumar2024", use, "h100", ["w8"], extrapolate=True)
    assert str(found).splitlines()[2].endswith(said)
    told = [w.text for w in found.warnings if w.kind == "extrapolation"]
    outside = found.outside["kumar2024"]
    text = f"the model lies outside the runs of kumar2024 (by a factor of {outside:.3g})"
    assert told == ([text] if outside > 1 else [])


@pytest.mark.parametrize(("params", "sizes"), [("3B", " of 3.08B params and more"), ("4B", "")])
def test_rates_of_larger_models_are_said_to_be_theirs(params: str, sizes: str) -> None:
    found = plan("epoch2024", Budget(params=params, tokens="60B"), "h100")
    assert f"throughput is that of published runs{sizes}, not of yours" in str(found)


@pytest.mark.parametrize(("level", "power"), [(0.9, 1.0), (0.5, 0.41006)])
def test_what_no_law_sees_costs_what_its_rate_says(level: float, power: float) -> None:
    budget = Budget(params="1B", tokens="20B", devices=8, price=2.0)
    found = plan("kumar2024", budget, "h100", precision=["bf16", "e4m3"], level=level)
    (unseen,) = (c for c in found.choices if c.standing == "unknown")
    low, high = unseen.rate_interval
    middle = 6 * 1e9 * 20e9 / unseen.device_hours / 3600
    ends = [unseen.device_hours * (middle / rate) ** power for rate in (high, low)]
    assert unseen.paid_hours_interval == pytest.approx(ends, rel=1e-4)
    assert unseen.money_interval == pytest.approx([2 * h for h in ends], rel=1e-4)
    seen = found.choices[0].paid_hours_interval
    assert unseen.paid_hours_interval[1] / unseen.paid_hours_interval[0] > 0.95 * seen[1] / seen[0]


def test_a_lead_over_bf16_by_parts_that_are_not_named_is_said() -> None:
    def told(*asked: str) -> list[str]:
        found = plan("kumar2024", "1e18 flop", "h100", precision=["bf16", *asked])
        return [w.text for w in found.warnings if "only because" in w.text]

    found = plan("kumar2024", "1e18 flop", "h100", precision=["bf16", "kv12"])
    first, other = found.choices
    assert (first.precision, other.precision) == ("kv12", "bf16")
    law, counts = preset("kumar2024"), (first.params, first.tokens)
    more = law(*counts, "kv12 w:bf16 a:bf16") - law(*counts, "kv12")
    assert more >= other.more > 0
    (said,) = told("kv12")
    assert said.startswith(f"'kv12' is ahead of bf16 by {other.more:.4f} only because w and a, ")
    assert said.endswith(f"with w:bf16 a:bf16 its loss is {more:.4f} higher")
    assert told("int8") == told("kv12 w:bf16 a:bf16") == []


def test_rates_without_a_run_of_the_machine_are_not_called_published() -> None:
    said = str(plan("epoch2024", "64 b200 for 30 days"))
    assert "throughput is assumed, as far as runs of all machines go: no run on b200 is" in said
    assert "over rates (assumed), laws and" in said
    assert "of published runs, not of yours" not in said
    assert "(5 published runs of h100)" in str(plan("epoch2024", "64 h200 for 30 days"))
    assert "over rates (published figures), laws and" in str(plan("epoch2024", "1e20 flop", "h100"))
    mixed = plan("kumar2024", "1e20 flop", "h100", precision=["bf16", "int8"])
    assert "over rates (published and assumed), laws and" in str(mixed)
