"""Intervals in words: one spelling for each reason why there is none."""

from __future__ import annotations

from math import inf, nan

import pytest

from isoloss.fits import ends_in_words, interval_in_words, loss_in_words, share_in_words, text
from isoloss.fits.sections import Section


@pytest.mark.parametrize(
    ("ends", "absent", "said"),
    [
        ((1.0, 2.5), "not held", "1 to 2.5"),
        ((-inf, inf), "not held", "not held"),
        ((nan, nan), "unknown", "unknown"),
        ((nan, nan), "point law", "point law"),
        ((1.0, inf), "not held", "above 1"),
        ((-inf, 2.5), "not held", "below 2.5"),
    ],
)
def test_an_interval_or_why_there_is_none(ends, absent, said) -> None:
    assert interval_in_words(ends, "{:g}".format, absent) == said


def test_ends_stand_apart() -> None:
    assert ends_in_words((0.5, inf), "{:g}".format) == ("0.5", "not held")


@pytest.mark.parametrize(
    ("value", "said"), [(-1e-6, "0.0000"), (-0.25, "-0.2500"), (nan, "unknown")]
)
def test_a_loss_that_rounds_to_zero_has_no_sign(value, said) -> None:
    assert loss_in_words(value) == said


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (1e-7, "less than 0.01%"),
        (0.0123, "1.2%"),
        (0.5, "50%"),
        (0.999, "100%"),
        (1.6, "more than 100%"),
        (0, "0%"),
    ],
)
def test_small_shares_are_said_to_be_small(share, said) -> None:
    assert share_in_words(share) == said


def test_a_column_of_numbers_stays_one_where_an_interval_is_missing() -> None:
    lines = text([Section("t", (), ("a",), (("1.5",), ("not held",)))]).splitlines()
    assert lines[2] == "       1.5"
