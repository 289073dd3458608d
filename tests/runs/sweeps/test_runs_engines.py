"""Engines: the driver alone writes; whoever dies, every run once; jobs outlive their driver."""

import math
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from toy_tasks import one_row, row

from isoloss.files import use
from isoloss.runs import (
    AnyExecutor,
    Asked,
    Ray,
    Run,
    Slurm,
    Store,
    StoreError,
    Task,
    engine_named,
    register_engine,
    sweep,
)
from isoloss.runs.sweeps import working as working_module
from isoloss.runs.sweeps.engines import ENGINES, Errand, FolderPost, Letter
from isoloss.runs.sweeps.engines import driver as driver_module
from isoloss.runs.sweeps.engines import slurm as slurm_module
from isoloss.runs.sweeps.engines.errand import Sent
from isoloss.runs.sweeps.process_id import Owner

ROOT = Path(__file__).parents[3]


@pytest.fixture
def toys(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'src'}")
    from benchmarks.toy_mill import toys

    return toys


@pytest.fixture
def fast(monkeypatch):
    for module in (working_module, driver_module):
        monkeypatch.setattr(module, "BEAT", 0.02)


def on_threads(tasks, store, count: int = 2, **more):
    with ThreadPoolExecutor(count) as pool:
        return sweep(tasks, store, executor=pool, show=False, **more)


# ---- the driver is the only writer
def test_no_worker_opens_the_store(tmp_path, toys, monkeypatch):
    """Each write comes from the thread of the driver; workers are other threads."""
    from isoloss.runs.sweeps import store as store_module

    real, writers = store_module.writing, set()

    def noted(*args, **named):
        writers.add(threading.current_thread().name)
        return real(*args, **named)

    monkeypatch.setattr(store_module, "writing", noted)
    found = on_threads(toys(5, 60, 0.01), tmp_path / "runs.db")
    assert (found.done, writers) == (5, {threading.current_thread().name})


class Submits:
    """The least that an engine is: no Future, no callback, its calls made by a thread each."""

    class Call:
        def __init__(self, call) -> None:
            self.found: list = []
            self.thread = threading.Thread(target=lambda: self.found.append(call()))
            self.thread.start()

        def done(self) -> bool:
            return bool(self.found)

        def result(self):
            return self.found[0]

    def submit(self, call):
        return self.Call(pickle.loads(pickle.dumps(call)))


def test_anything_with_submit_gives_the_table_of_the_local_pool(tmp_path, toys):
    local = sweep(toys(5), tmp_path / "local.db", workers=2, show=False)
    found = sweep(toys(5), tmp_path / "other.db", executor=Submits(), show=False)
    assert found.runs == local.runs
    assert Store(tmp_path / "other.db").runs() == Store(tmp_path / "local.db").runs()
    assert not (tmp_path / "other.db.files").exists()


class Junk:
    """An executor whose calls are never made: it gives what it was told to."""

    def __init__(self, gives) -> None:
        self.gives = gives

    def submit(self, call):
        if isinstance(self.gives, Exception):
            raise self.gives
        return self.gives


@pytest.mark.parametrize("result", [(), None, "hello", 7, ("a", "b")])
def test_a_result_that_is_none_is_a_lost_worker(tmp_path, toys, result):
    ended = Future()
    ended.set_result(result)
    found = sweep(toys(1), tmp_path / "runs.db", executor=Junk(ended), show=False)
    ((_, reason),) = found.failures
    assert "was lost (its result is " in reason


@pytest.mark.parametrize(
    ("gives", "said"),
    [
        (None, "submit of Junk gave None; accepted is a call with done and result"),
        (7, "submit of Junk gave 7; accepted is a call with done and result"),
        (RuntimeError("no machines today"), r"the executor is broken \(no machines today\); .*0"),
    ],
)
def test_an_executor_that_takes_no_call_is_one_sentence(tmp_path, toys, gives, said):
    with pytest.raises(StoreError, match=said):
        sweep(toys(1), tmp_path / "runs.db", executor=Junk(gives), show=False)


def test_an_executor_of_submitit_gives_it_too(tmp_path, toys):
    submitit = pytest.importorskip("submitit")
    executor = submitit.AutoExecutor(folder=tmp_path / "jobs", cluster="local")
    executor.update_parameters(timeout_min=5)
    found = sweep(toys(3), tmp_path / "runs.db", executor=executor, workers=2, show=False)
    assert found.runs == on_threads(toys(3), tmp_path / "threads.db").runs


