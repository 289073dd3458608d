"""The best share of quantised training: its values, its symmetry and where it is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from isoloss import Precision
from isoloss.laws import DomainError, best_quantised_share


def test_the_share_is_the_papers_formula_by_value() -> None:
    s = 2e10 / (1e9 * 4 / 8)  # 40 tokens per byte
    printed = math.exp(math.log(s) - 6.7297 / math.log(s)) / s
    assert best_quantised_share(1e9, 2e10, 4) == pytest.approx(printed)
    assert printed == pytest.approx(0.1613, abs=5e-5)
    # where ln S is the constant itself, a share of 1/e
    assert best_quantised_share(1.0, math.exp(6.7297), 8) == pytest.approx(1 / math.e)


def test_the_share_grows_over_the_range_of_the_papers_claim() -> None:
    # "from a tenth to 55%": 86M to 2.2B params, 1 to 6 bits
    shares = best_quantised_share(1e8, [2e9, 2e10, 2e11, 2e12, 6e12], 4)
    assert isinstance(shares, np.ndarray)
    assert np.all(np.diff(shares) > 0)
    assert shares[0] == pytest.approx(0.16, abs=0.01)
    assert shares[-1] == pytest.approx(0.55, abs=0.02)


def test_only_tokens_per_byte_count() -> None:
    shares = best_quantised_share([1e9, 5e8, 1e9], [2e10, 1e10, 1e10], [4, 4, 2])
    np.testing.assert_allclose(shares, shares[0])


def test_a_share_is_spelled_as_a_change_of_precision() -> None:
    share = best_quantised_share(1e9, 2e10, 4)
    assert str(Precision(f"fp then w4 from {1 - share:.0%}")) == "fp then w4 from 84%"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1e9, 5e8, 4), r"above 1 token per byte of weights, .*, and here are 1; give more tokens"),
        ((1e9, [2e10, 1e8], 4), r"and here are 0\.2; "),
        ((0, 2e10, 4), "params is 0; it is a finite number above 0"),
        ((1e9, -5, 4), "tokens is -5; it is a finite number above 0"),
        ((1e9, 2e10, math.inf), "bits is inf; it is a finite number above 0"),
        ((1e9, math.nan, 4), "tokens is nan; it is a finite number above 0"),
        (("1B", 1e11, 4), "params is '1B'; it is a finite number above 0, as 1e9"),
        ((1e9, [1e11, "1T"], 4), "tokens is '1T'; it is a finite number above 0, as 1e11"),
        ((1e9, 1e11, "w4"), "bits is 'w4'; it is a finite number above 0, as 4"),
        ((1e9, 1e11, None), "bits is None; it is a finite number above 0"),
        ((True, 1e11, 4), "params is True; it is a finite number above 0"),
        (([1, 2], [1e9] * 3, 4), r"shapes do not agree: params \(2,\), tokens \(3,\), bits \(\)"),
        ((1e9, 1e11, 16), "bits is 16; weights of 16 bits or more are not quantised"),
        ((1e9, 5.000001e8, 4), "at 1.0000002 tokens per byte .* too small for a number"),
    ],
)
def test_what_it_is_not_known_for(arguments: tuple, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        best_quantised_share(*arguments)
