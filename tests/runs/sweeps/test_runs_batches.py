"""Tiny tasks are handed out and written together; what goes wrong with one concerns one."""

import errno
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from isoloss.runs import Run, Store, StoreError, Task, sweep
from isoloss.runs.sweeps.batch import GATHER, Batch
from isoloss.runs.sweeps.deaths import DEATHS, Deaths, how_ended
from isoloss.runs.sweeps.portions import MOST, Portions
from isoloss.runs.sweeps.progress import Progress
from isoloss.runs.sweeps.under_way import UnderWay
from isoloss.runs.sweeps.watch import ClaimLost, Watch
from isoloss.runs.sweeps.working import Orders, Outcome


def task(key: str, work=print) -> Task:
    return Task(key, (f"row-{key}",), work, f"task {key}")


def row_of(key: str, loss: float = 3.0) -> Run:
    return Run(1e6, 2e7, "w4", loss, key=f"row-{key}")


def row(watch) -> None:
    (key,) = watch.missing
    watch.add(Run(1e6, 2e7, "w4", 3.0, key=key))


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def batch_of(store: Store, keys: str) -> tuple[Batch, dict[str, Watch]]:
    tasks = [task(key) for key in keys]
    store.enter(tasks)
    batch = Batch(store, "sweep:claim", store.claim_all(tasks, "sweep:claim", {}))
    return batch, {one.key: Watch(store, one, (), batch.add) for one in tasks}


def kept(store: Store) -> list[str]:
    return sorted(key for key in "abcd" if store.present([f"row-{key}"]))


# ---- portions
def test_portions_double_while_tasks_are_tiny_and_leave_some_for_all():
    portions = Portions()
    assert portions.size(1000, 2) == 1
    for expected in (2, 4, 8, 16, 32, 64, 64):
        size = portions.size(1000, 2)
        portions.heard([Outcome("done", seconds=1e-3)] * size)
        assert portions.size(1000, 2) == expected <= MOST
    assert portions.size(10, 2) == 3
    portions.heard([Outcome("done", seconds=0.1)] * 64)
    assert portions.size(1000, 2) == 2
    portions.heard([Outcome("done", seconds=9.0)] * 2)
    assert portions.size(1000, 2) == 1


def test_portions_are_single_where_tasks_are_long_or_fail_or_others_share_them_out():
    long, failed, others = Portions(), Portions(), Portions(most=1)
    long.heard([Outcome("done", seconds=2.0)])
    failed.heard([Outcome("failed", "no", seconds=1e-3)])
    others.heard([Outcome("done", seconds=1e-3)])
    assert [each.size(1000, 2) for each in (long, failed, others)] == [1, 1, 1]


# ---- what is written when
def test_rows_of_short_work_are_written_together_those_of_long_work_at_once(tmp_path, clock):
    store = Store(tmp_path / "runs.db")
    batch, watches = batch_of(store, "abcd")
    for key in "ab":
        assert batch.begin(key, watches[key])
        watches[key].add(row_of(key))
        assert not watches[key].missing
        batch.end("done")
        clock.now += 0.4 * GATHER
    assert (kept(store), batch.kept) == ([], set())
    assert batch.begin("c", watches["c"])
    clock.now += 0.3 * GATHER
    batch.end("failed", "why", "trace")  # the first began too long ago to wait on
    assert (kept(store), batch.kept) == (["a", "b"], {"a", "b", "c"})
    assert batch.begin("d", watches["d"])
    clock.now += 2 * GATHER
    watches["d"].add(row_of("d"))
    assert kept(store) == ["a", "b", "d"]
    assert [each.state for each in store.tasks()] == ["done", "done", "failed", "running"]


def test_rows_that_stand_for_a_checkpoint_are_written_at_once(tmp_path, clock):
    store = Store(tmp_path / "runs.db")
    (tmp_path / "runs.db.files" / "a").mkdir(parents=True)
    batch, watches = batch_of(store, "ab")
    for key, there in (("a", ["a"]), ("b", ["a"])):
        assert batch.begin(key, watches[key])
        watches[key].add(row_of(key))
        assert kept(store) == there
        batch.end("done")
    batch.flush()
    assert kept(store) == ["a", "b"]


def test_a_heartbeat_gives_back_what_did_not_come_to_its_turn(tmp_path):
    store = Store(tmp_path / "runs.db")
    batch, watches = batch_of(store, "abc")
    assert batch.begin("a", watches["a"])
    watches["a"].tell(0.5, 3.5)
    batch.beat()
    assert [each.state for each in store.tasks()] == ["running", "waiting", "waiting"]
    assert (store.tasks()[0].share, store.tasks()[0].loss) == (0.5, 3.5)
    assert not batch.begin("b", watches["b"])
    assert store.claim(task("b"), "other:claim")
    batch.drop()
    assert [each.state for each in store.tasks()] == ["waiting", "running", "waiting"]