def test_checkpoints_may_lie_in_another_folder_that_is_shared(tmp_path):
    seen = []

    def work(watch):
        seen.append(watch.folder)
        row(watch)

    (tmp_path / "shared").mkdir()
    on_threads([one_row("a", work)], tmp_path / "runs.db", folder=tmp_path / "shared")
    assert seen == [tmp_path / "shared" / "runs.db.files" / "a"]
    assert not list((tmp_path / "shared").iterdir())
    with pytest.raises(StoreError, match="there is no executor; leave it out"):
        sweep([one_row("b", row)], tmp_path / "runs.db", folder=tmp_path)


def test_rows_notes_and_progress_travel_before_the_work_ends(tmp_path, fast):
    store, go = Store(tmp_path / "runs.db"), threading.Event()

    def work(watch):
        watch.say("slow today")
        watch.tell(0.5, 4.0)
        watch.add(Run(1e6, 2e7, "w4", 3.0, key="one"))
        go.wait(60)
        watch.add(Run(1e6, 2e7, "w3", 3.5, key="two"))

    def meanwhile():
        while not store.path.exists() or len(store.runs()) < 1:
            time.sleep(0.01)
        (state,) = store.tasks()
        notes = [said for _, _, said in store.notes()]
        go.set()
        return state.share, state.loss, state.live, notes

    with ThreadPoolExecutor(1) as side:
        future = side.submit(meanwhile)
        found = on_threads([Task("a", ("one", "two"), work, "a")], store.path)
    assert future.result() == (0.5, 4.0, True, ["slow today"])
    assert (found.done, len(found.runs), store.notes()) == (1, 2, [(1, "a", "slow today")])


# ---- death
class Losing(AnyExecutor):
    """An engine that loses the first calls, whose workers go on and come back late."""

    def __init__(self, pool: ThreadPoolExecutor, times: int) -> None:
        super().__init__(pool, 2)
        self.times, self.late = times, []

    def submit(self, errands):
        handles = []
        for errand in errands:
            if self.times:
                self.times -= 1
                lost: Future = Future()
                lost.set_exception(ConnectionError("the node went away"))
                self.late.append(errand)
                handles.append(lost)
            else:
                handles.append(self.executor.submit(errand))
        return handles


def test_a_node_that_is_lost_and_comes_back_late_changes_nothing(tmp_path, toys, capfd):
    whole = on_threads(toys(4), tmp_path / "whole.db").runs
    with ThreadPoolExecutor(2) as pool:
        engine = Losing(pool, 3)
        found = sweep(toys(4), tmp_path / "runs.db", executor=engine)
        before = (tmp_path / "runs.db").read_bytes()
        late = [letter for errand in engine.late for letter in errand()]
    assert [letter.how for letter in late] == ["done"] * 3
    assert (tmp_path / "runs.db").read_bytes() == before
    assert (found.done, found.runs) == (4, whole)
    assert "was lost (ConnectionError: the node went away)" in capfd.readouterr().err


def test_a_task_whose_workers_are_always_lost_fails_alone(tmp_path):
    tasks = [one_row("a", row, flops=2.0), one_row("b", row)]

    class Always(Losing):
        def submit(self, errands):
            self.times = sum(each.sent.tasks[0][0].key == "a" for each in errands)
            return super().submit(errands)

    with ThreadPoolExecutor(1) as pool:
        engine = Always(pool, 0)
        engine.at_once = 1
        found = sweep(tasks, tmp_path / "runs.db", executor=engine, show=False)
    assert found.done == 1
    assert found.failures[0][1].startswith(
        "its worker died 5 times at 0% of the work; the last was"
    )


def test_a_late_letter_of_a_lost_claim_is_not_kept(tmp_path):
    """The store refuses what comes under a claim that no longer holds, rows and all."""
    post = FolderPost(tmp_path / "runs.db")
    task = one_row("a", lambda watch: row(watch, 9.0))
    sent = Sent(((task, frozenset()),))
    first, second = (Errand(name, post.path, sent, post) for name in ("old:1", "new:2"))
    (old,), (new,) = first(), second()
    assert post.tell(replace(old, how="running", number=1))
    assert post.tell(replace(new, how="running", number=1))
    assert not post.tell(replace(old, how="running", number=2))  # another has written since
    assert post.tell(replace(new, how="running", number=2))
    post.lose("a", "new:2")
    assert not post.tell(replace(new, how="running", number=3))
    post.ended("a")
    assert [each.name for each in (tmp_path / "runs.db.files" / "a").iterdir()] == [".isoloss-task"]


