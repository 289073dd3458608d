"""Stores that were damaged or tampered with: read, or refused in one sentence, whatever is done."""

import importlib
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import isoloss as il
from isoloss.runs import Run, Store, StoreError, Task

ROOT = Path(__file__).parents[3]


def test_no_mutated_store_ends_in_a_traceback_or_drops_a_row(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    mutated = importlib.import_module("benchmarks.stores_mutated").mutated
    for seed in (0, 3):
        report = mutated(tmp_path, 40, seed)
        assert report.bad == []
        assert report.counts.total() == 40
        assert report.counts["refused in one sentence"] > 10
    sys.modules.pop("benchmarks.stores_mutated")


TAMPERED = {
    "trigger": (
        "CREATE TRIGGER t AFTER INSERT ON rows BEGIN DELETE FROM rows; END",
        "has the trigger 't', which isoloss did not make; accepted is a store as isoloss made it: "
        "drop the trigger to use this one",
    ),
    "view": ("CREATE VIEW v AS SELECT 1", "has the view 'v', which isoloss did not make"),
    "view in place of a table": (
        "DROP TABLE notes; CREATE VIEW notes AS SELECT 1 AS id",
        "has the view 'notes'",
    ),
    "no table": ("DROP TABLE extras", "has no table 'extras'; accepted is"),
    "no column": (
        "ALTER TABLE tasks DROP COLUMN owner",
        "has another kind of column 'owner', or none, in its table 'tasks'; accepted is",
    ),
    "computed column": (
        "ALTER TABLE tasks DROP COLUMN owner; ALTER TABLE tasks ADD COLUMN owner TEXT AS ('x')",
        "has another kind of column 'owner', or none",
    ),
}
STRANGE = {
    "text for a number": ("UPDATE rows SET loss = 'low'", "has 'low' as loss of row 'r0', which"),
    "bytes for text": ("UPDATE rows SET corpus = x'00'", "has b'\\x00' as corpus of row 'r0'"),
    "nothing for a loss": ("UPDATE rows SET loss = NULL", "has None as loss of row 'r0'"),
    "a column of no row": ("UPDATE extras SET key = 'r9'", "has a further column ('gap') of row"),
}


def store_with(path: Path, sql: str) -> Store:
    store = Store(path)
    store.enter([Task("t", ("r0",), print, "task t")])
    store.add("t", Run(1e6, 2e7, "w4", 3.25, key="r0"), gap=0.5)
    with closing(sqlite3.connect(path)) as base:
        base.executescript(sql)
    return store


@pytest.mark.parametrize("kind", TAMPERED)
def test_stores_with_what_isoloss_did_not_make_are_refused(tmp_path, kind):
    sql, said = TAMPERED[kind]
    store = store_with(tmp_path / "runs.db", sql)
    for call in (store.runs, store.tasks, lambda: store.add("t", Run(1, 1, "w4", 3.0, key="x"))):
        with pytest.raises(StoreError) as error:
            call()
        assert str(error.value).startswith(f"'{store.path}' {said}")


@pytest.mark.parametrize("kind", STRANGE)
def test_values_that_no_sweep_writes_are_refused(tmp_path, kind):
    sql, said = STRANGE[kind]
    store = store_with(tmp_path / "runs.db", sql)
    with pytest.raises(StoreError) as error:
        il.read(store.path)
    assert str(error.value).startswith(f"'{store.path}' {said}")


def test_a_task_with_values_that_no_sweep_writes_is_refused(tmp_path):
    store = store_with(tmp_path / "runs.db", "UPDATE tasks SET owner = 'nobody'")
    with pytest.raises(StoreError, match=r"has a task 't' with values that no sweep writes"):
        store.tasks()
    assert len(store.runs()) == 1


CHANGED = {
    "a loss": ("UPDATE rows SET loss = loss - 0.25", "row 'r0'"),
    "a precision": ("UPDATE rows SET precision = 'w3'", "row 'r0'"),
    "the task of a row": ("UPDATE rows SET task = 't2'", "row 'r0'"),
    "the last bit": ("UPDATE extras SET value = 0.5000000000000001", "row 'r0'"),
    "a lost column": ("DELETE FROM extras", "row 'r0'"),
    "a column that names a field": ("INSERT INTO extras VALUES ('r0', 'loss', 3.0)", "row 'r0'"),
    "a state": ("UPDATE tasks SET state = 'done'", "task 't'"),
    "work spent": ("UPDATE tasks SET seconds = 1", "task 't'"),
    "a sentence": ("UPDATE notes SET said = 'all is well'", "note 1"),
}


def everything(store: Store) -> tuple:
    return store.runs(), store.tasks(), store.notes()


@pytest.mark.parametrize("kind", CHANGED)
def test_a_value_changed_outside_is_noticed_and_accepted_as_the_sentence_says(tmp_path, kind):
    sql, what = CHANGED[kind]
    store = store_with(tmp_path / "runs.db", "SELECT 1")
    store.say("t", "the loss is high")
    before = everything(store)
    with closing(sqlite3.connect(store.path)) as base:
        base.executescript(sql)
    with pytest.raises(StoreError) as error:
        everything(store)
    assert str(error.value).startswith(f"{what} of '{store.path}' was changed outside isoloss: ")
    with closing(sqlite3.connect(store.path)) as base, base:
        assert base.execute(str(error.value).split('"')[1]).rowcount == 1
    assert everything(store) != before or kind == "the task of a row"


def test_a_write_of_ours_hides_no_change_of_others(tmp_path):
    store = store_with(tmp_path / "runs.db", "UPDATE tasks SET label = 'task u'")
    store.fail("t", "no memory", "sweep:1")
    with pytest.raises(StoreError, match=r"task 't' of '.*' was changed outside isoloss"):
        store.tasks()


def test_rows_keep_their_checksum_whatever_values_came(tmp_path):
    store, odd = Store(tmp_path / "runs.db"), (True, 7, 1e22, np.float32(0.1), np.int64(3), "a\0b")
    for _ in range(2):  # the same again is harmless
        for k, value in enumerate(odd):
            row = Run(1e6, 2e7, "w4", 3.25, corpus=value, key=f"r{k}")  # a column of text
            store.add("t", row, more=value)
    assert store.runs()["corpus"][1] == "7"
    with pytest.raises(StoreError, match="column 'corpus' of row x has nan; accepted are numbers"):
        store.add("t", Run(1e6, 2e7, "w4", 3.25, corpus=float("nan"), key="x"))


def test_tables_of_somebody_else_beside_ours_are_left_alone(tmp_path):
    store = store_with(tmp_path / "runs.db", "CREATE TABLE mine (x)")
    assert len(store.runs()) == 1