def test_a_row_with_other_values_is_refused_where_it_is_added(tmp_path):
    store = Store(tmp_path / "runs.db")
    batch, watches = batch_of(store, "a")
    assert batch.begin("a", watches["a"])
    watches["a"].add(row_of("a"))
    with pytest.raises(StoreError, match=r"with loss 3\.0 and comes again with 4\.0"):
        watches["a"].add(row_of("a", 4.0))
    store.give_up("sweep")
    with pytest.raises(ClaimLost):
        watches["a"].add(row_of("a"))


# ---- one task's fault
def of_another_disk(watch) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/elsewhere/model")


def of_another_store(watch) -> None:
    Store("/no/such/folder/runs.db").add("t", row_of("x"))


@pytest.mark.parametrize(
    ("work", "reason"),
    [
        (of_another_disk, "OSError: [Errno 28] No space left on device: '/elsewhere/model'"),
        (of_another_store, "cannot use the store '/no/such/folder/runs.db': there is no folder"),
    ],
)
def test_what_is_wrong_elsewhere_fails_one_task(tmp_path, work, reason):
    with ThreadPoolExecutor(1) as pool:
        tasks = [task("a", work), task("b", row)]
        found = sweep(tasks, tmp_path / "runs.db", executor=pool, show=False)
    ((label, said),) = found.failures
    assert (found.done, label) == (1, "task a")
    assert said.startswith(reason)


def kills_itself_once(watch) -> None:
    mark = watch.folder.parent.parent / "killed"
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGSEGV)
    row(watch)


def test_a_worker_that_dies_over_a_portion_loses_no_task(tmp_path, capfd):
    works = [row] * 7 + [kills_itself_once] + [row] * 12
    tasks = [task(f"t{k:02d}", work) for k, work in enumerate(works)]
    found = sweep(tasks, tmp_path / "runs.db", workers=1)
    assert (found.done, found.failures, len(found.runs)) == (20, (), 20)
    lines = [line for line in capfd.readouterr().err.splitlines() if "SIGSEGV" in line]
    assert len(lines) == 1
    assert " was killed by SIGSEGV (a crash of compiled code); " in lines[0]


def test_what_a_worker_ended_before_it_died_is_done(tmp_path):
    store, tasks = Store(tmp_path / "runs.db"), [task(key) for key in "abc"]
    state = UnderWay(tasks, store, Orders(store.path, "sweep", False))
    assert state.begin(own=False) == 0
    batch = Batch(store, "sweep:claim", store.claim_all(tasks, "sweep:claim", {}))
    watch = Watch(store, tasks[0], (), batch.add)
    assert batch.begin("a", watch)
    watch.add(row_of("a"))
    batch.end("done")
    batch.flush()
    state.waiting.clear()
    state._died(tasks, "was killed by SIGKILL", Progress(False))
    assert (state.done, state.waiting) == ({"a"}, {"b", "c"})
    assert [each.state for each in store.tasks()] == ["done", "waiting", "waiting"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (None, "was killed"),
        (3, "ended with exit code 3"),
        (-9, "was killed by SIGKILL (often the system, for want of memory)"),
        (-15, "was killed by SIGTERM"),
        (-99, "was killed by signal 99"),
    ],
)
def test_how_a_process_ended_is_said_by_name(code: int | None, said: str) -> None:
    assert how_ended(code) == said


def test_when_to_give_up(tmp_path: Path) -> None:
    store, deaths = Store(tmp_path / "runs.db"), Deaths()
    store.enter([task("a")])
    (state,) = store.tasks()
    said = [deaths.hopeless(state, "was killed by SIGBUS") for _ in range(DEATHS)]
    assert said[:-1] == [None] * (DEATHS - 1)
    assert said[-1] == "its worker died 5 times at 0% of the work; the last was killed by SIGBUS"
    for _ in range(2):
        deaths.of([task("a")], False, "ended with exit code 1")
    deaths.worked()
    for _ in range(2):
        deaths.of([task("a"), task("b")], False, "ended with exit code 1")
    assert deaths.alone == {"a", "b"}
    with pytest.raises(StoreError, match=r"before they begin to work: .*; the last ended with"):
        deaths.of([task("a")], False, "ended with exit code 1")