def test_a_damaged_letter_is_no_letter(tmp_path):
    post = FolderPost(tmp_path / "runs.db")
    assert post.tell(Letter("a", "x", "w", 1, share=0.5))
    assert [letter.share for letter in post.heard(["a", "b"])] == [0.5]
    assert post.heard(["a"]) == []
    file = tmp_path / "runs.db.files" / "a" / ".letter"
    file.write_bytes(file.read_bytes()[:20])
    assert post.heard(["a"]) == []


def test_a_row_that_differs_fails_its_task_while_it_works(tmp_path, fast):
    store = Store(tmp_path / "runs.db")
    store.add("x", Run(1e6, 2e7, "w4", 2.0, key="one"))

    def work(watch):
        watch._added.clear()
        watch.add(Run(1e6, 2e7, "w4", 3.0, key="one"))
        watch.add(Run(1e6, 2e7, "w4", 3.0, key="two"))

    found = on_threads([Task("a", ("one", "two"), work, "a")], store.path)
    ((_, reason),) = found.failures
    assert "row one is in the store with loss 2.0 and comes again with 3.0" in reason


# ---- leaving in time
def test_work_that_must_leave_keeps_a_checkpoint_and_goes_on(tmp_path):
    tries, told = [], threading.Event()

    def work(watch):
        state = watch.folder / "state"
        step = int(state.read_text()) if state.exists() else 0
        tries.append(step)
        while step < 400:
            step += 1
            watch.tell(step / 400)
            if watch.leaving:
                state.write_text(str(step))
            if step == 5:
                told.set()
            time.sleep(0.01)
        row(watch)

    post = FolderPost(tmp_path / "runs.db")
    errand = Errand("sweep:1", post.path, Sent(((one_row("a", work), frozenset()),)), post)
    with ThreadPoolExecutor(1) as pool:
        job = slurm_module.Leavable(errand)
        future = pool.submit(job)
        told.wait(60)
        errand.leave()
        (letter,) = future.result()
    assert letter.how == "left"
    (again,) = Errand("sweep:2", post.path, errand.sent, post)()
    assert (again.how, len(again.rows)) == ("done", 1)
    assert tries[0] == 0
    assert 5 <= tries[1] < 400


# ---- calls that go on without their driver
LEFT = """
import sys
from benchmarks.toy_mill import toys
from isoloss.runs import sweep
sweep(toys(2, 300, 0.02), sys.argv[1], executor="submitit-local", workers=2, show=False)
"""


def test_a_driver_that_is_killed_takes_its_jobs_up_again(tmp_path, toys, capfd):
    pytest.importorskip("submitit")
    path = tmp_path / "runs.db"
    process = subprocess.Popen([sys.executable, "-c", LEFT, str(path)], start_new_session=True)
    while not path.exists() or not any(task.share > 0 for task in Store(path).tasks()):
        time.sleep(0.05)
        assert process.poll() is None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    left = sorted((tmp_path / "runs.db.files" / "isoloss-under-way").iterdir())
    found = sweep(toys(2, 300, 0.02), path, executor="submitit-local", workers=2)
    assert len(left) == 2
    assert "2 jobs of an earlier sweep taken up" in capfd.readouterr().err
    assert (found.done, found.failures) == (2, ())
    assert found.runs == on_threads(toys(2, 300), tmp_path / "whole.db").runs
    assert not (tmp_path / "runs.db.files").exists()


# ---- by name
def test_engines_by_name(monkeypatch):
    engine = engine_named("ray:1.2.3.4:6379", Asked(gpus_per_task=0.25))
    assert isinstance(engine, Ray)
    assert (engine.address, engine.gpus_per_task) == ("1.2.3.4:6379", 0.25)
    slurm = engine_named("slurm", Asked(partition="gpu", time="90min", gpus_per_task=1, at_once=8))
    assert isinstance(slurm, Slurm)
    assert (slurm.places(), slurm.minutes) == (8, 90)
    pool = ThreadPoolExecutor(3)
    register_engine("mine", lambda asked: pool)
    try:
        mine = engine_named("mine:somewhere")
        assert isinstance(mine, AnyExecutor)
        assert (mine.executor, mine.places()) == (pool, 3)
    finally:
        ENGINES.remove("mine")
        pool.shutdown()


