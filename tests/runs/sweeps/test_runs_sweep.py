"""The sweep: every row once, whoever dies; work shared among sweeps; failures that stop nobody
else.
"""

import importlib
import io
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from isoloss.runs import Run, Store, StoreError, Task, outlook, read, sweep
from isoloss.runs.database import store_file as database_module
from isoloss.runs.sweeps import crew as crew_module
from isoloss.runs.sweeps import progress as progress_module
from isoloss.runs.sweeps import working as working_module
from isoloss.runs.sweeps.engines import driver as driver_module
from isoloss.runs.sweeps.progress import Progress, Standing
from isoloss.runs.sweeps.watch import ClaimLost

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def bench():
    """The mill and the study of benchmarks, which workers import too."""
    sys.path.insert(0, str(ROOT))
    yield SimpleNamespace(
        toys=importlib.import_module("benchmarks.toy_mill").toys,
        killed=importlib.import_module("benchmarks.sweep_killed").killed,
    )
    sys.path.remove(str(ROOT))


@dataclass
class Inline(Executor):
    """An executor of somebody's own: it makes the call where it is asked."""

    calls: int = 0

    def submit(self, call, /, *args, **named):
        self.calls += 1
        future: Future = Future()
        try:
            future.set_result(call(*args, **named))
        except BaseException as error:
            future.set_exception(error)
        return future


def one_row(key: str, work, label: str = "", **more) -> Task:
    return Task(key, (f"row-{key}",), work, label or key, **more)


def row(watch, loss: float = 3.0) -> None:
    (key,) = watch.missing
    watch.add(Run(1e6, 2e7, "w4", loss, key=key))


def threads(count: int = 2) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count)


# ---- what a sweep leaves
def test_a_sweep_and_the_same_again(tmp_path, bench, capfd):
    store = tmp_path / "runs.db"
    first = sweep(bench.toys(6), store, workers=2)
    assert (first.done, first.elsewhere, first.already, first.failures) == (6, 0, 0, ())
    assert str(first) == "runs.db: 24 rows of 6 tasks, 6 done now"
    assert first.runs["key"].tolist() == [key for task in bench.toys(6) for key in task.rows]
    assert first.runs.where(parent="toy0")["gap"].tolist() == first.runs["gap"][1:4].tolist()
    assert not (tmp_path / "runs.db.files").exists()
    assert [task.state for task in Store(store).tasks()] == ["done"] * 6
    before = store.read_bytes()
    again = sweep(bench.toys(6), store)
    assert (again.done, again.already) == (0, 6)
    assert str(again) == "nothing to do: all 24 rows of 6 tasks are in runs.db"
    assert again.runs == first.runs
    assert store.read_bytes() == before
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "executor", [threads, Inline, lambda: ProcessPoolExecutor(1, get_context("spawn"))]
)
def test_any_executor_gives_the_same_table(tmp_path, bench, executor):
    whole = sweep(bench.toys(3), tmp_path / "one.db", executor=Inline(), show=False).runs
    with executor() as pool:
        found = sweep(bench.toys(3), tmp_path / "two.db", executor=pool, show=False)
        assert pool.submit(int, "3").result() == 3  # it is its owner's to shut down
    assert found.runs == whole
    assert Store(tmp_path / "two.db").runs() == Store(tmp_path / "one.db").runs()


def test_where_several_machines_write_the_log_is_no_shared_memory(tmp_path, bench, monkeypatch):
    monkeypatch.setattr(database_module, "shared", lambda path: True)
    with threads() as pool:
        several = sweep(bench.toys(3), tmp_path / "several.db", executor=pool, show=False)
    monkeypatch.undo()
    one = sweep(bench.toys(3), tmp_path / "one.db", executor=Inline(), show=False)
    assert several.runs == one.runs
    for name, mode in (("several", "delete"), ("one", "wal")):
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as base:
            assert base.execute("PRAGMA journal_mode").fetchone() == (mode,)


def test_file_systems_of_several_machines_are_known(monkeypatch):
    mounts = (
        "/dev/a / ext4 rw 0 0\nhost:/x /home/my\\040team nfs4 rw 0 0\n"
        "none /home/my\\040team/fast tmpfs rw 0 0\n"
    )
    monkeypatch.setattr(Path, "read_text", lambda path, **how: mounts)
    found = [
        database_module.shared(Path(p))
        for p in ("/runs.db", "/home/my team/a/runs.db", "/home/my team/fast/r.db")
    ]
    assert found == [False, True, False]


