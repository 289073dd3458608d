"""Mutated files: each loads or is refused in one sentence, in bounded memory, and touches nothing
else.

A part of the 2,000 in the default run; all with ``pytest tests/files/test_files_fuzz.py -m slow``.
"""

import json
import random
import resource
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from isoloss.files import FilesError
from isoloss.plans import load

GOLDEN = Path(__file__).parents[1] / "golden"
NAMES = ("fit.json", "comparison.json", "plan.json", "law.json")
#: Bytes that loading may take beside what the process has.
ROOM = 600 << 20
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1 << 62, 10**30, 1e308, -1e-308, "", "x", "nan",
    "\ud800", "a\x00b", "é" * 500,
    [], [[]], [None], ["float64"] * 50, {}, {"map": {}}, {"map": 1}, {"number": "nan"},
    {"number": "1e999"},
    {"array": [], "dtype": "float64"}, {"array": [1.0], "dtype": "U999999999"},
    {"array": [[1.0], 2.0], "dtype": "float64"},
    {"array": [1.0], "dtype": ["f8", "f8"]}, {"Fit": {}}, {"Law": {}}, {"Law": None},
    {"Caution": {"kind": "x"}},
)  # fmt: skip


def _flipped(data: bytes, rng: random.Random) -> bytes:
    hurt = bytearray(data)
    for _ in range(rng.choice((1, 1, 3, 30))):
        hurt[rng.randrange(len(hurt))] ^= 1 << rng.randrange(8)
    return bytes(hurt)


def _cut(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] if rng.random() < 0.5 else data[:at] + data[at + rng.randrange(1, 200) :]


def _deep(data: bytes, rng: random.Random) -> bytes:
    depth = rng.choice((50, 1_000, 100_000))
    open_, close = rng.choice((("[", "]"), ('{"a":', "}"), ('{"map":{"a":', "}}")))
    return _spliced(data, rng, open_ * depth + "1" + close * depth)


def _huge(data: bytes, rng: random.Random) -> bytes:
    text = rng.choice(
        ("1e999", "-1e999", "9" * 400, "9" * 5_000, "0." + "1" * 500, "NaN", "-Infinity")
    )
    return _spliced(data, rng, text)


def _spliced(data: bytes, rng: random.Random, text: str) -> bytes:
    """The file with one value replaced by a text."""
    content = json.loads(data)
    holder, key = rng.choice(list(_places(content)))
    holder[key] = "@@@"
    return json.dumps(content).replace('"@@@"', text).encode()


def _retyped(data: bytes, rng: random.Random) -> bytes:
    content = json.loads(data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        holder, key = rng.choice(list(_places(content)))
        holder[key] = deepcopy(rng.choice(VALUES))
    return json.dumps(content).encode()


def _moved(data: bytes, rng: random.Random) -> bytes:
    """Keys removed, renamed, added or given the value of another."""
    content = json.loads(data)
    holder, key = rng.choice(list(_places(content)))
    value = deepcopy(holder[key])
    del holder[key]
    if isinstance(holder, dict):
        holder[rng.choice((key, "__class__", "more", "map", ""))] = value
    other, place = rng.choice(list(_places(content)))
    other[place] = deepcopy(value)
    return json.dumps(content).encode()


def _places(content: Any) -> Iterator[tuple[Any, Any]]:
    for key, value in content.items() if isinstance(content, dict) else enumerate(content):
        yield content, key
        if isinstance(value, dict | list):
            yield from _places(value)


MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flipped, _cut, _deep, _huge, _retyped, _retyped, _moved,
)  # fmt: skip


@pytest.fixture
def bounded() -> Iterator[None]:
    """A limit on the memory of this process, taken back at the end."""
    if not sys.platform.startswith("linux"):
        yield
        return
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ROOM, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def _survives(seeds: range, folder: Path) -> int:
    """How many of the mutated files still load; AssertionError for one that ends otherwise than in
    a sentence.
    """
    contents = [(GOLDEN / name).read_bytes() for name in NAMES]
    path, loaded = folder / "x.json", 0
    for seed in seeds:
        rng = random.Random(seed)
        path.write_bytes(rng.choice(MUTATIONS)(rng.choice(contents), rng))
        try:
            str(load(path))
            loaded += 1
        except FilesError as error:
            text = str(error)
            assert "\n" not in text, (seed, text)
            assert len(text) < 900 + len(str(path)), (seed, text)
        except BaseException as error:
            raise AssertionError(f"seed {seed}: {type(error).__name__}: {error}") from error
    assert [each.name for each in folder.iterdir()] == ["x.json"]
    return loaded


@pytest.mark.usefixtures("bounded")
def test_a_mutated_file_is_one_sentence(tmp_path: Path) -> None:
    assert 0 < _survives(range(300), tmp_path) < 150


def _numbers(content: Any) -> dict[str, tuple[Any, Any]]:
    """One place of each number that is no whole one: the names on its way, lists counted once."""
    found: dict[str, tuple[Any, Any]] = {}

    def walk(holder: Any, way: str) -> None:
        for key, value in holder.items() if isinstance(holder, dict) else enumerate(holder):
            here = way if isinstance(holder, list) else f"{way}.{key}"
            if isinstance(value, dict | list):
                walk(value, here)
            elif isinstance(value, float):
                found.setdefault(here, (holder, key))

    walk(content, "")
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_number_beyond_the_largest_is_refused_wherever_it_stands(
    name: str, tmp_path: Path
) -> None:
    content, path = json.loads((GOLDEN / name).read_text()), tmp_path / "x.json"
    places = _numbers(content["value"])
    assert len(places) > 10
    for where, (holder, key) in places.items():
        whole = holder[key]
        for text in ("1e999", "-1e999"):
            holder[key] = "@@@"
            path.write_text(json.dumps(content).replace('"@@@"', text))
            with pytest.raises(FilesError, match=r"beyond the largest|damaged or edited") as caught:
                load(path)
            assert "\n" not in str(caught.value), where
        holder[key] = whole


@pytest.mark.slow
@pytest.mark.usefixtures("bounded")
def test_two_thousand_mutated_files_are_one_sentence_each(
    tmp_path: Path,
) -> None:
    assert 0 < _survives(range(2_000), tmp_path) < 1_000
