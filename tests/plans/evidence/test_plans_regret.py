"""What simpler choices cost, against the theorem and against planning again with less."""

import numpy as np
import pytest

from isoloss.laws import preset
from isoloss.plans import Budget, as_machine, decoder_of, plan
from isoloss.runs import compact

TIED = [f"w{b} a{b} kv{b}" for b in (4, 6, 7, 8)] + ["bf16"]


def named(found):
    return {r.choice: r for r in found.regrets}


def test_bf16_wastes_what_the_theorem_says() -> None:
    """Cost N D P / 16: at 7 bits the same loss takes (f/P at 16) / (f/P at 7) of the compute."""
    law = preset("kumar2024")
    (seven, sixteen), _ = law.factors(["w7 a7 kv7", "bf16"])
    for flop in (1e18, 1e22):
        found = plan(law, Budget(flop), "linear-bits", precision=TIED, extrapolate=True)
        bf16 = named(found)["bf16 at its best size"]
        assert bf16.wasted == pytest.approx(1 - (sixteen / 16) / (seven / 7), abs=2e-4)
        assert bf16.excess == pytest.approx(bf16.loss - found.choices[0].loss, abs=1e-12)


def test_with_less_compute_by_the_wasted_share_the_plan_reaches_the_same_loss() -> None:
    found = plan(
        "sun2025",
        Budget("1e22 flop"),
        "linear-bits",
        precision=["bf16", "w:e4m3/128 a:e4m3/128"],
        extrapolate=True,
    )
    for r in found.regrets:
        less = plan(
            "sun2025",
            Budget(1e22 * (1 - r.wasted)),
            "linear-bits",
            precision=["bf16", "w:e4m3/128 a:e4m3/128"],
            extrapolate=True,
        )
        assert less.choices[0].loss == pytest.approx(r.loss, rel=1e-5)
        assert 6 * r.params * r.tokens <= 1e22 * 2.001


def test_the_rule_of_thumb_spends_the_budget_on_20_tokens_a_param() -> None:
    budget = Budget("1e21 flop", served="1T")
    found = plan("kumar2024", budget, "linear-bits", precision="w4", extrapolate=True)
    rule = named(found)["bf16, 20 tokens a param"]
    assert rule.tokens == pytest.approx(20 * rule.params)
    assert 6 * rule.params * rule.tokens + 2 * rule.params * 1e12 == pytest.approx(1e21, rel=1e-9)


def test_the_latest_paper_is_another_paper_and_money_is_counted() -> None:
    asked = {"precision": ["bf16", "w:e4m3/128"], "extrapolate": True}
    found = plan("kumar2024_float", Budget(money="2M USD", price=2.5), "h100", **asked)
    latest = [r for r in found.regrets if r.choice.startswith("as ")]
    assert [r.choice for r in latest] == ["as sun2025 says"]
    assert all(r.money == pytest.approx(2e6 * r.wasted) for r in found.regrets)
    assert "What simpler choices would cost" in str(found)
    own = plan(
        "kumar2024_float",
        Budget("1e20 flop"),
        "linear-bits",
        precision=["w4", "w8"],
        extrapolate=True,
    )
    assert not any("kumar" in r.choice for r in own.regrets)


def test_choices_that_cannot_be_are_absent() -> None:
    """bf16 does not fit in the memory, and one precision leaves no law to tell apart."""
    found = plan(
        "kumar2024",
        Budget("1e21 flop", params="8B", memory="6 GB"),
        "h100",
        precision="fp -> w4",
        extrapolate=True,
    )
    assert found.regrets == ()


def test_the_exact_count_stands_beside_the_rule_for_small_models() -> None:
    small = plan("kumar2024", Budget("1e18 flop"), "linear-bits", precision="bf16")
    flops = decoder_of(small.choices[0].params).flops(2048)
    assert small.choices[0].counted == pytest.approx(flops.training / flops.rule)
    assert "x the 6 N D used here" in str(small)
    h100 = as_machine("h100").with_mfu({"all": 0.4})
    large = plan("kumar2024", Budget("1e26 flop"), h100, extrapolate=True)
    assert "6 N D" not in str(large)
    assert (
        str(large).split("\n")[3].strip()
        == "throughput: bf16 peak x MFU 0.4, taken as exact (no kernel measured)"
    )
    assert np.isfinite(large.choices[0].counted)


def test_a_waste_has_that_of_each_law_alone_beside_it() -> None:
    budget = Budget("$2M at $2.5/h")
    laws, rule = ["epoch2024", "sun2025", "quest2025"], "bf16, 20 tokens a param"

    def wasted(of):
        found = plan(of, budget, "h100", precision="bf16", extrapolate=True)
        (own,) = (r for r in found.regrets if r.choice == rule)
        return own, str(found)

    alone = [wasted(name)[0] for name in laws]
    assert all(np.isnan(own.wasted_by_law).all() for own in alone)
    own, said = wasted(laws)
    ends = [pick(each.wasted for each in alone) for pick in (min, max)]
    assert own.wasted_by_law == pytest.approx(ends, abs=1e-5)
    assert own.wasted_by_law[0] < 0.01 < 0.5 < own.wasted_by_law[1]
    low, high = own.wasted_by_law
    assert f"%  {100 * low:.3g}% to {100 * high:.3g}%  " in said
    assert "by law alone" in said
    # The bill is the 2M USD of the budget; one law alone wastes so much of that.
    money = f"({compact(2e6 * low)} to {compact(2e6 * high)} by one law)  "
    assert f"{compact(own.money)} {money}" in said
    assert "by one law" not in wasted(laws[0])[1]
