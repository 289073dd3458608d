"""Shards: parts of a sweep in stores of their own, joined to the table of the whole; sizes of
sweeps.
"""

import itertools
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from isoloss.runs import Run, Store, StoreError, Task, join_stores, outlook, shard_of, sweep
from isoloss.runs.sweeps.engines.sized import sizing

ROOT = Path(__file__).parents[3]


@pytest.fixture
def toys(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.toy_mill import toys

    return toys


class Inline:
    """Makes a call where it is asked."""

    def submit(self, call):
        found = call()
        return type("Made", (), {"done": lambda self: True, "result": lambda self: found})()


def swept(tasks, path):
    return sweep(tasks, path, executor=Inline(), show=False)


@pytest.mark.parametrize("count", [1, 2, 4, 7])
def test_every_task_is_in_one_shard(toys, count):
    tasks = toys(7)
    shards = [shard_of(tasks, f"{k + 1}/{count}") for k in range(count)]
    assert sorted(task.key for shard in shards for task in shard) == sorted(t.key for t in tasks)
    assert max(map(len, shards)) - min(map(len, shards)) <= 1
    assert [shard_of(tasks[::-1], f"{k + 1}/{count}")[::-1] for k in range(count)] == shards


def test_joined_shards_are_the_whole_to_the_last_bit(tmp_path, toys):
    whole = swept(toys(6), tmp_path / "whole.db")
    parts = [tmp_path / f"runs-{k}-of-3.db" for k in (1, 2, 3)]
    for k, path in enumerate(parts, 1):
        swept(shard_of(toys(6), f"{k}/3"), path)
    for order in itertools.permutations(parts):
        joined = join_stores(order, tmp_path / "all.db", force=True)
        assert joined.runs() == Store(tmp_path / "whole.db").runs()
    assert swept(toys(6), joined.path).already == 6
    assert swept(toys(6), joined.path).runs == whole.runs
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["all.db", "whole.db", *(path.name for path in parts)]
    )


def test_what_is_unfinished_in_one_store_is_taken_from_the_other(tmp_path, toys):
    swept(toys(3), tmp_path / "a.db")
    other = Store(tmp_path / "b.db")
    other.enter(toys(4))
    other.claim(toys(4)[3], "somebody:1")
    other.say("task3", "it is hot")
    joined = join_stores([other.path, tmp_path / "a.db"], tmp_path / "c.db")
    assert [(task.key, task.state) for task in joined.tasks()] == [
        ("task0", "done"), ("task1", "done"), ("task2", "done"), ("task3", "waiting"),
    ]  # fmt: skip
    assert [said for _, _, said in joined.notes()] == ["it is hot"]


def test_stores_that_cannot_be_joined(tmp_path, toys):
    for name, loss in (("a", 3.0), ("b", 3.5)):
        Store(tmp_path / f"{name}.db").add("t", Run(1e6, 2e7, "w4", loss, key="one"))
    a, b = tmp_path / "a.db", tmp_path / "b.db"
    with pytest.raises(StoreError, match=r"row one is in the store with loss 3.0 and comes again"):
        join_stores([a, b], tmp_path / "c.db")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.db", "b.db"]
    with pytest.raises(StoreError, match=r"exists; give another name or force=True"):
        join_stores([a], b)
    with pytest.raises(StoreError, match=r"is one of the stores to join"):
        join_stores([a, b], b, force=True)
    with pytest.raises(StoreError, match=r"accepted endings are \.db, \.sqlite|cannot write"):
        join_stores([a], tmp_path / "c.csv")
    with pytest.raises(StoreError, match=r"it is not there"):
        join_stores([tmp_path / "none.db"], tmp_path / "c.db")


@pytest.mark.parametrize("shard", ["0/4", "5/4", "a/b", "3", "1/0", "-1/2"])
def test_no_shard(toys, shard):
    with pytest.raises(StoreError, match=r"accepted is a number of a count, such as 3/16"):
        shard_of(toys(6), shard)


def test_more_shards_than_tasks(toys):
    with pytest.raises(StoreError, match=r"there are 6 tasks; accepted are at most as many"):
        shard_of(toys(6), "1/7")


def test_one_task_is_one_task(toys):
    with pytest.raises(StoreError, match=r"shard is '1/2' and there is 1 task; accepted"):
        shard_of(toys(1), "1/2")


