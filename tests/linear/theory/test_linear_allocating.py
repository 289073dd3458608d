"""The joint choice of size, samples, format and step size, against brute force and closed forms."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from isoloss.linear import (
    SGD,
    Allocation,
    Allowance,
    Regression,
    allocate,
    excess_risk,
    excess_risks,
    first_coordinates,
)

SMALL = Regression(40, noise_var=0.25)
LARGE = Regression(100_000, noise_var=0.25)


@pytest.mark.parametrize("precision", ["fp", "d:add(1e-2)", "d:int5~sr"])
@pytest.mark.parametrize("inputs", ["clean", "in use"])
def test_as_good_as_brute_force(precision: str, inputs: str) -> None:
    found = allocate(SMALL, Allowance(compute=4000), [precision], inputs=inputs).best
    cells = [
        (*first_coordinates(SMALL, size), size, k / 40)
        for size in range(1, 41)
        for k in range(1, 40)
    ]
    points = [
        (seen, SGD(4000 // size, 1, f"{share} limit"), precision) for seen, _, size, share in cells
    ]
    best = min(
        risk.value + missed
        for risk, (_, missed, _, _) in zip(excess_risks(points, inputs=inputs), cells, strict=True)
    )
    assert found.risk <= best * 1.001


def test_a_choice_is_the_exact_risk_at_its_size_and_steps() -> None:
    found = allocate(LARGE, Allowance(compute=1e5), ["d:add(1e-3)"], batch=4, inputs="in use").best
    seen, missed = first_coordinates(LARGE, found.size)
    sgd = SGD(found.steps, 4, found.step_size)
    risk = excess_risk(seen, sgd, "d:add(1e-3)", inputs="in use")
    assert found.samples == 4 * found.steps <= 1e5 / found.size
    assert found.risk == pytest.approx(risk.value + missed)
    assert found.risk == pytest.approx(found.approximation + found.floor + found.trained)


@pytest.mark.parametrize("decay", [1.5, 2.0])
def test_full_precision_has_the_exponent_of_the_theory(decay: float) -> None:
    found = allocate(Regression(100_000, decay, 0.25), Allowance(compute=1e8), ["fp"])
    assert found.theory == pytest.approx(1 / (decay + 1))
    assert found.exponent == pytest.approx(found.theory, abs=0.02)
    assert found.best.size == pytest.approx(found.best.closed, rel=0.05)


def table() -> Allocation:
    return allocate(
        LARGE, Allowance(compute=1e6), ["fp", "d:add(1e-2)", "d:vec(1e-2)", "d:e4m3~sr"]
    )


def test_relative_noise_keeps_the_best_size_and_added_noise_reduces_it_less_than_theory() -> None:
    """Beyond eps^(-1/a) more coordinates still gain a little, so the closed form is smaller than
    the best size.
    """
    found = {each.precision: each for each in table().choices}
    assert [*found] == ["fp", "d:e4m3~sr", "d:vec(0.01)", "d:add(0.01)"]
    assert found["d:vec(0.01)"].size == pytest.approx(found["fp"].size, rel=0.05)
    added = found["d:add(0.01)"]
    assert added.closed == pytest.approx(12.73, abs=0.01)
    assert 40 < added.size < 0.8 * found["fp"].size
    assert 0.1 < added.closed_regret < 0.3
    assert found["fp"].closed_regret < 0.001


def test_an_allocation_prints_itself() -> None:
    lines = str(table()).splitlines()
    assert (
        lines[0]
        == "allocation under M N <= 1e+06; exact risk, clean inputs, of the first M coordinates"
    )
    assert lines[1].split("  ")[-1] == "over the best"
    assert lines[2].split() == [
        "fp",
        "16",
        "81",
        "80.33",
        "0.0%",
        "12345",
        "0.437",
        "0.71",
        "0.009042",
        "+0.0%",
    ]
    assert lines[-1].startswith(
        "full precision: M = 0.803 C^0.333 fitted at C / 16, C / 4 and C; the exponent"
    )


def test_fewer_bits_buy_a_larger_model() -> None:
    allowance = Allowance(memory=256, samples=10_000)
    found = {
        each.precision: each
        for each in allocate(LARGE, allowance, ["fp", "d8~sr", "d6~sr"]).choices
    }
    assert {name: (each.size, each.edge) for name, each in found.items()} == {
        "fp": (16, True),
        "d8~sr": (32, True),
        "d6~sr": (42, True),
    }
    assert all(math.isnan(each.closed) for each in found.values())
    assert "16+" in str(allocate(LARGE, allowance, ["fp"]))


@pytest.mark.parametrize(
    ("compute", "size", "said"),
    [
        (1, "1+", "+ the largest model that the allowance affords"),
        (1e6, "20*", "* all coordinates of the problem: in a larger problem a larger model might"),
    ],
)
def test_the_largest_size_says_what_limits_it(compute: float, size: str, said: str) -> None:
    _, _, row, *rest = str(allocate(Regression(20), Allowance(compute=compute), "fp")).splitlines()
    assert row.split()[2] == size
    assert [line for line in rest if line.startswith(said)]


def test_fewer_bits_buy_more_compute_where_they_are_weighed() -> None:
    found = allocate(LARGE, Allowance(compute=1e6, weigh_bits=True), ["fp", "d:e4m3~sr"])
    full, rounded = sorted(found.choices, key=lambda each: -each.bits)
    assert full.size * full.samples <= 1e6 < rounded.size * rounded.samples <= 2e6
    assert rounded.closed == pytest.approx(2 ** (1 / 3) * full.closed)


def test_bits_may_be_given_and_those_of_added_noise_follow_from_eps() -> None:
    def bits(spelled: str, **given: object) -> float:
        return allocate(
            LARGE, Allowance(memory=64, samples=100, **given), [spelled], sizes=4
        ).best.bits  # type: ignore[arg-type]

    assert bits("d:add(0.00390625)") == 4
    assert bits("d:vec(0.01)", bits={"d:vec(0.01)": 7}) == 7
    assert bits("d4~sr w8~sr") == 8


def test_step_sizes_may_be_fixed() -> None:
    found = allocate(LARGE, Allowance(compute=1e5), ["fp"], shares=[0.3]).best
    assert found.share == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Allowance(), "nothing limits the samples; give compute or samples"),
        (lambda: Allowance(compute=-1), "compute is -1"),
        (lambda: Allowance(samples=1.5), "samples is 1.5"),  # type: ignore[arg-type]
        (lambda: Allowance(samples=10, bits={"d4": 0}), "bits of 'd4' is 0"),
        (lambda: allocate(SMALL, Allowance(compute=1e4), []), "there is no precision to choose"),
        (
            lambda: allocate(SMALL, Allowance(compute=1e4), ["fp"], shares=[]),
            "there is no step size to choose",
        ),
        (
            lambda: allocate(SMALL, Allowance(compute=1e4), ["fp"], shares=[1.0]),
            "a share of the limit is 1.0",
        ),
        (lambda: allocate(SMALL, Allowance(compute=1e4), ["fp"], sizes=1), "sizes is 1"),
        (
            lambda: allocate(SMALL, Allowance(compute=3), ["fp"], batch=8),
            "'fp' does not fit: not one coordinate",
        ),
        (
            lambda: allocate(SMALL, Allowance(compute=9, weigh_bits=True), ["d:vec(0.1)"]),
            "the bits of 'd:vec",
        ),
        (lambda: allocate(SMALL, Allowance(compute=1e4), ["kv4"]), "no part 'kv'"),
        (
            lambda: allocate(Regression(9, sketch=3), Allowance(compute=1e4), ["fp"]),
            "leave sketch out",
        ),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_what_cannot_be_costed_is_dropped_with_the_reason() -> None:
    allowance = Allowance(compute=2e3, memory=400)
    asked = ["fp", "d:vec(0.1)", "d:mxfp4", "d:add(0.01)", "w:e8m23"]
    found = allocate(SMALL, allowance, asked, sizes=4)
    assert {each.precision for each in found.choices} == {"fp", "d:add(0.01)", "w:fp32"}
    assert found.dropped.keys() == {"d:vec(0.1)", "d:mxfp4"}
    assert found.dropped["d:vec(0.1)"].startswith("the bits of 'd:vec(0.1)' are not known")
    assert found.dropped["d:mxfp4"].startswith("no exact risk for format 'mxfp4'")
    assert f"dropped d:vec(0.1): {found.dropped['d:vec(0.1)']}" in str(found)
    alone = allocate(SMALL, allowance, ["fp", "d:add(0.01)"], sizes=4)
    assert alone.choices == tuple(each for each in found.choices if each.precision != "w:fp32")
    assert not alone.dropped
