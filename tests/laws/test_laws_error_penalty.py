"""The penalty of the error, and the law of gaps of any law."""

import numpy as np
import pytest

from isoloss.formats import row_error
from isoloss.laws import (
    DomainError,
    GapOf,
    Law,
    as_inputs,
    gap_law,
    is_gap_law,
    law_from_json,
    preset,
    sights,
    with_errors,
)
from isoloss.laws.saving import law_to_json
from isoloss.laws.terms.error_penalty import log_width

VALUES = {"c_w": 2.0, "p_w": 1.1, "n_w": 0.4, "d_w": 0.2, "m[gptq]": 0.5}
VALUES |= {
    f"{k}_{part}": v for part in ("a", "kv") for k, v in zip("cpnd", (0.1, 1, 0, 0), strict=True)
}


@pytest.fixture
def law() -> Law:
    bound = preset("error").bind(as_inputs(1, 1, "fp -> w4@gptq").levels)
    return gap_law(bound).with_values(VALUES)


def test_it_is_a_power_of_the_error_of_rows_as_wide_as_the_decoder(law: Law) -> None:
    n, d = 2.0 ** (5.45 / 0.38), 1e9  # rows of 2^5
    error = row_error("int4/row", 32)
    assert law(n, d, "fp -> w4") == pytest.approx(2.0 * error**1.1 * n**-0.4 * d**0.2, rel=1e-12)
    assert law(n, d, "fp -> w4@gptq") == pytest.approx(0.5 * law(n, d, "fp -> w4"), rel=1e-12)
    assert law(n, d, "fp -> w4@rtn") == law(n, d, "fp -> w4")
    assert law(n, d, "fp -> w4/16") == pytest.approx(
        2.0 * row_error("int4/16", 32) ** 1.1 * n**-0.4 * d**0.2, rel=1e-12
    )
    between = law(n * 2 ** (0.5 / 0.38), d, "fp -> w4") / (n * 2 ** (0.5 / 0.38)) ** -0.4
    mean = (row_error("int4/row", 32) * row_error("int4/row", 64)) ** 0.55
    assert between == pytest.approx(2.0 * mean * d**0.2, rel=1e-9)


def test_parts_add_and_what_is_exact_costs_nothing(law: Law) -> None:
    one, two = (law(1e8, 1e10, f"fp -> {part}") for part in ("w4", "a8"))
    assert law(1e8, 1e10, "fp -> w4 a8") == pytest.approx(one + two)
    for exact in ("fp", "bf16", "fp -> bf16", "bf16 -> w:bf16"):
        assert law(1e8, 1e10, exact) == 0.0
    with pytest.raises(DomainError, match="w4 -> w3"):  # what was trained so loses something else
        law(1e8, 1e10, "w4 -> w3")
    assert sights(law, as_inputs(1e8, 1e10, "w4").levels.items)[0].unseen


def test_a_method_without_a_factor_has_no_gap_that_is_known(law: Law) -> None:
    with pytest.raises(DomainError, match="awq"):
        law(1e8, 1e10, "fp -> w4@awq")


def test_widths_are_those_of_decoders() -> None:
    for params, width in ((20640, 32), (1.0e9, 2048), (7e9, 4096)):
        assert 2 ** log_width(np.log([params]))[0] == pytest.approx(width, rel=0.15)
    assert log_width(np.log([1.0, 1e20])).tolist() == [4.0, 14.0]


@pytest.mark.parametrize("name", ["kumar2024", "quest2025", "frantar2025", "dremov2025"])
def test_the_gap_of_a_law_is_its_loss_less_that_without_rounding(name: str) -> None:
    law = preset(name)
    level = "w4+had@quest a4+had@quest" if name == "quest2025" else "w4"
    try:
        expected = law.gap(1e8, 1e10, level)
    except DomainError:
        pytest.skip(f"{name} has no value there")
    gaps = gap_law(law)
    assert is_gap_law(gaps)
    assert not is_gap_law(law)
    assert gap_law(gaps) is gaps
    assert gaps(1e8, 1e10, level) == pytest.approx(expected, rel=1e-9)
    assert gaps(1e8, 1e10, "fp") == 0.0
    assert law_from_json(law_to_json(gaps)) == gaps
    names = {k.name for k in gaps.constants}
    assert "E" not in names
    # Added to a term that rounding moves, that of the tokens cancels.
    assert ("B" in names) == (name == "dremov2025" or "kappa" not in law.fixed)


def test_a_law_of_penalties_alone_has_no_base_left() -> None:
    names = {k.name for k in gap_law(preset("error")).constants}
    assert names == set(VALUES) - {"m[gptq]"}
    whole = GapOf(preset("error").formula)
    assert {"A", "E"} <= {k.name for k in whole.constants}


def test_errors_that_were_measured_stand_in_place_of_those_of_normal_rows(law: Law) -> None:
    read = with_errors(law, {"a": {"int8": 0.002, "e4m3": 0.0007}})
    n, d, c = 1e8, 1e10, VALUES
    for spelled, error in (("a8", 0.002), ("a:e4m3", 0.0007), ("a:int8/tensor", 0.002)):
        expected = c["c_a"] * error ** c["p_a"] * n ** -c["n_a"] * d ** c["d_a"]
        assert read(n, d, f"fp -> {spelled}") == pytest.approx(expected, rel=1e-12)
    assert read(n, d, "fp -> w4") == law(n, d, "fp -> w4")
    x = as_inputs(n, d, "fp -> a8")  # what one law read off formats is not what the other reads
    assert law.loss(x)[0] != read.loss(x)[0] == read(n, d, "fp -> a8")
    with pytest.raises(DomainError, match="a4"):  # nobody measured it
        read(n, d, "fp -> a4")
    assert law_from_json(law_to_json(read)) == read
    whole = with_errors(preset("error"), {"a": {"int8": 0.002}})
    assert gap_law(whole).formula != gap_law(preset("error")).formula


@pytest.mark.parametrize(
    ("law", "errors", "message"),
    [
        ("error2026", {"a": {"int8": 0.1}}, "'error2026' has no penalty .* 'a'; it has w"),
        ("kumar2024", {"w": {"int8": 0.1}}, "it has none"),
        ("error", {"a": {"int8": 0.0}}, "the error of 'int8' is 0.0; it is above 0"),
    ],
)
def test_errors_that_a_law_does_not_read_are_refused(law, errors, message) -> None:
    with pytest.raises(ValueError, match=message):
        with_errors(preset(law), errors)
