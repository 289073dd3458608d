"""Machines as an open set: every number has its page, and one line adds one more."""

import re
from typing import Any

import pytest

from isoloss.formats import Precision
from isoloss.plans import (
    MACHINES,
    Budget,
    Hardware,
    PlanError,
    as_machine,
    plan,
    rate_of,
    register_machine,
)
from isoloss.plans.costs.hardware import CLASSES
from isoloss.plans.costs.rates import FLOATS, INTEGERS


@pytest.fixture
def mine():
    yield register_machine(Hardware("my-chip", peaks={"bf16": 2e14, "fp8": 5e14}, memory=64e9))
    MACHINES.remove("my-chip")


@pytest.mark.parametrize("name", [m.name for m in MACHINES.values() if not m.is_abstract])
def test_every_number_of_a_device_has_its_page(name: str) -> None:
    device = MACHINES[name]
    pages = {number: device.page(number) for number in device.numbers}
    assert [
        number for number, page in pages.items() if not (page or "").startswith("https://")
    ] == []


def test_a_page_is_read_by_the_name_of_the_number() -> None:
    assert as_machine("b200").page("memory") != as_machine("b200").page("bandwidth")
    assert as_machine("linear-bits").page("rule").startswith("Kumar et al. 2024")
    assert Hardware("x", peaks={"bf16": 1e12}).page("bf16") is None


def test_one_line_adds_a_machine_and_lists_follow(mine: Hardware) -> None:
    assert as_machine("My_Chip") is mine
    assert "my-chip" in list(MACHINES)
    assert MACHINES.home("my-chip") == __name__
    with pytest.raises(PlanError, match=r"accepted are a100, .*memory-bits, my-chip, and your own"):
        as_machine("abacus")
    found = plan("kumar2024", Budget("1e21 flop"), "my-chip", precision=["bf16", "e4m3"])
    assert found.hardware.startswith("my-chip: bf16 200, fp8 500 TFLOP/s")
    assert rate_of(mine.with_mfu({"all": 0.4}), Precision("e4m3 g:e4m3")).cost == pytest.approx(0.4)


def test_a_taken_name_needs_replace(mine: Hardware) -> None:
    other = Hardware("my-chip", peaks={"bf16": 1e14})
    with pytest.raises(PlanError, match=r"'my-chip' is already registered by .*replace=True"):
        register_machine(other)
    assert register_machine(other, replace=True) is as_machine("my-chip")


def test_the_classes_are_those_that_products_run_in() -> None:
    assert set(CLASSES) == {*FLOATS, *INTEGERS}


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (
            {"peaks": {"fp8": 1e15}},
            "x has no peak for bf16, which the FLOPs of a budget are counted in",
        ),
        (
            {"peaks": {"bf16": 1e15, "fp16": 1e15}},
            "x has a peak for 'fp16'; classes of formats are fp4, fp6",
        ),
        ({"peaks": {"bf16": 0}}, "bf16 of x is 0; accepted is a number above 0"),
        (
            {"peaks": {"bf16": 1e15}, "memory": "80 GB"},
            "memory of x is '80 GB'; accepted is a number above 0",
        ),
        ({"peaks": {"bf16": 1e15}, "bandwidth": float("nan")}, "bandwidth of x is nan"),
        ({"peaks": {"bf16": 1e15}, "pages": {"a page": ("fp8",)}}, "pages of x name 'fp8'"),
        ({"rule": "free"}, "rule of x is 'free'; accepted are rates, linear-bits, memory-bits"),
    ],
)
def test_a_machine_that_cannot_be_is_one_sentence(made: dict, said: str) -> None:
    with pytest.raises(PlanError, match=said) as caught:
        Hardware("x", **made)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("given", [3, None, ["h100"], True])
def test_what_is_no_machine_is_one_sentence(given: object) -> None:
    with pytest.raises(
        PlanError, match=r"^hardware is .*; give a Hardware or the name of a machine: a100, "
    ):
        as_machine(given)
    with pytest.raises(PlanError, match="as a machine; it takes a Hardware"):
        register_machine(given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": ""}, "a machine cannot be named ''"),
        ({"name": "../x"}, "a machine cannot be named '../x'"),
        ({"name": "\x1b[31mred"}, "a machine cannot be named"),
        ({"name": None}, "a machine cannot be named None"),
        ({"peaks": None}, "peaks of mine are None"),
        ({"peaks": {"bf16": float("inf")}}, "bf16 of mine is inf; accepted is a number above 0"),
        ({"peaks": {"bf16": 10**400}}, "bf16 of mine is 1000"),
        ({"bandwidth": float("nan")}, "bandwidth of mine is nan"),
    ],
)
def test_a_machine_that_cannot_be_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanError, match=re.escape(said)) as caught:
        Hardware(**({"name": "mine", "peaks": {"bf16": 1e14}} | given))
    assert "\n" not in str(caught.value)
