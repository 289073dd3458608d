"""Measured tables of throughput: they come before peaks, and a bad row is named."""

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
        ("precision,flop_per_s\nbf16,1\nbf16,2\n", "stands twice"),
        ("precision,tokens_per_s\nbf16,1\n", "lacks it"),
    ],
)
def test_bad_tables_of_throughput_name_the_row(tmp_path, text, said) -> None:
    path = tmp_path / "rates.csv"
    path.write_text(text)
    with pytest.raises(PlanError, match=said):
        measured(as_machine("h100"), path)
