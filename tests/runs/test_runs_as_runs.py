"""One coercion to Runs: whatever stands for a table of runs is read, anything else is one
sentence.
"""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from isoloss.files import use
from isoloss.runs import READERS, Run, Runs, RunsError, Store, as_runs, read

ROWS = [Run(1e6, 2e7, "w4", 3.0, key="a"), Run(2e6, 4e7, "bf16", 2.5, key="b")]


def _stored(folder: Path) -> Store:
    store = Store(folder / "runs.db")
    for row in ROWS:
        store.add("task", row)
    return store


SOURCES: dict[str, Any] = {
    "runs": lambda folder: Runs(ROWS),
    "a list of runs": lambda folder: list(ROWS),
    "a tuple of runs": lambda folder: tuple(ROWS),
    "a store": _stored,
    "the path of a store": lambda folder: _stored(folder).path,
    "a path": lambda folder: Runs(ROWS).save(folder / "a.csv"),
    "the text of a path": lambda folder: str(Runs(ROWS).save(folder / "a.parquet")),
    "a data frame": lambda folder: Runs(ROWS).frame(),
    "one of pandas": lambda folder: pd.DataFrame(Runs(ROWS).frame().to_dict(as_series=False)),
    "a list of tables": lambda folder: [Runs(ROWS[:1]), Runs(ROWS[1:]).frame()],
    "a list of a run and a table": lambda folder: [ROWS[0], Runs(ROWS[1:])],
}


@pytest.mark.parametrize("kind", SOURCES)
def test_what_stands_for_runs_is_read(kind: str, tmp_path: Path) -> None:
    found = as_runs(SOURCES[kind](tmp_path))
    assert found["loss"].tolist() == [3.0, 2.5]
    assert found["precision"].tolist() == ["w4", "bf16"]
    assert found["key"].tolist() == ["a", "b"]


def test_one_run_and_a_public_table_are_runs() -> None:
    assert as_runs(ROWS[0]) == Runs(ROWS[:1])
    assert as_runs("simulated2024") == read("simulated2024")
    made = Runs(ROWS)
    assert as_runs(made) is made


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (3, "from an object of type int"),
        (None, "from an object of type NoneType"),
        ([], "no source to read"),
        ([ROWS[0], 3], "from an object of type int"),
        ("a" * 300, "File name too long"),
        ("a" * 300 + ".csv", "File name too long"),
        ("a\0.csv", "it is not there"),
        ("quest2026", "did you mean 'quest2025'"),
        ("a.xyz", "it is not there"),
        ("..", "it is a folder"),
    ],
)
def test_anything_else_is_one_sentence(source: Any, message: str) -> None:
    with pytest.raises(RunsError, match=message) as caught:
        as_runs(source)
    assert "\n" not in str(caught.value)
    assert "\0" not in str(caught.value)
    assert len(str(caught.value)) < 400


READER = """
from isoloss.runs import READERS, Opened, Origin, Reader
import polars as pl

def words(data, name):
    rows = [line.split() for line in data.decode().splitlines()]
    return Opened(pl.DataFrame(rows[1:], schema=rows[0], orient="row"), Origin(name))

READERS.register(".words", Reader(words))
"""


def test_a_reader_of_ones_own_is_one_file(tmp_path: Path) -> None:
    module, table = tmp_path / "reader_of_words.py", tmp_path / "a.words"
    module.write_text(READER)
    table.write_text("params tokens precision loss\n1M 20M w4 3.0\n")
    with pytest.raises(RunsError, match=r"accepted endings are \.csv, \.tsv, .*\.sqlite$"):
        read(table)
    try:
        use(str(module))
        assert read(table)["params"].tolist() == [1e6]
        with pytest.raises(RunsError, match=r"\.sqlite, \.words$"):
            read(tmp_path / "reader_of_words.py")
    finally:
        READERS.remove(".words")
