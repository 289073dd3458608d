"""Break-even speed-ups against a bisection of our own, and best-in shares against counting."""

import numpy as np
import pytest

from isoloss.fits import fit
from isoloss.formats import Precision
from isoloss.laws import as_inputs, preset
from isoloss.plans import Budget, as_machine, load, measured, plan, rank_serving
from isoloss.runs import read

MONTH, FP8, INT8 = "64 h100 for 30 days", "e4m3 g:e5m2", "int8 g:int8"
H100 = as_machine("h100")


def least(law, precision: str, flop: float) -> float:
    """The least loss at 6 N D = flop, by grids of our own over log params, each in the last."""
    low, high = np.log(1e8), np.log(1e13)
    for _ in range(4):
        n = np.exp(np.linspace(low, high, 101))
        loss = np.asarray(law.loss(as_inputs(n, flop / 6 / n, [precision] * len(n))))
        low, high = np.log(n[[max(loss.argmin() - 1, 0), min(loss.argmin() + 1, 100)]])
    return float(loss.min())


def bisected(name: str, precision: str) -> float:
    law, flop = preset(name), H100.reached("bf16") * 64 * 30 * 86400
    target = least(law, "bf16", flop)
    low, high = -1.0, 2.0
    for _ in range(30):
        middle = 0.5 * (low + high)
        pays = least(law, precision, flop * np.exp(middle)) <= target
        low, high = (low, middle) if pays else (middle, high)
    return float(np.exp(high))


@pytest.mark.parametrize(
    ("law", "precision", "standing", "speed"),
    [
        ("kumar2024", "int8", "seen", 1.20),
        ("kumar2024", INT8, "at least", 1.20),
        ("kumar2024", FP8, "unknown", 1.20),
        ("kumar2024_float", FP8, "at least", 1.07),
        ("sun2025", FP8, "at least", 1.01),
    ],
)
def test_fp8_pays_from_the_speed_up_of_a_bisection(law, precision, standing, speed) -> None:
    found = plan(law, MONTH, precision=["bf16", precision], extrapolate=True)
    (one,) = found.break_evens
    assert (one.standing, round(one.speed_up, 2)) == (standing, speed)
    assert one.speed_up == pytest.approx(bisected(law, precision), rel=1e-5)
    assert [each.law for each in one.by_law] == [law]
    assert one.by_law[0].speed_up == pytest.approx(one.speed_up, rel=1e-9)


def test_at_the_break_even_the_plans_have_one_loss() -> None:
    asked = {"precision": ["bf16", FP8], "extrapolate": True}
    (one,) = plan("sun2025", MONTH, H100.with_mfu({"bf16": 0.3}), **asked).break_evens
    machine = H100.with_mfu({"bf16": 0.3, "fp8": one.speed_up * 0.3 * 989.4 / 1978.9})
    low, plain = plan("sun2025", MONTH, machine, **asked).choices
    assert low.loss == pytest.approx(plain.loss, abs=1e-7)


def test_the_report_says_from_where_fp8_pays_and_what_is_published() -> None:
    said = str(plan("sun2025", MONTH, precision=["bf16", FP8]))
    assert "at least 1.01x" in said
    assert "1.13 to 1.51x (13 of 5 sources)" in said
    assert "1.29x, 1.10 to 1.52 (published)" in said
    assert "pays in" in said
    read_as = str(plan("kumar2024", MONTH, precision=["bf16", FP8]))
    assert "1.20x as read" in read_as
    assert "as read: by a law that does not know the format" in read_as


