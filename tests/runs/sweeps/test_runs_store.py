"""The store: rows to the last bit and once each, claims that end with their owner, files that
cannot be used.
"""

import contextlib
import itertools
import json
import math
import os
import re
import shutil
import sqlite3
import struct
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import isoloss as il
from isoloss.runs import NothingUsable, Run, RunsError, Store, StoreError, Task
from isoloss.runs.database import writing
from isoloss.runs.stored import Packed
from isoloss.runs.sweeps import process_id
from isoloss.runs.sweeps.process_id import Owner
from isoloss.runs.sweeps.store import Ending

LOSSES = [0.1 + 0.2, 1 / 3e59, 1e60 / 3, math.pi, 3.0]
EXTREME = [0.1 + 0.2, 5e-324, 1.7976931348623157e308, -math.pi, 3.0]
ODD = [math.nan, math.inf, -math.inf, -0.0]


def bits(values) -> list[bytes]:
    return [struct.pack("<d", value) for value in values]


def run(key: str = "r0", loss: float = 3.25, **more) -> Run:
    return Run(1e6, 2e7, "w4", loss, key=key, **more)


def task(key: str = "t", rows: tuple[str, ...] = ("r0",), **more) -> Task:
    return Task(key, rows, print, f"task {key}", **more)


def entered(path: Path, *tasks: Task) -> Store:
    store = Store(path)
    store.enter(tasks or [task()])
    return store


def claimed(store: Store, one: Task, owner: object = None, age: float = 0.0) -> None:
    """The task claimed by an owner who was heard of `age` seconds ago."""
    assert store.claim(one, "sweep:claim")
    with writing(store.path) as base:
        base.execute(
            "UPDATE tasks SET owner = ?, beat = ?", (str(owner or Owner.here()), time.time() - age)
        )


def ended() -> Owner:
    """A process of this machine that has ended."""
    child = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True
    )
    return replace(Owner.here(), pid=int(child.stdout))


# ---- rows
def test_losses_come_back_to_the_last_bit(tmp_path):
    store = Store(tmp_path / "runs.db")
    for index, (loss, drift) in enumerate(zip(LOSSES, EXTREME, strict=True)):
        store.add("t", run(f"r{index}", loss, metric="excess_risk", lr_peak=loss), drift=drift)
    found = store.runs(f"r{index}" for index in range(len(LOSSES)))
    for column, values in (("loss", LOSSES), ("lr_peak", LOSSES), ("drift", EXTREME)):
        assert bits(found[column]) == bits(values)
    assert bits(il.read(tmp_path / "runs.db")["loss"]) == bits(LOSSES)


def test_losses_that_are_no_numbers_come_back_as_they_were(tmp_path):
    store = Store(tmp_path / "runs.db")
    for index, loss in enumerate(ODD):
        store.add("t", run(f"r{index}", loss, status="diverged", reason="too fast"), drift=loss)
    with pytest.warns(NothingUsable):
        found = store.runs()
    assert bits(found["loss"]) == bits(ODD)
    assert bits(found["drift"]) == bits(ODD)
    assert set(found["reason"]) == {"too fast"}


def test_columns_beside_the_canonical_ones_keep_their_kind(tmp_path):
    store = Store(tmp_path / "runs.db")
    store.add("t", run("r0", parent="r9", seed=3), gap=0.5, steps=7, note="odd", absent=None)
    store.add("t", run("r1"), gap=1)
    found = store.runs()
    assert found.columns[-5:] == ("parent", "key", "gap", "steps", "note")
    assert found["gap"].tolist() == [1.0, 0.5] if found["key"][0] == "r1" else [0.5, 1.0]
    assert found.where(key="r0")["steps"].tolist() == [7.0]
    assert found.where(key="r0")["note"].tolist() == ["odd"]
    assert found.where(key="r0")["seed"].tolist() == [3.0]


def test_the_order_is_not_that_of_finishing(tmp_path):
    rows = [Run(p, t, q, 3.0, seed=s, key=f"{p}{t}{q}{s}") for p, t, q, s in
            itertools.product((1e6, 2e6), (1e7, 2e7), ("w4", "w8"), (0, 1))]  # fmt: skip
    one, two = Store(tmp_path / "one.db"), Store(tmp_path / "two.db")
    for row in rows:
        one.add("t", row)
    for row in rows[5:] + rows[:5][::-1]:
        two.add("t", row)
    assert one.runs() == two.runs()
    assert one.runs()["key"].tolist() == [row.key for row in rows]
    asked = [rows[3].key, "absent", rows[1].key]
    assert one.runs(asked)["key"].tolist() == [rows[3].key, rows[1].key]


