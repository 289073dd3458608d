import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoloss.runs import RunsError, compact, number
from isoloss.runs.numbers import duration


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.3B", 1.3e9),
        ("1.1b", 1100000000.0),
        ("20M", 2e7),
        ("4k", 4e3),
        ("0.07M", 70000.0),
        ("15T", 1.5e13),
        ("6G", 6e9),
        ("1e21", 1e21),
        ("1.5e3M", 1.5e9),
        ("1,300,000", 1.3e6),
        ("1_300_000", 1.3e6),
        (" .5 ", 0.5),
        ("-3", -3.0),
        ("7 B", 7e9),
        ("2.5 billion", 2.5e9),
        ("3Trillion", 3e12),
        (12, 12.0),
        (np.int64(5), 5.0),
    ],
)
def test_numbers_as_people_write_them(text, value):
    assert number(text) == value


@pytest.mark.parametrize(
    "text", ["", "abc", "1,3B", "1,30,000", "1.3X", "nan", "inf", "1e999", "--2", None, True]
)
def test_what_is_no_number_is_refused_with_the_value(text):
    with pytest.raises(RunsError) as error:
        number(text)
    assert str(error.value) == (
        f"cannot read {text!r} as a number; write a finite number like 1.3B, 20M, 4k, 1e21 or "
        "1,300,000"
    )


@given(st.floats(min_value=1e-6, max_value=1e17))
def test_compact_reads_back_within_its_three_digits(value):
    assert math.isclose(number(compact(value)), value, rel_tol=5.1e-3)


@pytest.mark.parametrize(
    ("value", "text"), [(999.9e6, "1B"), (30482560, "30.5M"), (0, "0"), (2e21, "2e+21")]
)
def test_compact_writes_the_usual_suffix(value, text):
    assert compact(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0, "0 s"), (0.26, "0.3 s"), (2.6, "3 s"), (99, "99 s")),
        *((720, "12 min"), (5999, "100 min"), (12600, "3.5 h")),
    ],
)
def test_durations_for_people(seconds, text):
    assert duration(seconds) == text