def of_flops(flops) -> list[Task]:
    return [Task(f"t{k}", (f"r{k}",), print, f"t{k}", each) for k, each in enumerate(flops)]


def loads(tasks, count: int) -> list[float]:
    return [sum(t.flops for t in shard_of(tasks, f"{k + 1}/{count}")) for k in range(count)]


@pytest.mark.parametrize(
    ("flops", "count", "wanted"),
    [
        ([100.0, 25.0, 25.0, 6.0, 6.0, 6.0, 6.0, 3.0, 3.0, 3.0], 2, [100.0, 83.0]),
        ([5.0, 4.0, 3.0, 3.0, 3.0], 2, [8.0, 10.0]),  # 9 and 9 is best
        ([8.0, 7.0, 6.0, 5.0, 4.0], 3, [8.0, 11.0, 11.0]),
    ],
)
def test_shards_are_of_equal_work(flops, count, wanted):
    """By hand, longest first; however the tasks are listed."""
    tasks = of_flops(flops)
    assert loads(tasks, count) == loads(tasks[::-1], count) == wanted


def test_shards_are_within_four_thirds_of_the_best():
    """Graham 1969: longest first takes at most 4/3 of the best; mean and longest are its bounds."""
    rng = np.random.default_rng(3)
    for count in (2, 5, 16):
        flops = np.exp(rng.normal(size=60) * 2).tolist()
        best = max(sum(flops) / count, max(flops))
        assert max(loads(of_flops(flops), count)) <= best * 4 / 3


def test_tasks_of_unknown_work_are_shared_out_evenly():
    counts = [len(shard_of(of_flops([0.0] * 11), f"{k}/4")) for k in (1, 2, 3, 4)]
    assert counts == [3, 3, 3, 2]


KILLED = """
import os, sqlite3, sys
from isoloss.runs import Run, Store
path = sys.argv[1]
Store(path).add("t", Run(1e6, 2e7, "w4", 2.0, key="old"))
base = sqlite3.connect(path)
base.execute("SELECT count(*) FROM tasks").fetchone()
Store(path).add("t", Run(1e6, 2e7, "w4", 2.5, key="late"))
os.kill(os.getpid(), 9)
"""