def test_the_same_row_again_changes_nothing(tmp_path):
    store = Store(tmp_path / "runs.db")
    for _ in range(3):
        store.add("t", run(cost=1.0))
    store.add("t", run(cost=2.0))
    store.add("t", run("r1", math.nan, status="diverged", reason="x"))
    store.add("t", run("r1", math.nan, status="diverged", reason="x"))
    assert store.runs()["cost"].tolist()[0] == 1.0
    assert len(store.runs()) == 2


REFUSED = {
    "another loss": (
        lambda store: (store.add("t", run()), store.add("t", run(loss=3.5))),
        "row r0 is in the store with loss 3.25 and comes again with 3.5; "
        "the settings in its key do not determine its result",
    ),
    "no key": (
        lambda store: store.add("t", replace(run(), key=None)),
        "a row without a key cannot be stored (params=1e+06 tokens=2e+07 precision=w4 loss=3.25 "
        "metric=nats "
        "status=ok); its key is the hash of its settings",
    ),
    "another seed": (
        lambda store: (store.add("t", run(seed=1)), store.add("t", run(seed=2))),
        "row r0 is in the store with seed 1 and comes again with 2; "
        "the settings in its key do not determine its result",
    ),
    "another text": (
        lambda store: (store.add("t", run(corpus="c4")), store.add("t", run())),
        "row r0 is in the store with corpus 'c4' and comes again with nothing; "
        "the settings in its key do not determine its result",
    ),
    "another further column": (
        lambda store: (store.add("t", run(), gap=0.5), store.add("t", run(), gap=-0.5)),
        "row r0 is in the store with gap 0.5 and comes again with -0.5; "
        "the settings in its key do not determine its result",
    ),
    "a list": (
        lambda store: store.add("t", run(), losses=[1.0]),
        "column 'losses' of row r0 has [1.0]; accepted are numbers and text",
    ),
    "a canonical column beside the run": (
        lambda store: store.add("t", run(), reason="why"),
        "'reason' is a column of every run; give it to Run, not beside it",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_rows_that_cannot_be_kept(tmp_path, kind):
    call, sentence = REFUSED[kind]
    store = entered(tmp_path / "runs.db")
    with pytest.raises(StoreError) as error:
        call(store)
    assert str(error.value) == sentence
    assert set(store.runs()["loss"]) <= {3.25}


# ---- claims
def test_a_live_claim_is_respected_and_a_given_up_one_is_not(tmp_path):
    one = task()
    store = entered(tmp_path / "runs.db", one)
    claimed(store, one)
    assert store.tasks()[0].live
    assert not store.claim(one, "other:claim")
    store.end("t", "other:claim", "done")  # not its claim
    assert store.tasks()[0].state == "running"
    store.give_up("sweep")
    assert store.claim(one, "other:claim")
    assert not store.beat("t", "sweep:claim", 0.5, None, 1.0)
    assert store.beat("t", "other:claim", 0.5, 3.0, 1.0)
    found = store.tasks()[0]
    assert (found.share, found.loss, found.seconds) == (0.5, 3.0, 1.0)


def unburied() -> tuple[Owner, subprocess.Popen]:
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    return replace(Owner.here(), pid=child.pid), child


@pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="no /proc here: only heartbeats tell"
)
def test_a_claim_ends_with_its_process(tmp_path):
    one = task()
    store = entered(tmp_path / "runs.db", one)
    dead, child = unburied()
    for owner in (
        ended(),
        replace(Owner.here(), start="1"),
        dead,
    ):  # gone, its number used again, not buried
        claimed(store, one, owner)
        assert not store.tasks()[0].live
        assert store.claim(one, "next:claim")
        store.give_up("next")
    child.wait()


@pytest.mark.skipif(shutil.which("ps") is None, reason="no ps here")
def test_a_claim_ends_with_its_process_where_only_ps_tells(monkeypatch):
    real = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: "/proc" not in str(path) and real(path))
    process_id._here.cache_clear()
    here, (dead, child) = Owner.here(), unburied()
    assert re.fullmatch(r"\w{3}-\w{3}-\d+-\d\d\.\d\d\.\d\d-\d{4}", here.start)
    assert Owner.parse(str(here)) == here
    assert Owner.can_read(str(here))
    assert not here.gone
    assert [each.gone for each in (ended(), dead, replace(here, start="Mon"))] == [True] * 3
    child.wait()
    monkeypatch.undo()
    process_id._here.cache_clear()


