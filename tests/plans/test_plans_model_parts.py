"""Parts of a model in other formats: rate, memory, and between which losses a plan lies."""

import pytest

from isoloss.laws import preset
from isoloss.plans import Budget, PlanError, as_machine, plan, rank_serving

H100 = as_machine("h100").with_mfu({"all": 0.4})
BF16, FP8 = 0.4 * 989.4e12, 0.4 * 1978.9e12
EIGHT = "w:e4m3 a:e4m3 g:e4m3"


def planned(precision: str | list[str], laws: str = "kumar2024", machine=H100, **budget: object):
    held = {"train": "1e23 flop", "decoder": "llama3-8b", **budget}
    return plan(laws, Budget(**held), machine, precision=precision, extrapolate=True)


def kept(name: str) -> str:
    return f"{EIGHT} w.{name}:bf16 a.{name}:bf16 g.{name}:bf16"


ATTENTION, FEED = 2 * 4096 * 5120, 3 * 4096 * 14_336


@pytest.mark.parametrize(
    ("precision", "share"),
    [
        (EIGHT, 0.0),
        (f"{EIGHT} w.head:bf16", 0.0),  # outside of 6 N D
        (kept("last4"), 4 / 32),
        (kept("attention"), ATTENTION / (ATTENTION + FEED)),
        (kept("ffn"), FEED / (ATTENTION + FEED)),
        (kept("down_proj"), FEED / 3 / (ATTENTION + FEED)),
    ],
)
def test_time_adds_up_over_the_matrices(precision: str, share: float) -> None:
    c = planned(precision).choices[0]
    seconds = 6 * c.params * c.tokens * (share / BF16 + (1 - share) / FP8)
    assert c.device_hours == pytest.approx(seconds / 3600, rel=1e-9)
    assert c.flop == pytest.approx(1e23)


def test_sixteen_percent_in_bf16_slow_a_step_by_their_share_of_time() -> None:
    """NVFP4 with 16% of the layers in bf16 (2509.25149) on 50 blocks: first 2 and last 6."""
    words = "layers=50,width=4096,heads=32,vocab=32000"
    ends = " ".join(f"{p}.{b}:bf16" for p in "wag" for b in ("first2", "last6"))
    both = planned(f"w:nvfp4 a:nvfp4 g:nvfp4 {ends}", machine="b200", decoder=words)
    mfu = as_machine("b200").with_mfu({"all": 0.4})
    exact = planned(f"w:nvfp4 a:nvfp4 g:nvfp4 {ends}", machine=mfu, decoder=words).choices[0]
    rate = 0.4 / (0.16 / 2250e12 + 0.84 / 9000e12)
    assert 6 * exact.params * exact.tokens / exact.device_hours / 3600 == pytest.approx(rate)
    low, high = both.choices[0].rate_interval
    assert low < high
    assert "16% of the FLOPs as 'w:bf16 a:bf16 g:bf16'" in both.choices[0].rate


def test_without_a_shape_attention_is_a_third_and_blocks_need_one() -> None:
    c = planned(kept("attention"), decoder=None, params=None).choices[0]
    seconds = 6 * c.params * c.tokens * (1 / 3 / BF16 + 2 / 3 / FP8)
    assert c.device_hours == pytest.approx(seconds / 3600, rel=1e-9)
    with pytest.raises(PlanError, match=r"sets blocks apart, .*; give a shape"):
        planned(kept("last4"), decoder=None)
    with pytest.raises(PlanError, match=r"cannot place .w\.foo. in a model"):
        planned("w8 w.foo:bf16")
    with pytest.raises(PlanError, match="last40 are more blocks than the 32 of the model"):
        planned(kept("last40"))


def test_a_plan_that_no_law_sees_whole_lies_between_those_of_its_parts() -> None:
    found = planned(["bf16", "w8 a8 w.last4:bf16 a.last4:bf16", "w8 a8 w.head:bf16"])
    law = preset("kumar2024")
    for c in found.choices[1:]:
        assert c.standing == "unknown"
        high = float(law(c.params, c.tokens, "w8 a8"))
        lifted = "w:bf16 a:bf16" if "last4" in c.precision else "w:bf16 a8"
        low = float(law(c.params, c.tokens, lifted))
        (said,) = (w.text for w in found.warnings if w.text.startswith(f"'{c.precision}' lies"))
        assert f"between {low:.4f} (all as '{lifted}') and {high:.4f} (all as 'w8 a8')" in said
        assert "by kumar2024, if rounding more of a model never lowers its loss" in said


def test_a_gap_lies_between_those_of_its_parts() -> None:
    use = Budget(decoder="llama3-8b", tokens="15T")
    found = rank_serving("kumar2024", use, "h100", ["w4", "w4 w.last4:int8"])
    n = use.params or 0.0
    ends = [float(preset("kumar2024").gap(n, 15e12, f"fp -> w{b}")) for b in (8, 4)]
    (said,) = (w.text for w in found.warnings if "lies between" in w.text)
    assert said.startswith("the gap of 'fp -> w4 w.last4:int8' lies between ")
    assert f"{ends[0]:.4f} (all as 'fp -> w8') and {ends[1]:.4f} (all as 'fp -> w4')" in said


def test_where_no_law_knows_a_part_nothing_is_claimed() -> None:
    found = planned(["bf16", kept("last4")])
    assert not any("lies between" in w.text for w in found.warnings)


def test_a_measured_rate_of_the_whole_comes_first() -> None:
    from dataclasses import replace

    spelled = planned(kept("last4")).choices[0].precision
    device = replace(H100, measured={spelled: 5e14, "bf16": 4e14})
    c = planned(kept("last4"), machine=device).choices[0]
    assert c.rate == "measured"
    assert 6 * c.params * c.tokens / c.device_hours / 3600 == pytest.approx(5e14)


def test_serving_memory_follows_the_formats_of_parts() -> None:
    use = Budget(decoder="llama3-8b", tokens="15T")
    asked = ["w4", "w4 w.last4:bf16", "w4 w.head:int8", "w4 w.attention:int8"]
    by = {c.precision: c.bytes for c in rank_serving("published", use, "h100", asked).choices}
    plain = by["fp -> w4"]
    block = ATTENTION + FEED
    assert by["fp -> w4 w.last4:bf16"] - plain == pytest.approx(4 * block * 1.5)
    assert plain - by["fp -> w4 w.head:int8"] == pytest.approx(128_256 * 4096)
    assert by["fp -> w4 w.attention:int8"] - plain == pytest.approx(32 * ATTENTION / 2)