def test_largest_first_and_folders_kept(tmp_path):
    order: list[str] = []

    def work(watch):
        (watch.folder / "checkpoint").write_text("x")
        order.append(watch.folder.name)
        row(watch)

    tasks = [one_row(f"t{i}", work, flops=flops) for i, flops in enumerate((1.0, 3.0, 2.0))]
    found = sweep(tasks, tmp_path / "runs.db", executor=Inline(), show=False, keep=True)
    assert order == ["t1", "t2", "t0"]
    assert found.runs["key"].tolist() == ["row-t0", "row-t1", "row-t2"]
    assert (tmp_path / "runs.db.files" / "t1" / "checkpoint").exists()
    sweep(tasks, tmp_path / "runs.db", executor=Inline(), show=False)
    assert not (tmp_path / "runs.db.files").exists()


def test_one_failure_stops_no_other_and_is_tried_again(tmp_path, capsys):
    broken = {"broken"}

    def fails(watch):
        if broken:
            raise ValueError("the text has 12 tokens\nand 50 are asked for")
        row(watch)

    def forgets(watch):
        return None

    def strange(watch):
        watch.add(Run(1e6, 2e7, "w4", 3.0, key="other"))

    def divides(watch):
        return 1 / 0

    def leaves(watch):
        sys.exit(3)

    works = {"a": fails, "b": row, "c": forgets, "d": strange, "e": divides, "f": row, "g": leaves}
    tasks = [one_row(key, work) for key, work in works.items()]
    with threads() as pool:
        found = sweep(tasks, tmp_path / "runs.db", executor=pool)
    reasons = {
        "a": "the text has 12 tokens and 50 are asked for",
        "c": "its work ended with 1 of its 1 rows missing",
        "d": "task 'd' has no row with key 'other'; it lists row-d",
        "e": "ZeroDivisionError: division by zero",
        "g": "SystemExit: 3",
    }
    assert (found.done, dict(found.failures)) == (2, reasons)
    assert "\n  failed: a: the text has 12 tokens and 50 are asked for" in str(found)
    said = capsys.readouterr().err.splitlines()
    assert sorted(said) == [f"{label} failed: {reason}" for label, reason in reasons.items()]
    kept = {task.label: task for task in Store(tmp_path / "runs.db").tasks()}
    assert {label: task.reason for label, task in kept.items() if task.reason} == reasons
    assert "in divides" in kept["e"].traceback
    broken.clear()
    again = sweep(tasks, tmp_path / "runs.db", executor=Inline(), show=False)
    assert (again.done, again.already, len(again.failures)) == (1, 2, 4)


def test_what_workers_say_is_shown_and_kept(tmp_path, capsys):
    def work(watch):
        watch.say("the learning rate is high")
        watch.tell(0.5, 3.0)
        row(watch)

    sweep([one_row("a", work, "small")], tmp_path / "runs.db", executor=Inline(), show=True)
    assert Store(tmp_path / "runs.db").notes() == [(1, "a", "the learning rate is high")]
    assert capsys.readouterr().err == "small: the learning rate is high\n"
    sweep([one_row("b", work, "large")], tmp_path / "runs.db", executor=Inline(), show=False)
    assert capsys.readouterr().err == ""


# ---- death
def test_killed_at_random_moments_the_table_is_that_of_an_undisturbed_sweep(tmp_path, bench):
    mill = "benchmarks.toy_mill:short"
    report = bench.killed(mill, tmp_path, 8, 0.7, seed=3, undisturbed="benchmarks.toy_mill:quick")
    assert report.kills == {"group": 3, "sweep": 3, "worker": 2}
    assert report.rows == 32
    assert report.exact, report


def kills_itself(watch):
    """Killed in its first two tries, each of which gets as far as the one before."""
    tries = watch.folder / "tries"
    count = len(tries.read_text()) if tries.exists() else 0
    tries.write_text("x" * (count + 1))
    if count < 2:
        os.kill(os.getpid(), signal.SIGKILL)
    row(watch)


def kills_itself_always(watch):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_is_killed_is_replaced(tmp_path, capfd):
    tasks = [one_row("a", kills_itself), one_row("b", row), one_row("c", kills_itself_always)]
    found = sweep(tasks, tmp_path / "runs.db", workers=2)
    how = "was killed by SIGKILL (often the system, for want of memory)"
    reason = f"its worker died 5 times at 0% of the work; the last {how}"
    assert (found.done, found.failures) == (2, (("c", reason),))
    said = capfd.readouterr().err.splitlines()
    killed = [
        line
        for line in said
        if line == f"a: its worker {how}; another one goes on from its last checkpoint"
    ]
    assert len(killed) == 2