def test_a_claim_of_another_machine_ends_with_its_heartbeat(tmp_path):
    one = task()
    store = entered(tmp_path / "runs.db", one)
    elsewhere = replace(ended(), host="elsewhere:8")
    claimed(store, one, elsewhere, age=7200)  # its clock says nothing
    found = store.tasks()[0]
    assert not store.claim(one, "next:claim")
    assert store.beat("t", "sweep:claim", 0.5, None, 1.0)
    assert not store.claim(one, "next:claim", found.stamp)  # heard of since
    assert store.claim(one, "next:claim", store.tasks()[0].stamp)
    assert not store.beat("t", "sweep:claim", 0.5, None, 1.0)


def test_an_owner_is_written_and_read():
    owner = Owner("host:with:colons/8", 12, "34")
    assert Owner.parse(str(owner)) == owner
    assert not Owner.here().gone


def test_what_failed_is_tried_again_by_later_sweeps_only(tmp_path):
    one = task()
    store = entered(tmp_path / "runs.db", one)
    claimed(store, one)
    store.end("t", "sweep:claim", "failed", "no memory", "Traceback ...")
    found = store.tasks()[0]
    assert (found.state, found.reason, found.traceback) == ("failed", "no memory", "Traceback ...")
    assert not store.claim(one, "same:claim")
    assert not store.claim(one, "other:claim", ("sweep:earlier", 1))
    assert store.claim(one, "later:claim", found.stamp)
    assert store.tasks()[0].reason is None


def test_a_task_is_done_when_its_rows_are_there(tmp_path):
    store = entered(tmp_path / "runs.db", task(rows=("r0", "r1")))
    for key, state in (("r0", "waiting"), ("r1", "done")):
        store.add("t", run(key))
        store.enter([task(rows=("r0", "r1"))])
        assert store.tasks()[0].state == state
    store.enter([task(rows=("r0", "r1", "r2"))])  # more is asked of it since
    assert store.tasks()[0].state == "waiting"


def test_rows_are_kept_for_the_claim_that_holds_only(tmp_path):
    one = task(rows=("r0", "r1"))
    store = entered(tmp_path / "runs.db", one)
    claimed(store, one)
    kept, late = (Packed.of(run(key), {"gap": 0.5}) for key in ("r0", "r1"))
    assert store.settle([Ending("t", (kept,))], "sweep:claim") == {}
    store.give_up("sweep")
    assert store.claim(one, "next:claim")
    assert store.settle([Ending("t", (late,), "done")], "sweep:claim") == {"t": None}
    assert store.runs()["key"].tolist() == ["r0"]
    assert (store.tasks()[0].state, store.tasks()[0].claim) == ("running", "next:claim")


def test_one_refused_row_fails_one_task_of_a_batch(tmp_path):
    tasks = [task(key, (f"r{key}",)) for key in "abc"]
    store = entered(tmp_path / "runs.db", *tasks)
    store.add("x", run("rb", 3.5))
    assert set(store.claim_all(tasks, "sweep:claim", {})) == {"a", "b", "c"}
    rows = [Ending(key, (Packed.of(run(f"r{key}"), {}),), "done") for key in "abc"]
    (reason,) = store.settle(rows, "sweep:claim").values()
    assert reason.startswith("row rb is in the store with loss 3.5 and comes again with 3.25")
    assert [each.state for each in store.tasks()] == ["done", "failed", "done"]
    assert store.tasks()[1].reason == reason
    assert len(store.runs()) == 3


def test_a_store_of_schema_1_is_read_as_it_is_and_migrated_by_the_first_write(tmp_path):
    path = tmp_path / "runs.db"
    path.write_bytes((Path(__file__).parents[2] / "golden" / "runs.db").read_bytes())
    before, store = path.read_bytes(), Store(path)
    rows, tasks = store.runs(), store.tasks()
    assert (path.read_bytes() == before, {each.beats for each in tasks}) == (True, {0})
    store.say("t", "hello")
    assert (store.runs() == rows, store.tasks() == tasks) == (True, True)
    with contextlib.closing(sqlite3.connect(path)) as base:
        assert base.execute("PRAGMA user_version").fetchone() == (3,)


