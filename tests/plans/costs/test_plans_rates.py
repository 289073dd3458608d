"""Rates of precisions against ratios of datasheet peaks."""

import pytest

from isoloss.formats import Precision
from isoloss.plans import Hardware, as_machine, rate_of


def test_products_run_at_the_wider_operand() -> None:
    h100, b200 = as_machine("h100"), as_machine("b200")
    assert rate_of(h100, Precision("w4")).cost == 1
    assert rate_of(h100, Precision("e4m3 g:e5m2")).cost == pytest.approx(989.4 / 1978.9)
    assert rate_of(h100, Precision("e4m3")).cost == pytest.approx((989.4 / 1978.9 + 2) / 3)
    assert rate_of(b200, Precision("w:mxfp4 a:mxfp4 g:mxfp4")).cost == 0.25
    assert rate_of(h100, Precision("w:e2m1 a:e2m1")).emulated == ("e2m1",)


def test_a_rate_says_its_peaks_and_utilisation() -> None:
    h100 = as_machine("h100")
    assert rate_of(h100, Precision("bf16")).how == "bf16 peak x MFU 0.4"
    mixed = rate_of(h100.with_mfu({"fp8": 0.3}), Precision("e4m3"))
    assert mixed.how == "fp8 forward, bf16 backward peaks x MFU 0.3 and 0.4"
    assert rate_of(h100.with_mfu(0.5), Precision("bf16")).flops == pytest.approx(0.5 * 989.4e12)


def test_cost_models_have_no_device() -> None:
    assert rate_of(as_machine("linear-bits"), Precision("w4 a8")).cost == 0.5
    assert rate_of(as_machine("memory-bits"), Precision("w4")).cost == 0
    assert Hardware("n", rule="memory-bits").train_unit == "bits of all weights"