INTERRUPTED = """
import sys
from benchmarks.toy_mill import toys
from isoloss.runs import sweep
sweep(toys(6, 2000, 0.01), sys.argv[1], workers=2)
"""


@pytest.mark.parametrize("whom", [os.kill, os.killpg])
def test_an_interrupt_gives_the_claims_back(tmp_path, whom):
    path = tmp_path / "runs.db"
    words = [sys.executable, "-c", INTERRUPTED, str(path)]
    process = subprocess.Popen(
        words, cwd=ROOT, start_new_session=True, stderr=subprocess.PIPE, text=True
    )
    while not path.exists() or sum(task.live for task in Store(path).tasks()) < 2:
        time.sleep(0.05)
    for _ in range(5):  # an impatient person
        whom(process.pid, signal.SIGINT)
    _, said = process.communicate()
    lines = said.splitlines()
    said = "stopped: 0 of 6 tasks are in runs.db; the same call goes on from there"
    assert lines[-1] == f"KeyboardInterrupt: {said}"
    assert [task.state for task in Store(path).tasks()] == ["waiting"] * 6


UNGUARDED = """
from isoloss.runs import Run, Task, sweep
{import_}
def work(watch):
    watch.add(Run(1e6, 2e7, "w4", 3.0, key="r0"))
tasks = {tasks}
print(sweep(tasks, "runs.db", workers=1))
"""


GUARDED = UNGUARDED.replace("print(", "if __name__ == '__main__':\n    print(")


def test_a_script_may_mix_work_of_its_own_and_of_others(tmp_path):
    tasks = "[*toys(5), Task('t', ('r0',), work, 'own')]"
    script = GUARDED.format(import_="from benchmarks.toy_mill import toys", tasks=tasks)
    (tmp_path / "script.py").write_text(script)
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
    words = [sys.executable, "script.py"]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout == "runs.db: 21 rows of 6 tasks, 6 done now\n"
    # On a busy machine it takes long enough for lines of progress.
    assert [line for line in done.stderr.splitlines() if "of 6 tasks done" not in line] == []


@pytest.mark.parametrize(
    ("import_", "tasks", "out", "err"),
    [
        (
            "from benchmarks.toy_mill import toys",
            "toys(2)",
            "runs.db: 8 rows of 2 tasks, 2 done now\n",
            "",
        ),
        (
            "",
            "[Task('t', ('r0',), work, 'own')]",
            "",
            "workers end before they begin to work: they must be able",
        ),
    ],
)
def test_a_script_needs_a_guard_only_for_work_of_its_own(tmp_path, import_, tasks, out, err):
    (tmp_path / "script.py").write_text(UNGUARDED.format(import_=import_, tasks=tasks))
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
    words = [sys.executable, "script.py"]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout == out
    assert err in (done.stderr.splitlines() or [""])[-1]


# ---- two sweeps
def test_two_sweeps_on_one_store_share_the_work(tmp_path):
    """Neither gets past its first task before the other has one: so both take part, whatever the
    scheduler does.
    """
    both, done, lock = threading.Barrier(2, timeout=60), [], threading.Lock()

    def work(watch):
        name = threading.current_thread().name
        with lock:
            first = not any(who.startswith(name) for who in done)
            done.append(f"{name} {watch.folder.name}")
        if first:
            both.wait()
        row(watch)

    tasks = [one_row(f"t{i}", work) for i in range(8)]

    def one(name):
        with ThreadPoolExecutor(1, name) as pool:
            return sweep(tasks, tmp_path / "runs.db", executor=pool, show=False)

    with threads() as pool:
        a, b = pool.map(one, ["a", "b"])
    assert sorted(who.split()[1] for who in done) == [f"t{i}" for i in range(8)]  # each task once
    assert {who[0] for who in done} == {"a", "b"}
    assert (a.done + b.done, a.done + a.elsewhere, b.done + b.elsewhere) == (8, 8, 8)
    assert min(a.done, b.done) >= 1
    assert a.runs == b.runs == Store(tmp_path / "runs.db").runs()
    assert len(a.runs) == 8


MEETING = """
import sys
from benchmarks.toy_mill import meeting
from isoloss.runs import sweep
found = sweep(meeting(sys.argv[1]), "runs.db", workers=1, show=False)
print(found.done, found.elsewhere, len(found.runs))
"""


