"""Measured tables of throughput: they come before peaks, and a bad row is named."""

from dataclasses import replace

import pytest

from isoloss.formats import Precision
from isoloss.plans import PlanError, as_machine, measured, rate_of


def test_measured_rates_come_before_peaks(tmp_path) -> None:
    table = tmp_path / "rates.csv"
    table.write_text("precision,tokens_per_s,params\nbf16,10000,8B\ne4m3 g:e5m2,14000,8B\n")
    device = measured(as_machine("h100"), table)
    rate = rate_of(device, Precision("e4m3 g:e5m2"))
    assert (rate.how, rate.cost) == ("measured", pytest.approx(10 / 14))
    assert rate.flops == 6 * 8e9 * 14000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("precision,watts\nbf16,1\n", "column 'watts'"),
        ("precision,flop_per_s\nw4,1e12\n", "no row of bf16"),
        ("precision,flop_per_s\nbf16,fast\n", "line 2, flop_per_s"),
        ("precision,flop_per_s\nbf16,-1\n", "is -1 in"),
        ("precision,flop_per_s\nbf16,3e14\nbf16,2\n", "stands twice"),
        ("precision,tokens_per_s\nbf16,1\n", "lacks it"),
    ],
)
def test_bad_tables_of_throughput_name_the_row(tmp_path, text, said) -> None:
    path = tmp_path / "rates.csv"
    path.write_text(text)
    with pytest.raises(PlanError, match=said):
        measured(as_machine("h100"), path)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        # 400 for TFLOP/s, a ratio of peaks with sparsity, params in billions, a whole cluster.
        ("bf16,train,400,,", "'bf16' is trained at 400 FLOP/s .*, line 2, and the peak"),
        ("bf16,train,1978.9e12,,", r"at 1\.979e\+15 .* on h100 is 9\.894e\+14; give flop_per_s"),
        ("bf16,train,,400e12,8B", r"is trained at 1\.92e\+25 FLOP/s"),
        ("bf16,train,,10000,8", r"is trained at 4\.8e\+05 FLOP/s"),
        ("e4m3 g:e5m2,train,2e15,,", r"on h100 is 1\.979e\+15; give flop_per_s"),
        ("bf16,train,4e14,10000,8B", r"flop_per_s is 4e\+14 and 6 params tokens_per_s 4\.8e\+14"),
        ("w4,decode,,4e14,", r"decodes more than 3\.35e\+06 tokens/s"),
    ],
)
def test_rates_that_no_device_has_are_refused_with_the_peak(tmp_path, row: str, said: str) -> None:
    path = tmp_path / "rates.csv"
    path.write_text(f"precision,stage,flop_per_s,tokens_per_s,params\n{row}\n")
    with pytest.raises(PlanError, match=said):
        measured(as_machine("h100"), path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"measured": {"bf16": 0}}, "measured rate of 'bf16' on h100 is 0; accepted"),
        ({"measured": {"bf16": 2e15}}, r"up to its highest peak, 1\.979e\+15 FLOP/s"),
        ({"decoding": {"w4": -1}}, "decode speed of 'w4' on h100 is -1"),
    ],
)
def test_a_machine_has_no_measured_rate_that_is_none(words: dict, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        replace(as_machine("h100"), **words)
