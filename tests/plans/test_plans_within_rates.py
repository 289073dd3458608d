"""Held params and tokens that a budget pays for at some rates of their range, and at none."""

import re

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from isoloss.fits import fit
from isoloss.plans import Budget, Plan, PlanError, as_machine, plan
from isoloss.runs import read

H100, N, D = as_machine("h100"), 8e9, 15e12
#: Device hours at the middle of the rates of bf16, and the ends of 90% over it.
MIDDLE = 6 * N * D / H100.level.middle / 3600
FAST, SLOW = (H100.level.middle / end for end in (H100.level.high, H100.level.low))
FP8 = "w:e4m3 a:e4m3 g:e4m3"


def planned(share: float, precision: object = "bf16", laws: object = "kumar2024", **words) -> Plan:
    hours = Budget(params=N, tokens=D, hours=share * MIDDLE / 1024, devices=1024, **words)
    return plan(laws, hours, "h100", precision=precision, extrapolate=True)


def paid(found: Plan) -> list[str]:
    return [w.text for w in found.warnings if "may cost more than the budget" in w.text]


def shown(text: str) -> int:
    found = re.search(r"'bf16' in (\d+)%", text)
    assert found is not None
    return int(found[1])


@pytest.mark.parametrize("share", [FAST * 1.01, 0.8, 1 / 1.2, 0.99, 1.1, 1.3])
def test_the_probability_that_hours_suffice_is_that_of_the_rate(share: float) -> None:
    """A rate of 1 / share times the middle or more: log-normal, a spread of its own each side."""
    (choice,) = planned(share).choices
    side = np.log(1 / FAST) if share < 1 else np.log(SLOW)
    likely = ndtr(np.log(share) / side * ndtri(0.95))
    (said,) = paid(planned(share))
    assert shown(said) == pytest.approx(100 * likely, abs=1)
    assert f"of the draws of rates ({1 / share:.2f} times the hours at their middle)" in said
    assert choice.spent["hours"] == pytest.approx(1 / share)
    assert choice.binding == (("hours",) if share < 1 else ())
    assert choice.paid_hours == pytest.approx(MIDDLE)
    assert ("over the budget: " in str(planned(share))) is (share < 1)


def test_a_budget_that_suffices_at_nearly_every_rate_is_no_warning() -> None:
    assert paid(planned(SLOW * 1.01)) == []
    held = Budget(params=N, hours="40 days", devices=1024)
    assert paid(plan("kumar2024", held, "h100", precision="bf16")) == []


def test_what_no_rate_of_the_range_pays_for_is_refused_with_both_ends() -> None:
    share = 0.99 * FAST
    hours = MIDDLE / 1024
    needed = f"; {hours:.4g} would do at the middle of the rates, {FAST * hours:.4g} at their"
    with pytest.raises(PlanError, match=f"hours .* does not pay for 8B params .*{needed}"):
        planned(share)
    exact = Budget(params=N, tokens=D, money=f"{0.95 * 2 * MIDDLE} USD", price="2 USD")
    sure = H100.with_mfu({"bf16": H100.level.middle / H100.peaks["bf16"]})
    with pytest.raises(PlanError, match=r"money .* USD would do$"):
        plan("kumar2024", exact, sure, precision="bf16")
    found = plan("kumar2024", exact, "h100", precision="bf16", extrapolate=True)
    assert "1.05 times the money at their middle" in paid(found)[0]


def test_a_candidate_is_left_out_only_where_no_rate_pays_for_it() -> None:
    """At half the hours of bf16 FP8 may do, with its whole range of speed-ups; bf16 may not."""
    asked = ["bf16", FP8]
    both = planned(0.85, asked, "sun2025")
    assert {c.precision for c in both.choices} == {"bf16", "w:e4m3 a:e4m3 g:e4m3"}
    only = planned(0.97 * FAST, asked, "sun2025")
    assert [c.precision for c in only.choices] == ["w:e4m3 a:e4m3 g:e4m3"]
    given, needed = (f"{share * FAST * MIDDLE / 1024:.4g}" for share in (0.97, 1.0))
    assert only.dropped == {
        "bf16": f"'bf16': hours {given} does not pay for 8B params on 15T tokens in 'bf16'; "
        f"{MIDDLE / 1024:.4g} would do at the middle of the rates, {needed} at their fastest"
    }


def test_a_candidate_that_memory_leaves_out_says_so() -> None:
    held = Budget("1e24 flop", params=N, tokens="1T", memory="5 GB")
    found = plan("kumar2024", held, "h100", precision=["bf16", "w4"], extrapolate=True)
    said = "'bf16': memory 5 GB holds no model of 8B params in 'bf16'; 16 GB would do"
    assert found.dropped == {"bf16": said}


def test_compute_in_flops_of_bf16_depends_on_the_speed_up_alone() -> None:
    gain = H100.speed_up("fp8")
    need = 6 * N * D / gain.middle
    held = {"params": N, "tokens": D}
    asked = {"precision": FP8, "extrapolate": True}
    found = plan("sun2025", Budget(need * 0.95, **held), "h100", **asked)
    assert found.choices[0].spent["train"] == pytest.approx(1 / 0.95)
    assert "1.05 times the train at their middle" in paid(found)[0]
    with pytest.raises(PlanError, match=r"at the middle of the rates, .* at their fastest"):
        plan("sun2025", Budget(0.99 * 6 * N * D / gain.high, **held), "h100", **asked)


def test_best_in_counts_draws_that_the_budget_pays_for() -> None:
    fitted = fit("kumar2024", read("simulated2024"), draws=40, starts=2)
    words = {"params": 1e8, "tokens": 1e10, "devices": 1}
    middle = 6 * 1e18 / H100.level.middle / 3600
    found = plan(fitted, Budget(hours=0.9 * middle, **words), "h100", precision=["bf16", "w4"])
    (said,) = paid(found)
    likely = ndtr(np.log(0.9) / np.log(1 / FAST) * ndtri(0.95))
    assert shown(said) == pytest.approx(100 * likely, abs=1)
    assert sum(c.probability for c in found.choices) == pytest.approx(likely, abs=0.06)


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        # 8e9 params of 4 and 8 bits are 4 and 8 GB: w4 fits in 5 GB, where only FP8 has the hours.
        (20_000, "5 GB holds .* in 'w:e4m3 .*', the nearest to all limits .*; 8 GB would do"),
        (200_000, None),
    ],
)
def test_the_candidate_of_a_refusal_misses_the_limit_that_is_named(hours, said) -> None:
    held = Budget(params=N, tokens="1T", memory="5 GB", devices=64, hours=hours / 64)
    asked = {"precision": ["w4", "e4m3 g:e4m3"], "extrapolate": True}
    if said is None:
        assert plan("kumar2024", held, "h100", **asked).choices[0].precision == "w4"
        return
    with pytest.raises(PlanError, match=said):
        plan("kumar2024", held, "h100", **asked)


def test_where_all_miss_the_memory_the_smallest_is_named() -> None:
    held = Budget(params=N, tokens="1T", memory="2 GB")
    said = "2 GB holds no model of 8B params in 'w4', the smallest of the candidates; 4 GB"
    with pytest.raises(PlanError, match=said):
        plan("kumar2024", held, "h100", precision=["w8", "w4"])
