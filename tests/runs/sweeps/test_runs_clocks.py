"""Clocks that jump or differ among machines: no task is done twice, none is left undone."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from isoloss.runs import Run, Store, Task, sweep
from isoloss.runs.database import writing
from isoloss.runs.sweeps import under_way as under_way_module
from isoloss.runs.sweeps import working as working_module
from isoloss.runs.sweeps.hearing import Hearing
from isoloss.runs.sweeps.process_id import Owner

HOURS = 3600.0


class Clock:
    """A wall clock that may be set, and jumps by a step whenever it is read if told to."""

    def __init__(self) -> None:
        self.offset, self.step = 0.0, 0.0
        self._real = time.time

    def __call__(self) -> float:
        self.offset += self.step
        self.step = -self.step
        return self._real() + self.offset


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "time", clock)
    return clock


def task(key: str, work=print) -> Task:
    return Task(key, (f"row-{key}",), work, f"task {key}")


def row(watch) -> None:
    (key,) = watch.missing
    watch.add(Run(1e6, 2e7, "w4", 3.0, key=key))


def held_elsewhere(store: Store, one: Task, ahead: float = 0.0) -> None:
    """The task claimed by a process of another machine, whose clock is that much ahead."""
    assert store.claim(one, "other:claim")
    owner = replace(Owner.here(), host="elsewhere/1/2", pid=7)
    with writing(store.path) as base:
        base.execute("UPDATE tasks SET owner = ?, beat = beat + ?", (str(owner), ahead))


@pytest.mark.parametrize("ahead", [-2 * HOURS, 0.0, 2 * HOURS])
def test_a_claim_is_held_for_dead_when_it_was_silent_for_a_minute_of_ours(tmp_path, ahead):
    now, store, one = [0.0], Store(tmp_path / "runs.db"), task("a")
    hearing = Hearing(lambda: now[0])
    store.enter([one])
    held_elsewhere(store, one, ahead)
    for moment, beats, free in ((0, 0, False), (59, 0, False), (100, 1, False), (159, 0, False),
                                (161, 0, True)):  # fmt: skip
        now[0] = moment
        for _ in range(beats):
            assert store.beat("a", "other:claim", 0.5, None, 1.0)
        hearing.look(store.tasks())
        assert hearing.is_free(store.tasks()[0]) is free, moment
    assert store.beat("a", "other:claim", 0.5, None, 1.0)
    assert not hearing.is_free(store.tasks()[0])


def test_whom_a_sweep_waits_for_is_said(tmp_path):
    now, store = [0.0], Store(tmp_path / "runs.db")
    hearing, tasks = Hearing(lambda: now[0]), [task(key) for key in "abcde"]
    store.enter(tasks)
    for one in tasks:
        held_elsewhere(store, one)
    hearing.look(store.tasks())
    named = "; ".join(f"'task {key}' by process 7 on elsewhere" for key in "abc")
    said = f"waiting for 5 tasks under way elsewhere: {named} and 2 more"
    assert hearing.waits_for(store.tasks()) == said
    now[0] = 11.0
    store.beat("e", "other:claim", 0.1, None, 1.0)
    silent = "; 4 of them silent for over 10 s, taken over after 60 s without a sign"
    assert hearing.waits_for(store.tasks()) == said + silent


@pytest.mark.parametrize("step", [-2 * HOURS, 2 * HOURS])
def test_a_clock_that_jumps_does_no_task_twice_and_leaves_none(tmp_path, clock, monkeypatch, step):
    """Two sweeps share a store while every reading of the clock is two hours from the last."""
    monkeypatch.setattr(working_module, "BEAT", 0.01)
    monkeypatch.setattr(under_way_module, "LOOK", 0.01)
    calls, lock, clock.step = [], threading.Lock(), step

    def work(watch):
        with lock:
            calls.append(watch.folder.name)
        until = time.monotonic() + 0.05
        while time.monotonic() < until:
            watch.tell(0.5, 3.0)
        if watch.folder.name in ("t2", "t5") and "again" not in calls:
            raise ValueError("the disk is old")
        row(watch)

    tasks = [task(f"t{k}", work) for k in range(8)]

    def one(_):
        with ThreadPoolExecutor(2) as pool:
            return sweep(tasks, tmp_path / "runs.db", executor=pool, show=False)

    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(one, range(2)))
    assert sorted(calls) == [f"t{k}" for k in range(8)]
    assert sum(each.done for each in both) == 6
    assert {label for each in both for label, _ in each.failures} == {"task t2", "task t5"}
    clock.offset -= 2 * step
    calls[:] = ["again"]
    assert (one(0).done, sorted(calls)) == (2, ["again", "t2", "t5"])


def test_a_claim_of_a_dead_machine_is_taken_over_in_a_sweep(tmp_path, monkeypatch, capsys):
    """Its heartbeat is two hours ahead; a minute passes in the time of a few looks."""
    store, one, real = Store(tmp_path / "runs.db"), task("a", row), time.monotonic
    store.enter([one])
    held_elsewhere(store, one, 2 * HOURS)
    monkeypatch.setattr(under_way_module, "LOOK", 0.01)
    began = real()
    monkeypatch.setattr(time, "monotonic", lambda: began + 100 * (real() - began))
    with ThreadPoolExecutor(1) as pool:
        assert sweep([one], store.path, executor=pool).done == 1
    said = capsys.readouterr().err
    assert said.startswith(
        "waiting for 1 task under way elsewhere: 'task a' by process 7 on elsewhere"
    )
    assert "taken over after 60 s without a sign" in said


def test_work_that_came_late_adds_nothing(tmp_path, monkeypatch):
    """A worker that slept through the loss of its claim meets the row of whoever took over."""
    monkeypatch.setattr(working_module, "BEAT", 60.0)
    store, calls = Store(tmp_path / "runs.db"), []

    def work(watch):
        calls.append("x")
        if len(calls) == 1:
            store.give_up(store.tasks()[0].claim)
            assert store.claim(one, "thief:claim")
            (key,) = watch.missing
            watch.add(Run(1e6, 2e7, "w4", 4.0, key=key))
            store.give_up("thief")
        else:
            row(watch)

    one = task("a", work)
    with ThreadPoolExecutor(1) as pool:
        found = sweep([one], store.path, executor=pool, show=False)
    assert (found.done, found.runs["loss"].tolist()) == (1, [3.0])
    assert len(calls) == 2


def test_a_store_that_vanishes_is_one_sentence(tmp_path):
    path = Path(tmp_path / "runs.db")

    def work(watch):
        path.rename(tmp_path / "moved.db")
        row(watch)

    with ThreadPoolExecutor(1) as pool, pytest.raises(ValueError, match="is gone") as error:
        sweep([task("a", work)], path, executor=pool, show=False)
    assert str(error.value).startswith(f"the store '{path}' is gone: it was moved or removed while")
    assert not path.exists()


def test_a_store_that_another_file_replaced_is_one_sentence(tmp_path):
    path = Path(tmp_path / "runs.db")

    def work(watch):
        for name in ("runs.db", "runs.db-wal", "runs.db-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        Store(path).enter([task("other")])
        row(watch)

    with ThreadPoolExecutor(1) as pool, pytest.raises(ValueError, match=r"no longer lists"):
        sweep([task("a", work), task("b")], path, executor=pool, show=False)
    assert [each.key for each in Store(path).tasks()] == ["other"]