@pytest.mark.parametrize(
    ("name", "asked", "sentence"),
    [
        ("rya", {}, "unknown engine 'rya'; did you mean 'ray'"),
        ("ray", {"partition": "gpu"}, "the engine 'ray' knows no partition ('gpu'); leave it out"),
        (
            "ray",
            {"more": {"account": "lab", "qos": "low"}},
            "the engine 'ray' knows no options of sbatch ('account', 'qos'); leave it out",
        ),
        ("slurm:host", {}, "the engine 'slurm' knows no address ('host'); leave it out"),
        ("slurm", {"gpus_per_task": 0.25}, "gpus_per_task is 0.25 on Slurm, which gives whole"),
        ("slurm", {"more": {"time": "3"}}, "sbatch option 'time' is set by isoloss, whose"),
        ("slurm", {"more": {"no-requeue": "1"}}, "sbatch option 'no_requeue' is set by isoloss"),
        ("slurm", {"time": "soon"}, "time is 'soon'; accepted are limits such as 4h, 90min, 2d"),
        ("slurm", {"time": "0h"}, "time is '0h'; accepted are limits such as 4h, 90min, 2d"),
    ],
)
def test_what_an_engine_cannot_do(name, asked, sentence):
    with pytest.raises(StoreError) as error:
        engine_named(name, Asked(**asked))
    assert str(error.value).startswith(sentence)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Ray(cpus_per_task=0), "cpus_per_task and gpus_per_task are 0; accepted is a"),
        (lambda: Ray(cpus_per_task=-1), "cpus_per_task is -1; accepted is a number of 0 or more"),
        (lambda: Ray(cpus_per_task=math.inf), "cpus_per_task is inf; accepted is a number of"),
        (lambda: Ray(gpus_per_task=math.nan), "gpus_per_task is nan; accepted is a number of"),
        (lambda: Ray(at_once=0), "at_once is 0; accepted is a whole number above 0"),
        (lambda: Slurm(at_once=-2), "at_once is -2; accepted is a whole number above 0"),
        (lambda: Slurm(cpus_per_task=0), "cpus_per_task is 0; accepted is a whole number above 0"),
        (lambda: Slurm(gpus_per_task=math.inf), "gpus_per_task is inf; accepted is a number of"),
        (lambda: Slurm(gpus_per_task=-1), "gpus_per_task is -1; accepted is a number of 0 or"),
        (lambda: AnyExecutor(None, 0), "at_once is 0; accepted is a whole number above 0"),
        (lambda: AnyExecutor(None, 1.5), "at_once is 1.5; accepted is a whole number above 0"),
    ],
)
def test_settings_that_no_engine_can_have(make, sentence):
    with pytest.raises(StoreError) as error:
        make()
    assert str(error.value).startswith(sentence)


def test_devices_alone_are_enough_for_a_task_of_ray():
    assert Ray(gpus_per_task=0.5, cpus_per_task=0).cpus_per_task == 0


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        *(("4h", 240), ("90min", 90), ("30 s", 0.5), ("1.5d", 2160)),
        *(("2:30", 2.5), ("02:00:00", 120), ("1-12:00:00", 2160)),
    ],
)
def test_time_limits(text, minutes):
    assert slurm_module.minutes_of(text) == minutes


def test_a_package_that_is_not_installed_is_named(tmp_path, toys, monkeypatch):
    for name, extra in (("ray", "ray"), ("submitit-local", "slurm")):
        monkeypatch.setitem(sys.modules, name.partition("-")[0], None)
        with pytest.raises(StoreError, match=rf"pip install 'isoloss\[{extra}\]'"):
            sweep(toys(1), tmp_path / "runs.db", executor=name, show=False)


