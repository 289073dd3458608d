"""Enumerations in files: kept by value, refused in one sentence where there is no such member."""

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pytest

from isoloss.files import KINDS, FilesError, Kind, load, save


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Painted:
    colour: Colour


@pytest.fixture(autouse=True)
def kind():
    KINDS.register("painted", Kind(Painted))
    yield
    KINDS.remove("painted")


def test_a_member_is_kept_by_its_value(tmp_path: Path) -> None:
    path = save(Painted(Colour.BLUE), tmp_path / "a.json")
    assert json.loads(path.read_text())["value"] == {"Painted": {"colour": "blue"}}
    assert load(path).colour is Colour.BLUE


@pytest.mark.parametrize("value", ["green", "RED", 1, None, ["red"], {"red": 1}])
def test_what_is_no_member_is_refused(value: object, tmp_path: Path) -> None:
    path = save(Painted(Colour.RED), tmp_path / "a.json")
    content = json.loads(path.read_text()) | {"value": {"Painted": {"colour": value}}}
    path.write_text(json.dumps(content))
    with pytest.raises(FilesError, match=r"painted\.colour is .*; it must be one of red, blue"):
        load(path)
