"""Amounts with units as people write them."""

import re

import pytest

from isoloss.plans import PlanError
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
        ("1,300,000 EUR", "money", 1.3e6),
        ("1,234.56 EUR", "money", 1234.56),
        ("2.4990 USD", "price", 2.499),
        ("0.125 USD", "price", 0.125),
        ("8.030B", "params", 8.03e9),
        ("$1.234M", "money", 1.234e6),
        ("1.500 million USD", "money", 1.5e6),
        ("2 mio. EUR", "money", 2e6),
        ("15 trillion tokens", "tokens", 15e12),
    ],
)
def test_amounts_are_read(text, dimension, value) -> None:
    assert amount(text, dimension, "it") == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "dimension", "said"),
    [
        ("1.000 EUR", "money", "1.000 may be 1000 or 1; write 1000 or 1.0000"),
        ("€1,500", "money", "1,500 may be 1500 or 1.5; write 1500 or 1.5000"),
        ("2.499 USD", "price", "2.499 may be 2499 or 2.499; write 2499 or 2.4990"),
        ("1.500 Mio EUR", "money", "may be 1500 or 1.5"),
        ("1,234B", "params", "may be 1234 or 1.234"),
        ("16.000 GB", "bytes", "may be 16000 or 16"),
        ("1.500 h", "hours", "may be 1500 or 1.5"),
        ("1.000.000 EUR", "money", "dots stand for thousands; write 1000000"),
        ("1.234,56 EUR", "money", "the comma stands for decimals; write 1234.56"),
        ("2,5M EUR", "money", "the comma stands for decimals; write 2.5"),
        ("0,125 USD", "price", "the comma stands for decimals; write 0.125"),
    ],
)
def test_separators_that_may_be_thousands_or_decimals_are_refused(text, dimension, said) -> None:
    with pytest.raises(PlanError, match=re.escape(said)):
        amount(text, dimension, "it")
