"""A user's own quantiser as a format: named, spelled, measured, pickled, refused."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from isoloss.formats import Format, Modifiers, Precision, custom_format, fake_quantise


def powers(x: np.ndarray) -> np.ndarray:
    """The nearest power of two, by logarithm."""
    safe = abs(x) + (x == 0)
    return (
        x * (2.0 ** (np.log2(safe)).round()) / safe
        if isinstance(x, np.ndarray)
        else x * torch.exp2(torch.log2(safe).round()) / safe
    )  # type: ignore[attr-defined]


LOG4 = custom_format("log4", 4, powers, storage_bits=4.5)
X = np.random.default_rng(0).standard_normal((4, 32))


def test_it_is_spelled_like_any_other() -> None:
    precision = Precision("w:log4/16+had a8")
    assert str(precision) == "w:log4/16+had a8"
    assert Precision(str(precision)) == precision
    assert precision.format("w") == LOG4.modified(Modifiers(16, hadamard=True))
    assert (LOG4.bits, LOG4.storage_bits, LOG4.levels, LOG4.max) == (4, 4.5, None, np.inf)
    assert str(Precision("LOG4")) == "log4"


def test_it_rounds_arrays_and_tensors() -> None:
    out = fake_quantise(X, "log4")
    assert set(np.unique(np.log2(np.abs(out)) % 1)) == {0.0}
    assert torch.equal(fake_quantise(torch.from_numpy(X), "log4"), torch.from_numpy(out))


@pytest.mark.parametrize(
    ("mark", "shape"), [("", (1, 128)), ("/row", (4, 32)), ("/16", (4, 2, 16))]
)
def test_the_function_sees_groups(mark: str, shape: tuple[int, ...]) -> None:
    seen = []
    custom_format("spy", 4, lambda x: seen.append(x.shape) or x, replace=True)
    fake_quantise(X, f"spy{mark}")
    assert seen == [shape]


def test_a_function_that_works_in_place_leaves_the_array_alone() -> None:
    before = X.copy()
    custom_format("inplace", 4, lambda x: np.round(x, out=x), replace=True)
    assert not np.shares_memory(fake_quantise(X, "inplace/row"), X)
    assert np.array_equal(X, before)


def test_storage_is_above_nothing() -> None:
    with pytest.raises(
        ValueError, match=r"^'new' of 4 bits, 0 stored, is no format; both are above 0 and finite$"
    ):
        custom_format("new", 4, np.round, storage_bits=0)


def test_a_pickle_brings_its_name_along(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def f(x):\n    return x * 0\n")
    script = (
        "import sys, pickle; sys.path.insert(0, sys.argv[1]); import mine; from isoloss.formats "
        "import custom_format\n"
        "sys.stdout.buffer.write(pickle.dumps(custom_format('zero', 2, "
        "mine.f).modified(custom_format('zero', 2, mine.f).modifiers._replace(granularity=8))))"
    )
    dumped = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, check=True
    ).stdout
    load = (
        "import sys, pickle; sys.path.insert(0, sys.argv[1]); from isoloss.formats import "
        "Precision\n"
        "print(pickle.loads(sys.stdin.buffer.read()), Precision('w:zero'))"
    )
    said = subprocess.run(
        [sys.executable, "-c", load, str(tmp_path)], input=dumped, capture_output=True, check=True
    )
    assert said.stdout.decode().strip() == "zero/8 w:zero"
    assert pickle.loads(pickle.dumps(LOG4)) == LOG4


def test_a_name_is_given_once_unless_replaced() -> None:
    first = custom_format("mine", 3, np.round)
    assert custom_format("mine", 3, np.round) == first
    with pytest.raises(
        ValueError,
        match="already means another format; choose one that is free or say replace=True",
    ):
        custom_format("mine", 3, np.floor)
    assert custom_format("mine", 3, np.floor, replace=True) == Format.parse("mine")


@pytest.mark.parametrize(
    ("name", "bits", "function", "message"),
    [
        (
            "My Format",
            4,
            np.round,
            "cannot name a format 'My Format'; use lower-case letters, digits and '_', a letter "
            "first",
        ),
        (
            "int4",
            4,
            np.round,
            "the name 'int4' already means another format; choose one that is free",
        ),
        ("w4", 4, np.round, "the name 'w4' already means another format; choose one that is free"),
        (
            "fp8",
            4,
            np.round,
            "the name 'fp8' already means another format; choose one that is free",
        ),
        (
            "new",
            0,
            np.round,
            "'new' of 0 bits, 0 stored, is no format; both are above 0 and finite",
        ),
        ("new", "4", np.round, "'new' of '4' bits, '4' stored, is no format; both are numbers"),
        ("new", 4, "round", "the quantiser of 'new' is 'round'; it is a function of an array"),
    ],
)
def test_what_is_no_format(name: str, bits: float, function: object, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        custom_format(name, bits, function)  # type: ignore[arg-type]
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            lambda x: x[..., :2],
            "the function of 'odd' returned float64 of shape (4, 2); it must return float64 of "
            "shape (4, 32)",
        ),
        (
            lambda x: x.astype(np.float32),
            "the function of 'odd' returned float32 of shape (4, 32); it must return float64 of "
            "shape (4, 32)",
        ),
        (
            lambda x: None,
            "the function of 'odd' returned a NoneType; it must return float64 of shape (4, 32)",
        ),
        (
            lambda x: x * np.inf,
            "rounding to 'odd/row' left the range of float64; scale the array down first",
        ),
    ],
)
def test_a_function_that_returns_something_else(function: object, message: str) -> None:
    custom_format("odd", 4, function, replace=True)  # type: ignore[arg-type]
    with pytest.raises(ValueError) as caught:
        fake_quantise(X, "odd/row")
    assert str(caught.value) == message


def test_marks_that_would_change_nothing_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^'log4' rounds by its own function: '\+clip~sr' would change nothing$"
    ):
        Format.parse("log4+clip~sr")
    with pytest.raises(ValueError, match=r"^'log4' scales by its own function; leave scale out$"):
        fake_quantise(X, "log4", scale=1.0)
