"""The look: ticks that people read, and one style for each precision."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from isoloss.plots.panels.bits_panels import ranges
from isoloss.plots.sizes import Sizes, spread
from isoloss.plots.styles import MOST, as_level, colour_of, shared_method, shorten, styles
from isoloss.plots.ticks import linear_ticks, log_ticks, plain_number, written


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (9e8, 1.1e11, [1e9, 3e9, 1e10, 3e10, 1e11]),
        (2.4, 4.1, [2.5, 3.0, 3.5, 4.0]),
        (9e6, 1.2e9, [1e7, 3e7, 1e8, 3e8, 1e9]),
        (1e-9, 1.0, [1e-9, 1e-7, 1e-5, 1e-3, 1e-1]),
        (23.0, 115.0, [30.0, 50.0, 70.0, 100.0]),
    ],
)
def test_ticks_of_a_logarithmic_axis(low: float, high: float, ticks: list[float]) -> None:
    assert log_ticks(low, high) == pytest.approx(ticks)


@pytest.mark.parametrize("ends", [(1.0, 1.001), (0.5, 0.9), (1e3, 1e16), (3.0, 8.0), (1e-5, 2e-5)])
def test_ticks_are_few_and_inside(ends: tuple[float, float]) -> None:
    for ticks in (log_ticks(*ends), linear_ticks(*ends)):
        assert 2 <= len(ticks) <= 6
        assert ticks == sorted(set(ticks))
        slack = 1e-6 * (ends[1] - ends[0])
        assert ends[0] - slack <= ticks[0]
        assert ticks[-1] <= ends[1] + slack


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-2.5, "−2.5"),
        (3400.4, "3400"),
        (1.23456e16, "1.235e16"),
        (1e-7, "1e−07"),
        (0.1234567, "0.1235"),
    ],
)
def test_plain_numbers(value: float, text: str) -> None:
    assert plain_number(value) == text


def test_numbers_to_three_digits() -> None:
    assert [written(v, 3) for v in (21149.0, 0.069, -1.4072)] == ["21100", "0.069", "−1.41"]


def test_colours_darken_with_bits() -> None:
    light = [
        np.dot(to_rgb(colour_of(b)), (0.299, 0.587, 0.114))
        for b in (1, 1.58, 2, 3, 4, 6, 8, 12, 16)
    ]
    assert (np.diff(light) < 0).all()
    assert colour_of(32) == colour_of(16)


def test_no_two_precisions_look_alike() -> None:
    names = [
        "bf16",
        "fp",
        "w4",
        "w4 a4",
        "w4 a8",
        "a4",
        "w4+had",
        "w:e2m1",
        "w4 a4 2:4",
        "w3",
        "fp -> w4",
        "mxfp4",
        "w1.58",
    ]
    found = styles(names)
    assert list(found)[:2] == ["bf16", "fp"]
    assert list(found)[-1] == "w1.58"
    assert len({(s.colour, s.marker) for s in found.values()}) == len(names)


def test_a_way_of_rounding_keeps_its_marker_over_bits() -> None:
    found = styles([f"{p}{b}" for p in ("w", "a", "kv") for b in (3, 4, 8)] + ["w4 a4", "w8 a8"])
    for part in ("w", "a", "kv"):
        assert len({found[f"{part}{b}"].marker for b in (3, 4, 8)}) == 1
    assert found["w4 a4"].marker == found["w8 a8"].marker


def test_more_levels_than_can_be_told_apart_share_the_style_of_their_bits() -> None:
    found = styles([f"w{w} a{a}" for w in (4, 5, 6, 8) for a in (4, 5, 6, 7, 8)])
    assert len(found) == 20 > MOST
    assert found["w4 a8"] == found["w8 a4"]
    assert found["w4 a8"] != found["w8 a5"]


@pytest.mark.parametrize(
    ("name", "bits", "sparsity"),
    [
        ("w4 a8", 4, None), ("w4+had a4+had 2:4", 4, "2:4"), ("bf16", 16, None),
        ("fp", np.inf, None), ("d:add(0.00390625)", 4, None), ("fp -> w3", 3, None),
    ],
)  # fmt: skip
def test_a_label_is_read_back(name: str, bits: float, sparsity: str | None) -> None:
    level = as_level(name)
    assert level.bits == pytest.approx(bits)
    assert level.sparsity == sparsity


def test_a_method_is_shared_only_where_all_have_it() -> None:
    assert shared_method(["bf16", "w4@quest", "w4@quest a8@quest"]) == "@quest"
    assert shared_method(["w4@quest", "w4"]) == ""
    assert shared_method(["w4@quest", "w4@gptq"]) == ""
    assert shared_method(["bf16"]) == ""
    assert shorten("eff[w4@quest a4@quest]", ["bf16", "w4@quest"]) == "eff[w4 a4]"


def test_sizes_darken_with_params() -> None:
    sizes = Sizes.of(np.array([1e9, 1e7, 1e8, 1e7]))
    assert sizes.values == (1e7, 1e8, 1e9)
    light = [sum(to_rgb(sizes.colour(n))) for n in sizes.values]
    assert light == sorted(light, reverse=True)
    assert [label for _, label in sizes.legend(True)] == ["1B", "100M", "10M"]
    assert len({sizes.marker(n) for n in sizes.values}) == 3


def test_spread_keeps_the_ends() -> None:
    assert spread(list(range(10)), 4) == [0, 3, 6, 9]
    assert spread([1, 2], 4) == [1, 2]


def test_ranges_of_bits() -> None:
    assert ranges([1, 2, 3, 5, 16]) == "1-3, 5, 16"
