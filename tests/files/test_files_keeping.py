"""Registered kinds as JSON files: by type, and refused in one sentence where a field is not what it
must be.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from isoloss.files import (
    KINDS,
    UNSAVED,
    FilesError,
    Kind,
    decode,
    encode,
    formerly,
    load,
    save,
    was,
)


@dataclass(frozen=True, eq=False)
class Inner:
    ends: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Sample:
    name: str
    count: int
    how: Literal["a", "b"]
    values: Mapping[str, float]
    inner: tuple[Inner, ...]
    array: NDArray[np.float64]
    maybe: Inner | None = None
    lost: Any = field(default=None, metadata=UNSAVED)


@pytest.fixture(autouse=True)
def kind():
    KINDS.register("sample", Kind(Sample, schema=2))
    yield
    KINDS.remove("sample")


@pytest.fixture
def made() -> Sample:
    array = np.array([[1.0, np.nan], [-np.inf, 0.1]])
    return Sample("x", 3, "a", {"k": np.inf}, (Inner((1.0, 2.0)),), array, lost=object())


def _with(path: Path, change: Mapping[str, Any]) -> Path:
    content = json.loads(path.read_text())
    content["value"]["Sample"] |= change
    path.write_text(json.dumps(content))
    return path


def test_a_value_comes_back_and_what_is_unsaved_does_not(made: Sample, tmp_path: Path) -> None:
    again = load(save(made, tmp_path / "a.json"))
    assert isinstance(again, Sample)
    assert (again.name, again.count, again.values) == ("x", 3, {"k": np.inf})
    assert again.inner[0].ends == (1.0, 2.0)
    np.testing.assert_array_equal(again.array, made.array)
    assert (again.maybe, again.lost) == (None, None)
    save(again, tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_a_saved_file_is_kept(made: Sample, tmp_path: Path) -> None:
    path = save(made, tmp_path / "a.json")
    with pytest.raises(FilesError, match="exists; give another name or force=True"):
        save(made, path)
    assert save(made, path, force=True) == path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 3}, "sample.name is 3; it must be text"),
        ({"count": 1.5}, "sample.count is 1.5; it must be a whole number"),
        ({"count": True}, "sample.count is True; it must be a whole number"),
        ({"count": 10**30}, "sample.count is a large integer; it must be a whole number"),
        ({"how": "c"}, "sample.how is 'c'; it must be one of a, b"),
        ({"values": {"map": {"k": "x"}}}, "sample.values.k is 'x'; it must be a number"),
        ({"values": {"map": {"k": {"number": "1"}}}}, "must be a number, nan, inf, -inf"),
        ({"values": [1]}, "sample.values is a list; it must be a map"),
        ({"inner": {}}, "sample.inner is an object; it must be a list"),
        ({"inner": [{"Outer": {}}]}, r"sample.inner\[0\] is an object; it must be an Inner"),
        ({"inner": [{"Inner": {"ends": [1]}}]}, r"inner\[0\].ends has 1 values instead of 2"),
        ({"inner": [{"Inner": {}}]}, "has no field 'ends'; the file was cut short or edited"),
        ({"more": 1}, "sample has an unknown field 'more'"),
        ({"array": {"array": [1], "dtype": "U99999999"}}, "array.dtype is 'U99999999'"),
        ({"array": {"array": [1], "dtype": ["f8"] * 9}}, "array.dtype is a list"),
        ({"array": {"array": [1], "dtype": "int64"}}, "array.dtype is 'int64'"),
        ({"array": {"array": [[1, 2], [3]], "dtype": "float64"}}, "rows of different lengths"),
        (
            {"array": {"array": [[[[[1]]]]], "dtype": "float64"}},
            "5 dimensions instead of at most 4",
        ),
        ({"array": {"array": ["x"], "dtype": "float64"}}, "array is 'x'; it must be a number"),
    ],
)
def test_a_field_of_another_type_is_refused(change, message, made: Sample, tmp_path: Path) -> None:
    path = _with(save(made, tmp_path / "a.json"), change)
    with pytest.raises(FilesError, match=message) as caught:
        load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"type": "sample", "schema": 3, "value": {}}', "has schema 3 but .* reads up to 2"),
        ('{"type": "sample", "schema": "1", "value": {}}', "is not a .* saved by isoloss"),
        ('{"type": "sample", "schema": 1, "schema": 1, "value": {}}', "is not a .* saved by"),
        ('{"type": "sample", "schema": 1, "value": NaN}', "is not a .* saved by"),
        ('{"type": "other", "schema": 1, "value": {}}', "unknown kind of file 'other'; accepted"),
        (
            '{"type": "other", "module": "mine", "schema": 1, "value": {}}',
            "registered by the module 'mine', which is not loaded here; use",
        ),
        ("[" * 100_000, "is not a .* saved by"),
        ("\xff", "is not a .* saved by"),
        ("", "is not a .* saved by"),
    ],
)
def test_a_file_that_is_none_of_these_is_refused(text, message, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(FilesError, match=message):
        load(path)


def test_paths_that_are_no_files_are_refused(tmp_path: Path) -> None:
    for path, message in [
        (tmp_path, "no regular file"),
        (tmp_path / "none", "there is no file"),
        (tmp_path / ("a" * 300), "cannot read|there is no file"),
        ("a\0b", "cannot read|is not a"),
        ("/dev/zero", "no regular file"),
    ]:
        with pytest.raises(FilesError, match=message):
            load(path)


def test_a_value_of_no_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        FilesError, match=r"cannot save an object; kinds that are saved are .*sample"
    ):
        save(object(), tmp_path / "a.json")
    assert list(tmp_path.iterdir()) == []


def test_files_with_former_names_load(tmp_path: Path) -> None:
    @formerly("Old")
    @dataclass(frozen=True)
    class New:
        now: int = field(metadata=was("then"))

    assert decode(New, {"Old": {"then": 3}}, "new") == decode(New, {"New": {"now": 3}}, "new")
    assert encode(New(3)) == {"New": {"now": 3}}
    with pytest.raises(ValueError, match="new is an object; it must be a New"):
        decode(New, {"Older": {"now": 3}}, "new")


def test_a_users_kind_says_its_module(made: Sample, tmp_path: Path) -> None:
    assert json.loads(save(made, tmp_path / "a.json").read_text())["module"] == __name__
