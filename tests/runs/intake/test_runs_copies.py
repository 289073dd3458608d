"""Rows that are no runs of their own: copies of others, and rows that sum up those above."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest

from isoloss.runs import NothingUsable, Runs, read

NAMES = ["a", "b", "c"]
TABLE = {
    "params": [1e7, 1e8, 1e9],
    "tokens": [1e9, 4e9, 2e10],
    "loss": [3.9, 3.1, 2.6],
    "precision": ["bf16"] * 3,
}


def twice(**more: list[object]) -> pl.DataFrame:
    """A table whose first two rows stand below it again, with row numbers as pandas writes them."""
    table = pl.DataFrame({**more, **TABLE})
    return pl.concat([table, table.head(2)]).with_row_index("column_0")


@pytest.mark.parametrize("column", ["run_id", "Name", "config.id"])
def test_a_run_that_stands_in_a_table_twice_counts_once(column):
    runs = read(twice(**{column: NAMES}))
    assert runs.usable["loss"].tolist() == TABLE["loss"]
    said = f"column '{column}' says 'b' again, and all else of the row is as above"
    assert runs["reason"][4].startswith(said)
    assert len(read(twice(**{column: NAMES}), last=column).usable) == 3


def test_evaluations_along_runs_that_ids_name_count_once_too():
    table = twice(run_id=["a", "a", "b"]).with_columns(params=pl.lit(1e7))
    assert len(read(table).usable) == 3
    assert len(read(table.rename({"run_id": "name"})).usable) == 5


@pytest.mark.parametrize(
    "table",
    [
        twice(),  # nothing names runs: these may be seeds
        twice(what=NAMES),
        twice(run_id=[None] * 3),
        twice(run_id=["", " ", "c"]),
        twice(name=["a", "b", "b"]).with_columns(params=pl.lit(1e7)),  # names of models
        twice(run_id=NAMES).with_columns(loss=pl.Series([3.9, 3.1, 2.6, 3.8, 3.0])),
    ],
)
def test_runs_that_may_be_others_are_none(table):
    assert len(read(table).usable) == 5


@pytest.mark.parametrize(("word", "usable"), [("mean", 3), ("Total:", 3), ("d", 4)])
@pytest.mark.parametrize("column", ["label", "run"])
def test_a_row_that_sums_up_is_no_run_whatever_the_column(column, word, usable):
    rows = pl.DataFrame({**TABLE, column: NAMES})
    runs = read(pl.concat([rows, rows.tail(1).with_columns(pl.lit(word).alias(column))]))
    assert len(runs.usable) == usable


def test_a_column_of_kinds_has_words_that_sum_up_anywhere():
    kinds = ["each", "mean", "each", "mean"]
    table = pl.DataFrame({k: [*v, v[0]] for k, v in TABLE.items()} | {"kind": kinds})
    assert len(read(table).usable) == 4


def test_a_run_in_two_exports_counts_once_where_they_are_of_one_source():
    table = pl.DataFrame({"run_id": NAMES, **TABLE})
    exports = [table.head(2), table.tail(2)]
    runs = read(exports, source="mine")
    assert (len(runs), runs.usable["loss"].tolist()) == (4, TABLE["loss"])
    assert "(the tables together, row 3)" in runs["reason"][2]
    assert len(read(exports).usable) == 4  # of two sources until told otherwise


@pytest.mark.parametrize("named", [["run_id"], ["params", "tokens"]])
def test_an_index_with_names_is_read(named):
    table = pd.DataFrame({"run_id": NAMES, **TABLE})
    runs = read(table.set_index(named))
    assert (runs["params"].tolist(), "run_id" in runs.columns) == (TABLE["params"], True)
    assert len(read(table.rename_axis("loss"))) == 3


def test_an_array_in_a_cell_costs_its_row():
    table = pd.DataFrame({**TABLE, "loss": [3.9, np.array([3.1, 3.0]), np.array(2.6)]})
    runs = read(table)
    assert runs.usable["loss"].tolist() == [3.9, 2.6]
    assert "has '[3.1 3. ]'" in runs["reason"][1]


@pytest.mark.parametrize("name", ["run_id", "loss", "x"])
def test_columns_of_lists_are_compared_with_nothing(name):
    table = twice(run_id=NAMES).with_columns(pl.Series(name, [[1.0]] * 5))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NothingUsable)
        assert len(read(table)) == 5
        assert len(read(table.drop("params"), params=1e8, last="run_id")) == 5


KEYED = pl.DataFrame({**TABLE, "key": NAMES})


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".jsonl"])
def test_a_run_of_two_stores_that_were_saved_counts_once(ending, tmp_path):
    paths = [tmp_path / f"{name}{ending}" for name in ("one", "two")]
    other = KEYED.with_columns(key=pl.Series(["a", "b", "d"]))
    for path, frame in zip(paths, (KEYED, other), strict=True):
        Runs.from_frame(frame).save(path)
    runs = read(paths)
    assert runs.usable["key"].tolist() == ["a", "b", "c", "d"]
    assert runs["reason"].tolist()[3:5] == [
        f"one{ending} has this run too, by key and loss: one run counts once (the tables together, "
        f"row {row})"
        for row in (4, 5)
    ]
    assert runs.usable["source"].tolist() == [f"one{ending}"] * 3 + [f"two{ending}"]


def test_a_key_with_another_loss_or_without_a_row_is_a_run_of_its_own():
    other = KEYED.with_columns(loss=pl.Series([3.8, 3.1, 2.6]), key=pl.Series(["a", None, ""]))
    assert len(read([KEYED, other]).usable) == 6
    bad = KEYED.with_columns(precision=pl.lit("z9"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NothingUsable)
        assert len(read([bad, KEYED]).usable) == 3  # the first is excluded, the second counts