def test_shares_over_rates_are_those_of_the_range() -> None:
    """int8 forward and backward by a law that sees both: it wins where its speed-up is above."""
    asked = {"precision": ["bf16", "int8"], "extrapolate": True, "draws": 2000}
    found = plan("kumar2024", MONTH, H100.with_mfu({"bf16": 0.4}), **asked)
    (one,) = found.break_evens
    share = {c.precision: c.probability for c in found.choices}
    low, _, high = one.reached
    z = np.random.default_rng(1).normal(size=20_000) / 1.6449
    whole = H100.speed_up("int8")
    gains = whole.middle * np.where(
        z < 0, (whole.middle / whole.low) ** z, (whole.high / whole.middle) ** z
    )
    steps = 3 / (1 / gains + 2)
    assert share["int8"] == pytest.approx((steps > one.speed_up).mean(), abs=0.02)
    assert one.pays == pytest.approx(share["int8"], abs=0.02)
    assert sum(share.values()) == pytest.approx(1)
    assert (low, high) == pytest.approx((1.0, 3 / 2.5), rel=1e-4)
    assert "of rates" in str(found)


def test_rates_widen_hours_days_and_money() -> None:
    found = plan("kumar2024", "64 h100 for 30 days at 2 EUR/h", precision=["bf16"])
    (choice,) = found.choices
    level = H100.level
    hours = [46_080 * level.middle / end for end in (level.high, level.low)]
    assert choice.paid_hours == pytest.approx(46_080)
    assert choice.paid_hours_interval == pytest.approx(hours, rel=0.02)
    assert choice.money_interval == pytest.approx([2 * h for h in hours], rel=0.02)
    assert choice.wall_hours_interval == pytest.approx([h / 64 for h in hours], rel=0.02)
    assert choice.rate_interval == (level.low, level.high)
    assert "days on 64 devices" in str(found)


def test_given_and_measured_rates_have_no_doubt_and_say_so() -> None:
    found = plan("kumar2024", MONTH, H100.with_mfu("bf16=.4,fp8=.25"), precision=["bf16"])
    (choice,) = found.choices
    assert (choice.in_doubt, choice.basis) == (False, "given")
    assert np.isnan(choice.paid_hours_interval).all()
    assert "throughput: bf16 peak x MFU 0.4, taken as exact (no kernel measured)" in str(found)
    assert "the throughput is taken as exact" in str(found)


def test_one_share_leaves_speed_ups_in_doubt_and_says_so() -> None:
    found = plan("sun2025", MONTH, H100.with_mfu(0.4), precision=["bf16", FP8])
    said = str(found)
    exact = "x MFU 0.4, taken as exact (no kernel measured); over it fp8 1.10 to 1.52 times that"
    assert exact in said
    assert "1.13 to 1.51x (13 of 5 sources)" in said
    assert "1.29x, 1.10 to 1.52 (published)" in said
    assert "throughput is that of bf16 as given, speed-ups over it published or" in said


def test_the_report_names_the_rate_of_each_class_and_of_each_measured_row(tmp_path) -> None:
    table = tmp_path / "rates.csv"
    table.write_text(f"precision,flop_per_s\nbf16,4e14\n{FP8},6e14\n")
    asked = ["bf16", FP8, "w:e4m3 a:e4m3"]
    device = measured(H100, table)
    found = plan("sun2025", MONTH, device.with_mfu(0.3), precision=asked)
    said = next(line for line in found.headline if line.startswith("throughput"))
    assert said.startswith("throughput: measured of 'bf16', ")
    assert f"'{Precision(FP8)}', taken as exact; over bf16 fp8 1.10 to 1.52 times that" in said
    assert "none is measured" not in str(found)
    assert "a share of 0.3 of the peak in bf16 is not used: its rate is measured, 0.4" in str(found)
    assert "is that of bf16, which is, times 1.08 (1.03 to 1.13); give" in str(found)
    only = plan("sun2025", MONTH, device.with_mfu(0.3), precision=["w:e2m1"]).choices[0]
    assert (only.rate, only.rate_interval) == ("bf16 measured", (4e14, 4e14))
    both = plan("kumar2024", MONTH, "h100", precision=["bf16", "int8", FP8]).headline[2]
    assert "int8 1.00 to 2.00 times that, middle 1.20 (assumed, 1 published figure)" in both
    assert "fp8 1.10 to 1.52 times that, middle 1.29 (13 published figures); none" in both