def test_two_sweeps_of_two_processes_share_the_work(tmp_path):
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
    words = [sys.executable, "-c", MEETING, str(tmp_path)]
    pair = [
        subprocess.Popen(words, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    (a, a_else, a_rows), (b, b_else, b_rows) = [
        map(int, one.communicate()[0].split()) for one in pair
    ]
    assert (a + a_else, b + b_else, a + b) == (5, 5, 5)
    assert min(a, b) >= 1
    assert a_rows == b_rows == 20


def test_a_failure_in_another_sweep_is_not_tried_again_in_this_one(tmp_path):
    other, began = Store(tmp_path / "runs.db"), threading.Event()

    def first(watch):
        began.wait(60)
        row(watch)

    def never(watch):
        raise AssertionError("tried again")

    tasks = [one_row("a", first, flops=2.0), one_row("b", never, flops=1.0)]

    def meanwhile():
        while not other.path.exists() or not any(task.live for task in other.tasks()):
            time.sleep(0.01)
        assert other.claim(tasks[1], "other:claim")
        other.end("b", "other:claim", "failed", "the disk is old")
        began.set()

    with threads(1) as pool, threads(1) as side:
        future = side.submit(meanwhile)
        found = sweep(tasks, other.path, executor=pool, show=False)
        future.result()
    assert found.failures == (("b", "the disk is old"),)


def test_work_that_another_sweep_took_over_stops(tmp_path, monkeypatch):
    for module in (working_module, driver_module):
        monkeypatch.setattr(module, "BEAT", 0.01)
    store, stopped = Store(tmp_path / "runs.db"), []

    def work(watch):
        if not stopped:
            store.give_up(store.tasks()[0].claim)
            try:
                while True:
                    watch.tell(0.5)
            except ClaimLost:
                stopped.append("yes")
                raise
        row(watch)

    with threads(1) as pool:
        found = sweep([one_row("a", work)], store.path, executor=pool, show=False)
    assert (stopped, found.done) == (["yes"], 1)


def test_the_store_hears_how_far_the_work_is(tmp_path, monkeypatch):
    for module in (working_module, driver_module):
        monkeypatch.setattr(module, "BEAT", 0.01)
    store, heard = Store(tmp_path / "runs.db"), []

    def work(watch):
        watch.tell(0.25, 4.5)
        while not heard or heard[-1].loss is None:
            heard.append(store.tasks()[0])
        row(watch)

    with threads(1) as pool:
        sweep([one_row("a", work, flops=4.0)], store.path, executor=pool, show=False)
    assert (heard[-1].share, heard[-1].loss, heard[-1].live) == (0.25, 4.5, True)
    after = store.tasks()[0]
    assert (after.share, after.loss, after.state) == (1.0, 4.5, "done")
    assert after.seconds > 0


# ---- refusals
SAME = [one_row("a", row), one_row("b", row)]
REFUSED = {
    "no workers": (SAME, {"workers": 0}, "workers is 0; accepted is a whole number above 0"),
    "no tasks": ([], {}, "there are no tasks to sweep; give at least one"),
    "a task twice": ([SAME[0], SAME[0]], {}, "tasks 'a' and 'a' both have the key a"),
    "a row twice": (
        [SAME[0], replace(SAME[1], rows=SAME[0].rows)],
        {},
        "tasks 'a' and 'b' both have the row row-a",
    ),
    "no rows": (
        [replace(SAME[0], rows=())],
        {},
        "task 'a' lists no rows; give the key of every row it yields",
    ),
    "work that cannot be sent": (
        [one_row("a", lambda watch: None)],
        {},
        "the work of a task cannot be sent to another process (",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_tasks_that_cannot_be_swept(tmp_path, kind):
    tasks, options, sentence = REFUSED[kind]
    with pytest.raises(StoreError) as error:
        sweep(tasks, tmp_path / "runs.db", **options)
    assert str(error.value).startswith(sentence)
    assert list(tmp_path.iterdir()) == []


def test_a_store_is_known_by_its_ending(tmp_path):
    path = tmp_path / "runs.csv"
    with pytest.raises(StoreError) as error:
        sweep(SAME, path)
    assert str(error.value) == f"cannot use the store '{path}': accepted endings are .db, .sqlite"


def test_an_executor_that_broke_is_said(tmp_path):
    tasks = [one_row("a", kills_itself_always), one_row("b", row)]
    with (
        ProcessPoolExecutor(1, get_context("spawn")) as pool,
        pytest.raises(
            StoreError, match=r"^the executor is broken \(.*\); \d of 2 tasks are in runs\.db; give"
        ),
    ):
        sweep(tasks, tmp_path / "runs.db", executor=pool, show=False)


FULL = """
import subprocess
from benchmarks.toy_mill import filling
from isoloss.runs import Store, StoreError, sweep
from pathlib import Path
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", "place"], check=True)
store, flag, filler = Path("place/runs.db"), Path("flag"), Path("place/filler")
tasks = filling("flag")
sweep(tasks[:1], store, show=False)
if {at_once}:
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
flag.touch()
try:
    sweep(tasks, store, workers=2, show=False)
except StoreError as error:
    print(error)
flag.unlink()
filler.unlink(missing_ok=True)
rows = len(Store(store).runs())
subprocess.run("rm -f place/runs.db.files/*/large", shell=True, check=True)
found = sweep(tasks, store, workers=2, show=False)
print(rows, found.already, found.done, len(found.runs))
found.runs.save("found.parquet")
"""


@pytest.mark.parametrize("at_once", [True, False], ids=["before it starts", "by a checkpoint"])
def test_a_full_disk_stops_the_sweep_and_loses_nothing(
    tmp_path, bench, own_mounts, monkeypatch, at_once
):
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'src'}")
    (tmp_path / "place").mkdir()
    said, numbers = own_mounts(FULL.format(at_once=at_once), tmp_path).splitlines()
    assert "runs.db' is full; what is finished is kept: make room and start again" in said
    rows, already, done, total = map(int, numbers.split())
    assert (already + done, total) == (12, 48)
    assert 4 * already <= rows < 48
    whole = sweep(bench.toys(12), tmp_path / "whole.db", executor=Inline(), show=False).runs
    assert read(tmp_path / "found.parquet") == whole


# ---- before and while
def test_what_a_sweep_would_take(tmp_path, bench):
    store, tasks = tmp_path / "runs.db", bench.toys(4)
    assert str(outlook(tasks, store, 2)).splitlines() == [
        "tasks   4, 0 in runs.db, 4 to do",
        "rows    16, 0 there",
        "FLOPs   5.5B to do",
        "memory  0.002 GB for 2 at once",
        "time    unknown until the first run is done",
    ]
    assert not store.exists()
    sweep(tasks[:1], store, executor=Inline(), show=False)
    found = outlook(tasks, store, 2)
    seconds = Store(store).tasks()[0].seconds
    assert (found.done, found.there, found.flops) == (1, 4, 4.5e9)
    # Longest first on two: 1.75 on one, 1.5 and 1.25 on the other.
    assert found.seconds == pytest.approx(2.75 * seconds)
    assert str(outlook(tasks[:1], store)) == "nothing to do: all 4 rows of 1 task are in runs.db"


def test_a_task_that_is_done_and_asked_for_more_rows_is_all_to_do(tmp_path, bench):
    store, (task,) = tmp_path / "runs.db", bench.toys(1)
    sweep([task], store, executor=Inline(), show=False)
    found = outlook([replace(task, rows=(*task.rows, "one more"))], store)
    assert (found.done, found.there, found.flops) == (0, len(task.rows), task.flops)
    assert found.seconds == pytest.approx(Store(store).tasks()[0].seconds)


def standing(tmp_path) -> Standing:
    store = Store(tmp_path / "runs.db")
    store.enter([one_row("a", row, "0.1M params, w4, seed 0")])
    state = replace(store.tasks()[0], share=0.25, loss=3.5, state="running")
    return Standing(3, 1, 9, [state], 260.0)


def test_lines_where_nobody_watches(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(progress_module, "QUIET", -1.0)
    monkeypatch.setattr(progress_module, "LONG_QUIET", 1e6)
    now = standing(tmp_path)
    with Progress(True) as progress:
        progress.show(now)
        progress.show(now)
    assert (
        capsys.readouterr().err
        == "3 of 9 tasks done, 1 running, 4 left, 1 failed, about 4 min to go\n"
    )
    with Progress(False) as progress:
        progress.show(now)
        progress.say("not heard")
    assert capsys.readouterr().err == ""


def test_the_table_on_a_terminal(tmp_path):
    out = io.StringIO()
    Console(file=out, width=80).print(progress_module._table(standing(tmp_path)))
    facts, bar, head, running = out.getvalue().splitlines()
    assert facts == "3 of 9 tasks done, 1 running, 4 left, 1 failed, about 4 min to go"
    assert 0 < bar.count("\u2501") <= 60
    assert head.split() == ["running", "done", "loss", "now"]
    assert running.split() == ["0.1M", "params,", "w4,", "seed", "0", "25%", "3.5000"]


def one_thread(watch):
    assert {os.environ.get(name) for name in crew_module.THREADS} == {"1"}
    row(watch)


def test_workers_have_one_thread_each(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    assert sweep([one_row("a", one_thread)], tmp_path / "runs.db", show=False).failures == ()
    assert (os.environ["OMP_NUM_THREADS"], os.environ.get("MKL_NUM_THREADS")) == ("7", None)
    assert 1 <= crew_module.cores() <= (os.cpu_count() or 1)
