"""Amounts with units as people write them."""

import pytest

from isoloss.plans.costs.units import amount


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("1e21flop", "flop", 1e21),
        ("3 ZFLOP", "flop", 3e21),
        ("2 PFLOP-days", "flop", 1.728e20),
        ("16 GB", "bytes", 16e9),
        ("16GiB", "bytes", 16 * 2.0**30),
        ("30 days", "hours", 720),
        ("$2M", "money", 2e6),
        ("2M USD", "money", 2e6),
        ("15T tokens", "tokens", 15e12),
        ("15T", "tokens", 15e12),
        ("50 tokens/s", "speed", 50),
        ("70B", "params", 70e9),
        (7, "params", 7.0),
    ],
)
def test_amounts_are_read(text, dimension, value) -> None:
    assert amount(text, dimension, "it") == pytest.approx(value, rel=1e-12)