def test_replicates_and_rates_are_drawn_together() -> None:
    fitted = fit("kumar2024", read("simulated2024"), draws=20, starts=2)
    asked = {"precision": ["bf16", "w8 a8 kv8"], "extrapolate": True}
    budget = Budget("1e20 flop", price=2)
    doubt = plan(fitted, budget, "h100", **asked)
    sure = plan(fitted, budget, H100.with_mfu({"all": 0.3}), **asked)
    for one, other in zip(doubt.choices, sure.choices, strict=True):
        wide, narrow = (c.paid_hours_interval for c in (one, other))
        assert wide[1] / wide[0] > 1.5 > narrow[1] / narrow[0]
    (even,) = doubt.break_evens
    assert even.interval[0] <= even.speed_up <= even.interval[1]
    assert even.interval[1] > even.interval[0]


def test_what_cannot_break_even_is_said() -> None:
    """A law that gives 2 bits a floor of its own never gets to bf16's loss."""
    found = plan("sun2025", "1e22 flop", "b200", precision=["bf16", "w:e2m1/128 a:e2m1/128"])
    assert all(one.speed_up > 1 for one in found.break_evens)
    held = plan("sun2025", Budget(params="1B", tokens="20B"), "h100", precision=["bf16", FP8])
    assert held.break_evens == ()
    model = plan("kumar2024", "1e18 flop", "linear-bits", precision=["bf16", "w8 a8 kv8"])
    assert model.break_evens == ()
    assert "pays from" not in str(model)


def test_break_evens_are_kept(tmp_path) -> None:
    found = plan("sun2025", MONTH, precision=["bf16", FP8])
    again = load(found.save(tmp_path / "plan.json"))
    assert repr(again.break_evens) == repr(found.break_evens)
    assert again == found


def test_block_formats_are_said_once_in_text_and_numbers() -> None:
    """mxfp8 ran at fp8 without a word, mxfp4 at fp8 while "only memory is saved"."""
    asked = ["bf16", "mxfp8 g:mxfp8", "mxfp4 g:mxfp4"]
    found = plan("sun2025", MONTH, precision=asked, extrapolate=True)
    said = [str(w) for w in found.warnings if "has no products in" in str(w)]
    assert len(said) == 1
    assert (
        "h100 has no products in mxfp8, mxfp4 (in 'w:mxfp8 a:mxfp8 kv:mxfp8 g:mxfp8', " in said[0]
    )
    assert "'w:mxfp4 a:mxfp4 kv:mxfp4 g:mxfp4'): they run in bf16, only memory is saved" in said[0]
    assert {c.speed_up for c in found.choices} == {1.0}
    assert [c.runs_in for c in found.choices if c.emulated] == [(("bf16",),)] * 2
    assert str(found).count("1.00x (runs in bf16)") == 2


def test_serving_says_the_same_of_block_formats() -> None:
    """mxfp8 passed without a word on an H100."""
    found = rank_serving("published", Budget(params="1B", tokens="20B"), "h100", ["mxfp8", "w8"])
    told = [str(w) for w in found.warnings if "has no products in" in str(w)]
    assert len(told) == 1
    assert "h100 has no products in mxfp8 (in 'fp -> mxfp8'): only memory and bandwidth" in told[0]


def test_exact_flops_name_the_shape_that_they_are_of(tmp_path) -> None:
    """ "A typical decoder" was said though a shape was given."""
    given = plan("kumar2024", Budget("1e21 flop", decoder="llama3-8b"), "h100")
    for each in (given, load(given.save(tmp_path / "plan.json"))):
        said = str(each).split("Choices")[0]
        assert "exact training FLOPs of the shape given (32 layers of width 4096" in said
        assert "typical" not in said
    assumed = plan("kumar2024", Budget("1e21 flop", params="7B"), "h100")
    assert "exact training FLOPs of a typical decoder of this size are" in str(assumed)