# ---- files that cannot be used
def newer(path: Path) -> None:
    entered(path)
    with contextlib.closing(sqlite3.connect(path)) as base, base:
        base.execute("PRAGMA user_version = 9")


def other(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as base, base:
        base.execute("CREATE TABLE films (title)")


FILES = {
    "no database": (
        lambda p: p.write_text("x" * 5000),
        "is no store, or damaged (file is not a database)",
    ),
    "another database": (
        other,
        "is an SQLite file of something else; accepted is a store made by isoloss",
    ),
    "a newer schema": (
        newer,
        "has schema 9 and this version of isoloss reads up to 3; update isoloss",
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_files_that_are_no_store(tmp_path, kind):
    make, sentence = FILES[kind]
    path = tmp_path / "runs.db"
    make(path)
    before = path.read_bytes()
    for call in (lambda: il.read(path), Store(path).runs, lambda: Store(path).add("t", run())):
        with pytest.raises(StoreError) as error:
            call()
        assert str(error.value).startswith(f"'{path}' ")
        assert sentence in str(error.value)
    assert path.read_bytes() == before


def test_places_where_no_store_can_be(tmp_path):
    with pytest.raises(StoreError) as error:
        Store(tmp_path / "deep" / "runs.db").add("t", run())
    assert str(error.value) == (
        f"cannot use the store '{tmp_path}/deep/runs.db': there is no folder '{tmp_path}/deep'; "
        "make it first"
    )
    with pytest.raises(StoreError) as error:
        Store(tmp_path).add("t", run())
    assert str(error.value).endswith("it is a folder; accepted is a file such as runs.db")
    with pytest.raises(RunsError, match=r"it is not there$"):
        Store(tmp_path / "absent.db").runs()
    assert list(tmp_path.iterdir()) == []


def test_a_store_whose_making_was_cut_short_is_empty(tmp_path):
    path = tmp_path / "runs.db"
    path.touch()
    assert Store(path).tasks() == []
    with pytest.raises(
        RunsError, match=r"^runs\.db has no finished rows yet; 'isoloss runs runs\.db' shows its"
    ):
        il.read(path)
    Store(path).add("t", run())
    assert len(il.read(path)) == 1


READ_ONLY = """
import subprocess, sys
from isoloss.runs import Store, StoreError, Run
subprocess.run(["mount", "-t", "tmpfs", "none", "place"], check=True)
subprocess.run("cp runs.db runs.db-wal place; mount -o remount,ro place", shell=True, check=True)
print(len(Store("place/runs.db").runs()), len(Store("place/runs.db").tasks()))
try:
    Store("place/runs.db").add("t", Run(1e6, 1e6, "w4", 3.0, key="new"))
except StoreError as error:
    print(error)
"""


def test_a_store_in_a_place_where_nothing_can_be_written(tmp_path, own_mounts):
    (tmp_path / "place").mkdir()
    store = entered(tmp_path / "runs.db")
    with sqlite3.connect(
        store.path
    ) as base:  # while one looks, the last writes stay in the log beside the file
        base.execute("BEGIN")
        base.execute("SELECT * FROM tasks").fetchall()
        store.add("t", run())
        assert (tmp_path / "runs.db-wal").stat().st_size > 0
        found = own_mounts(READ_ONLY, tmp_path)
    base.close()
    rows, refused = found.splitlines()
    assert rows == "1 1"
    assert refused == (
        "cannot write the store 'place/runs.db' (unable to open database file); "
        "give it another place, or the right to write there"
    )


FULL = """
import json, subprocess
from isoloss.runs import Store, StoreError, Run
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", "place"], check=True)
store, kept, error = Store("place/runs.db"), 0, ""
while not error:
    try:
        store.add("t", Run(1e6, 1e6, "w4", 3.0, key=f"r{kept}", source="x" * 200))
        kept += 1
    except StoreError as caught:
        error = str(caught)
there = len(store.runs())
subprocess.run("cp place/runs.db* .", shell=True, check=True)
print(json.dumps([kept, there, error]))
"""


def test_a_full_disk_loses_no_row(tmp_path, own_mounts):
    (tmp_path / "place").mkdir()
    kept, there, error = json.loads(own_mounts(FULL, tmp_path))
    assert there == kept > 50
    assert error == (
        "the disk of the store 'place/runs.db' is full; what is finished is kept: make room and "
        "start again"
    )
    store = Store(tmp_path / "runs.db")
    store.add("t", run(f"r{kept}"))  # the same file where there is room
    assert len(store.runs()) == kept + 1