def test_a_joined_store_takes_nothing_from_the_log_of_the_one_it_replaces(tmp_path):
    old, part = tmp_path / "all.db", tmp_path / "part.db"
    subprocess.run([sys.executable, "-c", KILLED, str(old)], check=False)
    assert (tmp_path / "all.db-wal").stat().st_size > 0
    Store(part).add("t", Run(1e6, 2e7, "w4", 3.0, key="new"))
    joined = join_stores([part], old, force=True)
    assert joined.runs()["key"].tolist() == ["new"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["all.db", "part.db"]


def test_a_store_in_the_place_of_a_file_of_something_else(tmp_path):
    (tmp_path / "all.db").write_text("a list of things to do")
    (tmp_path / "all.db-wal").write_text("more of them")
    Store(tmp_path / "part.db").add("t", Run(1e6, 2e7, "w4", 3.0, key="new"))
    joined = join_stores([tmp_path / "part.db"], tmp_path / "all.db", force=True)
    assert joined.runs()["key"].tolist() == ["new"]


# ---- sizes
def test_hours_are_those_of_the_best_schedule_where_all_take_the_same():
    found = sizing([(1e9, 3600.0)] * 3, {f"t{k}": 1e9 for k in range(10)}, 4, price=2.0)
    assert (found.hours, found.low, found.high) == (3.0, 3.0, 3.0)  # ten hours of work on four
    assert (found.busy, found.longest, found.money) == (10.0, 1.0, 24.0)


@pytest.mark.parametrize("price", [-1.0, float("inf"), float("nan")])
def test_a_price_is_a_number(price):
    with pytest.raises(StoreError, match=r"price is .*; accepted is a number of 0 or more"):
        sizing([(1e9, 3600.0)], {"t": 1e9}, 4, price=price)


def test_hours_agree_with_a_schedule_by_hand():
    """Two places, tasks of 5, 4, 3, 3 and 3 hours: longest first ends after 10 hours, 9 is best."""
    left = {f"t{k}": size for k, size in enumerate((3.0, 3.0, 5.0, 4.0, 3.0))}
    found = sizing([(1.0, 3600.0)], left, 2)
    assert (found.hours, found.low, found.money) == (10.0, None, None)


def test_the_interval_covers_what_happens():
    """Times a FLOP that vary by a factor: nine of ten sweeps lie within the interval."""
    rng = np.random.default_rng(1)
    inside, trials = 0, 100
    left = {f"t{k}": 1.0 for k in range(40)}
    for trial in range(trials):
        measured = [(1.0, took) for took in 3600 * np.exp(0.4 * rng.normal(size=30))]
        found = sizing(measured, left, 8, seed=trial)
        free = [0.0] * 8
        for took in np.sort(np.exp(0.4 * rng.normal(size=40)))[::-1]:
            k = int(np.argmin(free))
            free[k] += took
        inside += found.low <= max(free) <= found.high
    assert 80 <= inside <= 99


def test_the_outlook_says_hours_places_and_money(tmp_path, toys):
    tasks = [Task(f"t{k}", (f"r{k}",), toys(1)[0].work, f"t{k}", flops=1e9) for k in range(8)]
    store = Store(tmp_path / "runs.db")
    store.enter(tasks)
    for task in tasks[:4]:
        store.claim(task, "me:1")
        store.beat(task.key, "me:1", 1.0, None, 7200.0)
        store.add(task.key, Run(1e6, 2e7, "w4", 3.0, key=task.rows[0]))
        store.end(task.key, "me:1", "done")
    said = str(outlook(tasks, store.path, 2, price=3.0)).splitlines()
    assert said[-3:] == [
        "time    about 4.0 h, 4.0 h to 4.0 h in nine of ten draws from 4 tasks",
        "places  2, 100% busy; more than about 4 shorten nothing: the longest task takes 2.0 h",
        "money   24 for 2 places of 3 an hour, 24 to 24 in nine of ten draws",
    ]


def test_work_that_is_all_done_is_not_work_of_unknown_size():
    measured = [(1e9, 10.0)] * 5
    one, two = (sizing(measured, left, 4) for left in ({"a": 1e12}, {"a": 1e12, "b": 0.0}))
    assert one == two
    assert one.hours == pytest.approx(1e4 / 3600)
    assert sizing(measured, {"a": 0.0}, 4) is None
    unknown = sizing(measured, {"a": 1e12, "b": None}, 4)  # then tasks are alike, of 10 s each
    assert (unknown.hours, unknown.busy) == pytest.approx((10 / 3600, 20 / 3600))


def test_the_time_of_an_outlook_lies_in_its_interval(tmp_path):
    """One large task among small ones: the rate over all workers would say an eighth of it."""
    tasks = of_flops([1e9] * 6 + [1e13] + [1e9] * 7)
    store = Store(tmp_path / "runs.db")
    store.enter(tasks)
    for task in tasks[:6]:
        store.claim(task, "me:1")
        store.beat(task.key, "me:1", 1.0, None, 10.0)
        store.add(task.key, Run(1e6, 2e7, "w4", 3.0, key=task.rows[0]))
        store.end(task.key, "me:1", "done")
    found = outlook(tasks, store.path, 8)
    assert found.seconds == pytest.approx(1e5)
    assert found.sized.low <= found.seconds / 3600 <= found.sized.high
    assert "time    about 27.8 h, 27.8 h to 27.8 h in nine" in str(found)
    store.claim(tasks[6], "me:1")
    store.beat(tasks[6].key, "me:1", 1.0, None, 1e5)  # all but written down
    assert outlook(tasks, store.path, 8).seconds == pytest.approx(10.0)


def test_what_is_unknown_of_one_task_is_not_known_of_all(tmp_path):
    tasks = [replace(task, memory=1e9) for task in of_flops([1e9, 0.0])]
    found = outlook(tasks, tmp_path / "runs.db", 2)
    assert (found.flops, found.memory) == (None, 2e9)
    assert "FLOPs   unknown to do" in str(found)
    less = outlook([tasks[0], replace(tasks[1], flops=1.0, memory=0.0)], tmp_path / "runs.db", 2)
    assert (less.flops, less.memory) == (1e9 + 1, None)
    assert "memory  unknown for 2 at once" in str(less)
