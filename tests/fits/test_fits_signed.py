"""Numbers with their sign, as tables of gaps and residuals print them."""

import numpy as np
import pytest

from isoloss.fits.doubt import Prediction, interval_in_words
from isoloss.fits.sections import is_aligned, signed


@pytest.mark.parametrize(
    ("value", "digits", "said"),
    [
        (-0.004, 2, "0.00"),
        (0.004, 2, "0.00"),
        (0.0, 3, "0.000"),
        (-0.006, 2, "-0.01"),
        (3, 1, "+3.0"),
    ],
)
def test_what_rounds_to_zero_has_no_sign(value: float, digits: int, said: str) -> None:
    assert signed(value, digits) == said
    assert is_aligned(said)


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ((2.0, 3.0), "2.0000 to 3.0000"),
        ((2.0, float("inf")), "above 2.0000"),
        ((float("nan"),) * 2, "not held"),
    ],
)
def test_an_interval_open_to_one_side_names_its_end(ends, said: str) -> None:
    assert interval_in_words(ends, "{:.4f}".format) == said
    one = np.ones(1)
    low, high = (np.array([end]) for end in ends)
    found = Prediction(1e9 * one, 2e10 * one, ("fp",), 2.5 * one, low, high, 0.9, "run")
    assert str(found).splitlines()[1].endswith(f"2.5000   {said}")
