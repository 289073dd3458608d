"""Rates of precisions against ratios of peaks and against ranges of published runs."""

from dataclasses import replace

import numpy as np
import pytest

from isoloss.formats import Precision
from isoloss.plans import MFU, Hardware, PlanError, as_machine, rate_of
from isoloss.plans.costs import RateDraws, drawn_costs

H100, B200 = (as_machine(name) for name in ("h100", "b200"))
FP8 = Precision("e4m3 g:e5m2")


def test_products_run_at_the_wider_operand() -> None:
    h100, b200 = (machine.with_mfu({"all": MFU}) for machine in (H100, B200))
    assert rate_of(h100, Precision("w4")).cost == 1
    assert rate_of(h100, FP8).cost == pytest.approx(989.4 / 1978.9)
    assert rate_of(h100, Precision("e4m3")).cost == pytest.approx((989.4 / 1978.9 + 2) / 3)
    assert rate_of(b200, Precision("w:mxfp4 a:mxfp4 g:mxfp4")).cost == pytest.approx(0.25)


@pytest.mark.parametrize("name", ["mxfp8", "mxfp4", "nvfp4"])
def test_blocks_run_in_bf16_where_products_take_no_scales_of_blocks(name: str) -> None:
    """One rule for all of them: dequantised, so that an H100 saves memory only."""
    asked = Precision(f"{name} g:{name}")
    rate = rate_of(H100, asked)
    assert (rate.cost, rate.emulated, rate.runs_in) == (1, (name,), (("bf16",),))
    assert rate.flops == rate_of(H100, Precision("bf16")).flops
    on_b200 = rate_of(B200, asked)
    assert on_b200.cost < 0.8
    assert on_b200.emulated == ()
    own = Hardware("x", {"bf16": 1e15, "fp8": 2e15}, takes_blocks=True, mfu={"bf16": 1, "fp8": 1})
    assert rate_of(own, Precision("mxfp8 g:mxfp8")).cost == pytest.approx(0.5)


def test_small_floats_without_blocks_run_in_the_next_wider_class() -> None:
    rate = rate_of(H100, Precision("w:e2m1 a:e2m1 g:e2m1"))
    assert (rate.emulated, rate.runs_in) == (("e2m1",), (("fp8",),))
    assert rate.cost == rate_of(H100, FP8).cost


def test_a_rate_says_what_it_rests_on() -> None:
    given = H100.with_mfu("bf16=.4, fp8=.25")
    assert rate_of(given, Precision("bf16")).how == "bf16 peak x MFU 0.4"
    assert rate_of(given, Precision("e4m3")).how == (
        "fp8 forward, bf16 backward peaks x MFU 0.25 and 0.4"
    )
    assert rate_of(given, FP8).flops == pytest.approx(0.25 * 1978.9e12)
    assert rate_of(given, FP8).interval == (0.25 * 1978.9e12,) * 2
    assert rate_of(H100.with_mfu("0.35"), Precision("bf16")).flops == 0.35 * 989.4e12
    published = rate_of(H100, FP8)
    assert "(5 published runs), fp8" in published.how
    assert published.basis == "published"
    assert rate_of(H100, Precision("int8 g:int8")).basis == "assumed"


def test_a_class_without_a_given_share_keeps_its_range_over_the_given_level() -> None:
    """One share is that of bf16: it once gave FP8 the ratio of peaks, 2, without a word."""
    gain = H100.speed_up("fp8")
    for share in ({"bf16": 0.4}, 0.4, "0.4"):
        half = rate_of(H100.with_mfu(share), FP8)
        low, high = (end / (0.4 * 989.4e12) for end in half.interval)
        assert (low, high) == pytest.approx((gain.low, gain.high), rel=1e-9)
        assert half.how == "bf16 peak x MFU 0.4, " + rate_of(H100, FP8).how.split(", ", 2)[2]


def test_what_is_published_stays_beside_what_is_given_or_measured() -> None:
    told = H100.speed_up("fp8")
    table = replace(H100, measured={"bf16": 400e12, str(FP8): 500e12})
    for gain, times in (
        (H100.with_mfu("bf16=.4,fp8=.25").speed_up("fp8"), 0.25 * 1978.9 / (0.4 * 989.4)),
        (H100.with_mfu("all=.4,int8=.3").speed_up("fp8"), 1978.9 / 989.4),
        (rate_of(table, FP8).speed_up, 1.25),
    ):
        assert gain.is_point
        assert gain.middle == pytest.approx(times)
        assert (gain.figures, gain.least, gain.most) == (told.figures, told.least, told.most)
    assert H100.with_mfu("all=.4,int8=.3").mfu == {**dict.fromkeys(H100.peaks, 0.4), "int8": 0.3}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("fast", "cannot read mfu 'fast'; write one share of the peak, as 0.4, or one for each"),
        ("bf16=.4,bf16=.5", "gives a class of formats twice"),
        ("fp4=.4", "h100 has no rate 'fp4'; it has tf32, bf16, fp8, int8"),
        ("bf16=1.4", r"mfu of bf16 is 1\.4; it is a share of the peak in \(0, 1\]"),
        ({"bf16": "x"}, "mfu of bf16 is 'x'"),
        ("0,4", "cannot read mfu '0,4'"),
        ("40%", "cannot read mfu '40%'"),
        ("all=40", "mfu of tf32 is 40"),
        ("fp8=.5", "mfu gives fp8 without bf16, which its speed-up stands over; give both"),
    ],
)
def test_shares_that_cannot_be_are_one_sentence(given, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        H100.with_mfu(given)


def test_a_share_of_no_peak_is_refused() -> None:
    with pytest.raises(PlanError, match=r"mfu is 0\.4 and linear-bits is a cost model"):
        as_machine("linear-bits").with_mfu(0.4)


def test_draws_have_the_quantiles_of_the_range() -> None:
    draws = RateDraws.of(H100, 4001)
    costs, base = drawn_costs(H100, [Precision("bf16"), FP8], draws)
    for values, rate in (
        (base, rate_of(H100, Precision("bf16"))),
        (base / costs, rate_of(H100, FP8)),
    ):
        ends = np.quantile(values[:, -1], [0.05, 0.5, 0.95])
        assert ends[1] == pytest.approx(rate.flops, rel=0.02)
        assert ends[[0, 2]] == pytest.approx(rate.interval, rel=0.04)
    assert (costs[:, 0] == 1).all()


def test_draws_are_seeded() -> None:
    one, two, other = (RateDraws.of(H100, 50, seed) for seed in (0, 0, 1))
    assert (one.level == two.level).all()
    assert (one.level != other.level).any()


def test_cost_models_have_no_device() -> None:
    assert rate_of(as_machine("linear-bits"), Precision("w4 a8")).cost == 0.5
    assert rate_of(as_machine("memory-bits"), Precision("w4")).cost == 0
    assert Hardware("n", rule="memory-bits").train_unit == "bits of all weights"
