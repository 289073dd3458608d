"""How values are shown, what counts as a whole number, names nearly right."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
import pytest
from typing_extensions import TypeAliasType

from isoloss.files import (
    decode,
    did_you_mean,
    encode,
    equal_by_fields,
    real_number,
    shown_value,
    whole_number,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"), (1.5, "1.5"), (True, "True"), (None, "None"), ("a", "'a'"), ([1], "[1]"),
        (np.float64(0.1), "0.1"), (np.int64(7), "7"), (np.array(3.0), "a ndarray"),
        (np.array([]), "an empty ndarray"), (np.ones(2), "a ndarray"), (object(), "an object"),
        ("x" * 99, "'" + "x" * 56 + "..."),
    ],
)  # fmt: skip
def test_a_value_is_shown_in_a_few_words(value: Any, text: str) -> None:
    assert shown_value(value) == text


def test_whole_numbers_that_python_does_not_print_are_counted() -> None:
    assert shown_value(10**5000) == "a whole number of about 5001 digits"


@pytest.mark.parametrize(
    ("value", "whole", "real"),
    [
        (3, 3, 3.0), (3.0, 3, 3.0), (1e9, 10**9, 1e9), (np.int32(4), 4, 4.0), (0.5, None, 0.5),
        (np.float32(2), 2, 2.0), (Fraction(4, 2), 2, 2.0), (10**400, 10**400, None),
        (True, None, None), (np.bool_(True), None, None), ("3", None, None), (None, None, None),
        (float("inf"), None, float("inf")), (float("nan"), None, None), (3 + 0j, None, None),
    ],
)  # fmt: skip
def test_one_rule_for_whole_and_real_numbers(
    value: Any, whole: int | None, real: float | None
) -> None:
    assert whole_number(value) == whole
    found = real_number(value)
    assert found == real if real is not None else np.isnan(found)


def test_a_name_nearly_right_is_asked_back() -> None:
    assert did_you_mean("kumar24", ["kumar2024", "chen2025"]) == "did you mean 'kumar2024'?"
    assert did_you_mean("zzz", ["kumar2024"]) == ""


@equal_by_fields
@dataclass(frozen=True)
class Sized:
    """A number that may be unknown."""

    name: str
    size: float = math.nan


def test_values_are_equal_by_fields_an_unknown_one_included() -> None:
    assert Sized("a") == Sized("a")
    assert hash(Sized("a")) == hash(Sized("a"))
    assert Sized("a") != Sized("b")
    assert Sized("a") != Sized("a", 1.0)
    assert Sized("a") != "a"


def test_an_array_is_read_where_its_hint_is_an_alias() -> None:
    """From numpy 2.5 on, NDArray is one on Python 3.12 and newer."""
    kept = np.array([1.0, 2.0])
    inner = TypeVar("inner", bound=np.generic)
    of = TypeAliasType("of", np.ndarray[Any, np.dtype[inner]], type_params=(inner,))
    plain = TypeAliasType("plain", np.ndarray[Any, np.dtype[np.float64]])
    for hint in (of[np.float64], plain):  # type: ignore[valid-type, index]
        np.testing.assert_array_equal(decode(hint, encode(kept), "here"), kept)