def test_nothing_of_an_engine_is_imported_unless_asked():
    code = (
        "import sys, isoloss.runs, isoloss.lm.sweeps; from isoloss.runs import Ray, Slurm; "
        "Ray(), Slurm(); print({'ray', 'submitit', 'cloudpickle'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


WORK = """
from isoloss.runs import Run

def told(watch):
    watch.add(Run(1e6, 2e7, "w4", 3.0, key=min(watch.missing)))
"""


def test_a_module_of_ones_own_travels_by_its_reference(tmp_path):
    """The call is unpickled where nobody imported the module, as on another machine."""
    (tmp_path / "far_things.py").write_text(WORK)
    use(str(tmp_path / "far_things.py"))
    work = sys.modules["far_things"].told
    post = FolderPost(tmp_path / "runs.db")
    errand = Errand("s:1", post.path, Sent(((one_row("a", work), frozenset()),)), post)
    (tmp_path / "errand").write_bytes(pickle.dumps(errand))
    code = "import pickle, sys; print(pickle.load(open(sys.argv[1], 'rb'))()[0])"
    words = [sys.executable, "-c", code, str(tmp_path / "errand")]
    here = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "how='done'" in here.stdout
    (tmp_path / "far_things.py").unlink()
    gone = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "how='store'" in gone.stdout
    assert "a worker cannot use module" in gone.stdout


def test_two_drivers_on_one_store_leave_each_other_their_jobs(tmp_path, toys, capfd):
    """The first ends while jobs of the second work: their files stay."""
    pytest.importorskip("submitit")
    path, (quick, slow) = tmp_path / "runs.db", toys(2, 150, 0.02)
    quick = replace(quick, work=replace(quick.work, steps=5))
    with ThreadPoolExecutor(1) as side:
        second = side.submit(sweep, [slow], path, executor=Slurm(local=True))
        while not list(tmp_path.glob("runs.db.files/isoloss-under-way/*.json")):
            time.sleep(0.02)
        assert sweep([quick], path, executor=Slurm(local=True), show=False).done == 1
        assert len(list(tmp_path.glob("runs.db.files/isoloss-jobs/*_submitted.pkl"))) == 1
        assert second.result().done == 1
    assert "was lost" not in capfd.readouterr().err
    assert not (tmp_path / "runs.db.files").exists()


def test_files_of_jobs_of_slurm_are_removed_and_no_others(tmp_path):
    submitit = pytest.importorskip("submitit")
    engine = Slurm()
    engine._executor = type("Executor", (), {"folder": tmp_path / "jobs"})
    engine._executor.folder.mkdir()
    for name in ("7_submission.sh", "7_0_submitted.pkl", "7_0_0_log.out", "70_0_submitted.pkl"):
        (engine._executor.folder / name).touch()
    (engine._executor.folder / ".submission_file_a.sh").symlink_to("7_submission.sh")
    job = engine.again("7_0").job
    assert type(job) is submitit.SlurmJob
    engine.stop(False)
    assert len(list(engine._executor.folder.iterdir())) == 5
    engine.stop(True)
    assert [file.name for file in engine._executor.folder.iterdir()] == ["70_0_submitted.pkl"]


def test_a_job_of_this_machine_is_known_by_its_process_not_by_its_number(tmp_path):
    """A number that another process has by now is no job that goes on."""
    pytest.importorskip("submitit")
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    engine = Slurm(local=True)
    engine._executor = type("Executor", (), {"folder": tmp_path})
    there = Owner.of(child.pid)
    same, other = (
        engine.again(f"7 {owner}") for owner in (there, replace(there, start=f"{there.start}1"))
    )
    assert same._goes_on()
    assert not other._goes_on()
    child.communicate(b"\n")
    assert not same._goes_on()
    assert Owner.of(child.pid).gone


def test_what_a_driver_read_does_not_travel_with_its_calls(tmp_path):
    post = FolderPost(tmp_path / "runs.db")
    assert post.tell(Letter("a", "x", "w", 1))
    assert len(post.heard(["a"])) == 1
    assert post.heard(["a"]) == []
    assert len(pickle.loads(pickle.dumps(post)).heard(["a"])) == 1


def test_whether_workers_share_the_memory_of_this_machine():
    with ThreadPoolExecutor(1) as pool:
        engines = (AnyExecutor(pool), AnyExecutor(Submits()), Ray(), Slurm(), Slurm(local=True))
    assert [engine.here for engine in engines] == [True, False, False, False, True]


def test_an_engine_that_lacks_a_part_is_no_executor(tmp_path, toys):
    """It would be asked for none of what it does beside submitting."""

    class Mine:
        name, every, stays, most = "mine", 1.0, True, 1

        def start(self, store: Path) -> None: ...

        def places(self) -> None: ...

        def submit(self, errands: object) -> None: ...

    with pytest.raises(
        StoreError, match="Mine begins as an engine and has no here, reference, again"
    ):
        sweep(toys(1), tmp_path / "runs.db", executor=Mine(), show=False)
