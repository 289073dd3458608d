"""Noise models are an open set: a registered one is exact, sampled, rounded and bounded like those
that ship.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from isoloss.formats import NOISES, Format, NoiseModel, Precision, fake_quantise
from isoloss.linear import (
    SGD,
    Allowance,
    Regression,
    allocate,
    equal_risk_size,
    excess_risk,
    rate_conditions,
    risk_bound,
    sample_risk,
)

PROBLEM, SGD_ = Regression(20, decay=1.0), SGD(60, 3, 0.1)


@pytest.fixture(autouse=True)
def own() -> Iterator[None]:
    """Half of the factor shared by the vector; and noise that is both added and relative."""
    NOISES.register("half", NoiseModel("half shared", relative=1.0, shared=0.5))
    NOISES.register("both", NoiseModel("added and relative", added=0.5, relative=2.0))
    yield
    NOISES.remove("half")
    NOISES.remove("both")


@pytest.mark.parametrize("part", ["d", "l", "w", "a", "g"])
@pytest.mark.parametrize("noise", ["half(0.2)", "both(0.2)"])
def test_a_registered_noise_is_exact(part: str, noise: str) -> None:
    """The sampler, which draws it, is the oracle of the moments."""
    exact = excess_risk(PROBLEM, SGD_, f"{part}:{noise}", "last")
    drawn = sample_risk(PROBLEM, SGD_, f"{part}:{noise}", "last", replicates=4000)
    assert exact.how == "exact"
    assert drawn.value == pytest.approx(exact.value, abs=3.5 * drawn.standard_error)
    assert drawn.standard_error < 0.05 * exact.value


WIDE, SKETCHED = Regression(5000, decay=2.0), Regression(20, sketch=5)


@pytest.mark.parametrize("problem", [PROBLEM, WIDE, SKETCHED], ids=["full", "wide", "sketched"])
def test_a_noise_that_is_registered_anew_is_computed_anew(problem: Regression) -> None:
    def risk(noise: str) -> float:
        return excess_risk(problem, SGD_, f"d:{noise}(1e-3)", inputs="in use").value

    NOISES.register("half", NOISES["vec"], replace=True)
    assert risk("half") == risk("vec") != risk("add")
    NOISES.register("half", NOISES["add"], replace=True)
    assert risk("half") == risk("add")


def test_it_lies_between_its_limits() -> None:
    """A factor that is shared by half costs what is between one a vector and one an element."""
    one, half, other = (
        excess_risk(PROBLEM, SGD_, f"a:{each}(0.3)").value for each in ("coord", "half", "vec")
    )
    assert one < half < other
    both = excess_risk(PROBLEM, SGD_, "fp -> w:both(0.1)").parts.rounding
    alone = [
        excess_risk(PROBLEM, SGD_, f"fp -> w:{each}").parts.rounding
        for each in ("add(0.05)", "coord(0.2)")
    ]
    assert both == pytest.approx(sum(alone))


def test_arrays_get_its_noise() -> None:
    x = np.full((20_000, 4), 2.0)
    half = fake_quantise(x, "half(0.1)", random=1) / x - 1
    assert np.cov(half.T) == pytest.approx(0.05 + 0.05 * np.eye(4), abs=0.003)
    both = fake_quantise(x, "both(0.1)", random=1) - x
    assert np.cov(both.T) == pytest.approx((0.05 + 0.2 * 4) * np.eye(4), abs=0.03)
    assert float(fake_quantise(np.array(2.0), "half(0.1)", random=1)) != 2.0


def test_it_is_spelled_like_any_other() -> None:
    assert str(Precision("d:half(1e-3) a:both(2^-4)")) == "a:both(0.0625) d:half(0.001)"
    assert Format.parse("both(0)").is_exact
    with pytest.raises(
        ValueError, match=r"^unknown noise model 'halve'; did you mean 'half' or 'vec'\?"
    ):
        Format.parse("halve(0.1)")
    with pytest.raises(ValueError, match="accepted are add, vec, coord, half, both"):
        Precision("d:rest(0.1)")


def test_the_theory_says_where_it_ends() -> None:
    asked = PROBLEM, SGD(1000, step_size=0.02), "a:half(0.01) g:both(0.01)"
    bound = risk_bound(*asked)
    assert bound.lower < excess_risk(*asked).value < bound.upper
    with pytest.raises(ValueError, match=r"noise of one source, not 'd:both\(0\.1\)'"):
        rate_conditions(PROBLEM, SGD_, "d:both(0.1)")
    with pytest.raises(ValueError, match="share a part of their factors, which has no exact risk"):
        excess_risk(Regression(20, sketch=5), SGD_, "d:half(0.1)")
    with pytest.raises(ValueError, match=r"accepted are add\(eps\) and vec\(eps\)$"):
        excess_risk(Regression(20, sketch=5), SGD_, "w:half(0.1)")


def test_no_closed_form_is_made_up_for_it() -> None:
    problem = Regression(20)
    assert np.isnan(equal_risk_size(problem, 10, SGD_, "d:both(0.01)").closed)
    found = allocate(problem, Allowance(compute=1e4), ["d:both(0.01)"], sizes=4)
    assert np.isnan(found.best.closed)
    assert np.isnan(found.best.bits)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({}, "a noise of added 0.0, relative 0.0, shared 0.0 is none; accepted are finite"),
        ({"added": -1.0}, "a noise of added -1.0, relative 0.0, shared 0.0 is none"),
        ({"relative": float("nan")}, "a noise of added 0.0, relative nan"),
        ({"relative": 1.0, "shared": 2.0}, "shared is 2.0 beside added 0.0 and relative 1.0"),
        ({"added": 1.0, "relative": 1.0, "shared": 0.5}, "shared is 0.5 beside added 1.0"),
    ],
)
def test_a_model_that_is_none(numbers: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        NoiseModel("wrong", **numbers)
