"""Stores on the command line: read like any table, with the tasks of their sweep."""

import json
from pathlib import Path

import pytest

import isoloss as il
from isoloss.runs import Run, Store, Task
from isoloss.runs.database import writing

TASKS = """\
Tasks of runs.db: 1 done, 1 running, 1 stopped, 1 waiting, 1 failed
  the next sweep goes on with what stopped
  task      state    done  loss then
  0.2M, w4  running   50%     3.5000
  0.3M, w4  stopped   25%

Failed tasks, tried again by the next sweep
  0.5M, w4: the text has 12 tokens and 50 are asked for

Notes
  0.1M, w4: the learning rate is high
"""


def task(size: str) -> Task:
    return Task(size, (f"row-{size}",), print, f"{size}, w4")


@pytest.fixture
def store(shell) -> Store:
    """A store in the middle of a sweep: of five tasks, one in every state."""
    store = Store("runs.db")
    tasks = [task(size) for size in ("0.1M", "0.2M", "0.3M", "0.4M", "0.5M")]
    store.enter(tasks)
    for one in (tasks[0], tasks[1], tasks[2], tasks[4]):
        assert store.claim(one, f"sweep:{one.key}")
    store.beat("0.2M", "sweep:0.2M", 0.5, 3.5, 10.0)
    store.beat("0.3M", "sweep:0.3M", 0.25, None, 10.0)
    store.say("0.1M", "the learning rate is high")
    store.end("0.1M", "sweep:0.1M", "done")
    store.end("0.5M", "sweep:0.5M", "failed", "the text has 12 tokens and 50 are asked for")
    with writing(store.path) as base:
        base.execute("UPDATE tasks SET beat = beat - 100 WHERE key = '0.3M'")
    return store


def test_runs_shows_the_rows_and_the_tasks(shell, store: Store) -> None:
    store.add("0.1M", Run("0.1M", "1M", "w4", 3.25, key="row-0.1M"), gap=0.5)
    result = shell("runs", "runs.db")
    assert (result.exit_code, result.stderr) == (0, "")
    table, _, tasks = result.stdout.partition("Tasks of")
    assert table.startswith("runs.db: 1 runs, 1 usable\n")
    assert f"Tasks of{tasks}" == TASKS


def test_runs_shows_the_tasks_before_a_row_is_there(shell, store: Store) -> None:
    result = shell("runs", "runs.db")
    assert (result.exit_code, result.stdout, result.stderr) == (0, TASKS, "")
    found = json.loads(shell("runs", "runs.db", "--json").stdout)
    assert (found["rows"], [one["state"] for one in found["tasks"]]) == (
        0,
        ["done", "running", "stopped", "waiting", "failed"],
    )
    assert found["notes"] == [{"task": "0.1M", "said": "the learning rate is high"}]
    refused = shell("runs", "runs.db", "-o", "runs.csv")
    assert refused.exit_code == 1
    assert (
        refused.stderr
        == "error: runs.db has no finished rows yet; 'isoloss runs runs.db' shows its tasks\n"
    )


@pytest.mark.parametrize("name", ["out.parquet", "out.csv"])
def test_a_store_is_exported(shell, store: Store, name: str) -> None:
    store.add("0.1M", Run("0.1M", "1M", "w4", 0.1 + 0.2, key="row-0.1M"), gap=1 / 3)
    result = shell("runs", "runs.db", "-o", name)
    assert (result.exit_code, result.stderr) == (0, f"saved 1 rows as {name}\n")
    found = il.read(name)
    assert (found["loss"].tolist(), found["gap"].tolist()) == ([0.1 + 0.2], [1 / 3])


def test_a_fit_takes_a_store_as_it_takes_a_file(shell, table: Path) -> None:
    store = Store("runs.db")
    for index, run in enumerate(il.read(table)):
        store.add("t", il.Run(**run.known() | {"key": f"r{index}"}))
    words = ("--law", "frantar2025", "--draws", "10", "--starts", "4", "--json")
    from_store, from_file = (
        json.loads(shell("fit", where, *words).stdout) for where in ("runs.db", table)
    )
    assert from_store["runs"] == from_file["runs"] == 48
    values = [[each["value"] for each in found["constants"]] for found in (from_store, from_file)]
    assert values[0] == pytest.approx(values[1], rel=1e-4)


def test_a_file_that_is_no_store(shell) -> None:
    Path("runs.db").write_text("no database", encoding="utf-8")
    result = shell("runs", "runs.db")
    assert result.exit_code == 1
    assert result.stderr == (
        "error: 'runs.db' is no store, or damaged (file is not a database); accepted is a store "
        "made by isoloss\n"
    )
