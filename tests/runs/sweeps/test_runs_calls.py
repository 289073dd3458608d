"""Calls of an engine that are made again, given back, refused or lost at birth: what is kept, what
is said.
"""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import pytest
from toy_tasks import one_row, row

from isoloss.runs import AnyExecutor, Run, RunsWarning, Store, StoreError, Task, sweep
from isoloss.runs.sweeps import under_way as under_way_module
from isoloss.runs.sweeps import working as working_module
from isoloss.runs.sweeps.engines import Driver, Errand, FolderPost, Letter
from isoloss.runs.sweeps.engines import driver as driver_module
from isoloss.runs.sweeps.engines import errand as errand_module
from isoloss.runs.sweeps.engines import slurm as slurm_module
from isoloss.runs.sweeps.engines.call_notes import CallNotes
from isoloss.runs.sweeps.engines.errand import Sent
from isoloss.runs.sweeps.working import Orders


@pytest.fixture
def fast(monkeypatch):
    for module in (working_module, driver_module, errand_module, under_way_module):
        monkeypatch.setattr(module, "BEAT", 0.02)


# ---- calls that are made again, and folders that nobody can write
def branches(tried: list, pause: float = 0.0):
    """Work of two rows, each trained only where it is missing."""

    def work(watch):
        for key in ("one", "two"):
            if key in watch.missing:
                tried.append(key)
                watch.say(f"{key} begins")
                watch.add(Run(1e6, 2e7, "w4", 3.0, key=key))
            for _ in range(40 if key == "one" else 0):
                watch.tell(0.5)
                time.sleep(pause)

    return Task("a", ("one", "two"), work, "a")


def test_a_job_that_is_queued_again_keeps_the_rows_it_finished(tmp_path):
    """Also where the driver is away and hears the last letter alone."""
    tried = []
    post = FolderPost(tmp_path / "runs.db")
    sent = Sent(((branches(tried, 0.02), frozenset()),))
    errand = Errand("sweep:1", post.path, sent, post)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(slurm_module.Leavable(errand))
        while not tried:
            time.sleep(0.01)
        errand.leave()
        (first,) = future.result()
    (second,) = Errand("sweep:1", post.path, sent, post)()
    assert (first.how, second.how, tried) == ("left", "done", ["one", "two"])
    assert [row.key for row in second.rows] == ["one", "two"]
    assert second.notes == ("one begins", "two begins")
    assert second.seconds > first.seconds > 0
    assert first.writer in second.before
    (other,) = Errand("sweep:2", post.path, sent, post)()  # another call knows nothing of them
    assert (len(other.rows), tried) == (2, ["one", "two", "one", "two"])


def test_what_a_call_says_again_is_written_down_once(tmp_path):
    store, made = Store(tmp_path / "runs.db"), []

    class Twice(AnyExecutor):
        """Makes every call twice, as where a node is lost; the driver hears of both."""

        def submit(self, errands):
            for errand in errands:
                (letter,) = errand()
                errand.post.tell(replace(letter, how="running", number=1))
                made.append(letter)
            return super().submit(errands)

    with ThreadPoolExecutor(1) as pool:
        found = sweep([branches([])], store.path, executor=Twice(pool, 1), show=False)
    assert found.done == len(made) == 1
    assert [said for _, _, said in store.notes()] == ["one begins", "two begins"]


@pytest.mark.parametrize("needs", [False, True])
def test_a_folder_that_workers_cannot_write_ends_the_task(tmp_path, fast, needs):
    """A file stands where the folder of tasks should be; letters never arrive."""
    calls, far = [], tmp_path / "far.db"
    (tmp_path / "far.db.files").write_text("in the way")

    def work(watch):
        for step in range(20):
            watch.tell(step / 20)
            time.sleep(0.01)
        if needs:
            (watch.folder / "state").touch()
        row(watch)

    class Far(AnyExecutor):
        def submit(self, errands):
            calls.extend(errands)
            return super().submit(
                [replace(each, path=far, post=FolderPost(far)) for each in errands]
            )

    with ThreadPoolExecutor(1) as pool:
        engine = Far(pool, 1)
        found = sweep([one_row("a", work)], tmp_path / "runs.db", executor=engine, show=False)
    assert len(calls) == 1
    assert (found.done, len(found.failures)) == ((0, 1) if needs else (1, 0))
    said = [sentence for _, _, sentence in Store(tmp_path / "runs.db").notes()]
    assert len(said) == 1
    assert said[0].startswith("no letter of its worker arrived (")
    if needs:
        assert str(tmp_path / "far.db.files") in found.failures[0][1]


def test_tasks_behind_a_slow_one_are_given_back_while_it_works(tmp_path, fast, monkeypatch):
    """Two tasks in one call: the second is done by another worker before the first ends."""
    go = threading.Event()

    def slow(watch):
        assert go.wait(60)
        row(watch)

    def quick(watch):
        row(watch)
        go.set()

    tasks = [one_row("warm", row, flops=3.0), one_row("a", slow, flops=2.0), one_row("b", quick)]
    monkeypatch.setattr(under_way_module.Portions, "size", lambda *_: 3)
    with ThreadPoolExecutor(2) as pool:
        engine = AnyExecutor(pool, 2)
        found = sweep(tasks, tmp_path / "runs.db", executor=engine, show=False)
    assert (found.done, found.failures) == (3, ())


def test_work_that_always_leaves_without_getting_further_fails(tmp_path):
    tries = []

    def work(watch):
        tries.append(1)
        watch.lose()
        watch.tell(0.0)

    with ThreadPoolExecutor(1) as pool:
        found = sweep([one_row("a", work)], tmp_path / "runs.db", executor=pool, show=False)
    assert found.failures == (("a", "its worker gave it back 5 times at 0% of the work"),)
    assert len(tries) == 5


# ---- engines that raise
class Gone(AnyExecutor):
    """An engine that is told what to raise, and where."""

    def __init__(self, pool, at_once: int, **raises) -> None:
        super().__init__(pool, at_once)
        self.raises, self.calls = raises, []

    def _maybe(self, where: str) -> None:
        if where in self.raises and len(self.calls) >= self.raises.get("after", 0):
            raise self.raises[where]

    def places(self):
        self._maybe("places")
        return super().places()

    def submit(self, errands):
        for errand in errands:
            self._maybe("submit")
            (handle,) = super().submit([errand])
            self.calls.append(handle)
            yield handle

    def stop(self, done):
        self._maybe("stop")


def states(path) -> list[str]:
    return [task.state for task in Store(path).tasks()]


def test_calls_before_one_that_is_refused_learn_that_nobody_waits(tmp_path, fast):
    ended, begun = [], threading.Event()

    def work(watch):
        begun.set()
        try:
            for _ in range(3000):
                watch.tell(0.5)
                time.sleep(0.01)
        finally:
            ended.append(watch.share)

    with ThreadPoolExecutor(1) as pool:
        engine = Gone(pool, 2, submit=RuntimeError("scheduler said no"), after=1)
        tasks = [one_row("a", work), one_row("b", row)]
        with pytest.raises(StoreError, match=r"the executor is broken \(scheduler said no\); 0 of"):
            sweep(tasks, tmp_path / "runs.db", executor=engine, show=False)
        assert begun.wait(60)
        (letter,) = engine.calls[0].result(timeout=20)
    assert (letter.how, ended) == ("left", [0.5])
    assert states(tmp_path / "runs.db") == ["waiting", "waiting"]


def test_an_engine_that_cannot_be_stopped_keeps_no_claim(tmp_path):
    gone = ConnectionError("cluster is gone")
    engine = Gone(None, 1, submit=RuntimeError("queue refuses"), stop=gone)
    with pytest.raises(StoreError) as error:
        sweep([one_row("a", row)], tmp_path / "runs.db", executor=engine, show=False)
    assert str(error.value) == (
        "the executor is broken (queue refuses); 0 of 1 tasks are in runs.db; give a new one, the "
        "engine 'executor' could not be stopped (ConnectionError: cluster is gone)"
    )
    assert states(tmp_path / "runs.db") == ["waiting"]


def test_an_engine_that_cannot_be_stopped_after_all_is_a_warning(tmp_path):
    with ThreadPoolExecutor(1) as pool:
        engine = Gone(pool, 1, stop=ConnectionError("cluster is gone"))
        with pytest.warns(RunsWarning, match=r"all is done, and the engine 'executor' could not"):
            found = sweep([one_row("a", row)], tmp_path / "runs.db", executor=engine, show=False)
    assert found.done == 1


def test_an_engine_that_does_not_count_its_places_is_one_sentence(tmp_path):
    engine = Gone(None, 1, places=ConnectionError("no head"))
    with pytest.raises(StoreError, match=r"the executor is broken \(no head\); 0 of 1 tasks"):
        sweep([one_row("a", row)], tmp_path / "runs.db", executor=engine, show=False)


def test_an_engine_that_cannot_begin_is_one_sentence(tmp_path):
    class Late(AnyExecutor):
        def start(self, store):
            raise TimeoutError("no answer")

    with pytest.raises(StoreError, match=r"'executor' cannot begin \(TimeoutError: no answer\)"):
        sweep([one_row("a", row)], tmp_path / "runs.db", executor=Late(None, 1), show=False)


@pytest.mark.parametrize("for_long", [False, True])
def test_a_call_that_is_not_answered_for(tmp_path, monkeypatch, for_long):
    """Once is nothing; for long, its worker is lost, and in the end its task fails alone."""
    monkeypatch.setattr(driver_module, "UNANSWERED", 0.1 if for_long else 60.0)
    made = []

    class Call:
        def __init__(self, call) -> None:
            self.asked, self.call = 0, call
            made.append(self)

        def done(self):
            self.asked += 1
            if for_long or self.asked == 1:
                raise ConnectionError("scheduler is gone")
            return True

        def result(self):
            return self.call()

    submits = type("Submits", (), {"submit": lambda self, call: Call(call)})()
    found = sweep([one_row("a", row)], tmp_path / "runs.db", executor=submits, show=False)
    assert (found.done, len(made)) == ((0, 5) if for_long else (1, 1))
    if for_long:
        assert found.failures[0][1].endswith(
            "the last was lost (ConnectionError: scheduler is gone)"
        )


@pytest.mark.parametrize("at_once", [None, 2])
def test_workers_that_die_at_birth_are_said_once(tmp_path, at_once):
    class Stillborn:
        calls = 0

        def submit(self, errand):
            self.calls += 1
            dead = Future()
            dead.set_exception(ModuleNotFoundError("No module named 'mine'"))
            return dead

    executor = Stillborn()
    tasks = [one_row(f"t{k}", row) for k in range(12)]
    with pytest.raises(StoreError) as error:
        sweep(tasks, tmp_path / "runs.db", executor=executor, workers=at_once, show=False)
    assert str(error.value).startswith("no worker begins to work: each must be able to import")
    assert "(ModuleNotFoundError: No module named 'mine')" in str(error.value)
    assert executor.calls <= 24  # of 60
    assert set(states(tmp_path / "runs.db")) <= {"waiting", "failed"}


def test_workers_that_die_after_one_has_begun_concern_their_task_alone(tmp_path):
    class OneGood:
        def submit(self, errand):
            future = Future()
            if errand.sent.tasks[0][0].key == "good":
                future.set_result(errand())
            else:
                future.set_exception(ModuleNotFoundError("No module named 'mine'"))
            return future

    tasks = [one_row(f"t{k}", row) for k in range(4)] + [one_row("good", row, flops=1.0)]
    found = sweep(tasks, tmp_path / "runs.db", executor=OneGood(), workers=1, show=False)
    assert (found.done, len(found.failures)) == (1, 4)


# ---- engines whose calls stay
class Stays(AnyExecutor):
    """Threads of ours that stand for jobs which outlive their driver."""

    stays, jobs = True, {}

    def __init__(self, pool, name: str = "stays", known: bool = True) -> None:
        super().__init__(pool, 4)
        self.name, self.known = name, known

    def submit(self, errands):
        for errand in errands:
            handle = self.executor.submit(errand)
            self.jobs[str(id(handle))] = handle
            yield handle

    def reference(self, handle):
        return str(id(handle))

    def again(self, reference):
        return self.jobs.get(reference) if self.known else None


def test_notes_of_other_engines_and_other_sweeps_stay(tmp_path, fast):
    go, path = threading.Event(), tmp_path / "runs.db"

    def slow(watch):
        assert go.wait(60)
        row(watch)

    def notes():
        return sorted(each.name for each in (tmp_path / "runs.db.files").glob("*-under-way/*.json"))

    with ThreadPoolExecutor(8) as pool, ThreadPoolExecutor(1) as side:
        try:
            first = side.submit(sweep, [one_row("a", slow)], path, executor=Stays(pool), show=False)
            while not notes():
                time.sleep(0.01)
            before = notes()
            for other, key in ((Stays(pool, known=False), "b"), (Stays(pool, "another"), "c")):
                assert sweep([one_row(key, row)], path, executor=other, show=False).done == 1
                assert notes() == before
            (note,) = CallNotes(path, "stays")
            assert (note.engine, note.tasks) == ("stays", ("a",))
            assert list(CallNotes(path, "another")) == []
        finally:
            go.set()
        assert first.result().done == 1
    assert not (tmp_path / "runs.db.files").exists()


def test_jobs_that_go_on_are_told_of_where_a_sweep_fails(tmp_path):
    """The store is gone in the middle: the sentence says that jobs go on."""
    go, path = threading.Event(), tmp_path / "runs.db"

    def slow(watch):
        go.wait(60)

    class Full(Stays):
        def places(self):
            if self.jobs.pop("sent", None):
                raise StoreError("the disk is full")
            return 4

        def submit(self, errands):
            yield from super().submit(errands)
            self.jobs["sent"] = True

    with ThreadPoolExecutor(2) as pool:
        try:
            with pytest.raises(StoreError, match=r"^the disk is full, 2 jobs of stays go on$"):
                sweep(
                    [one_row("a", slow), one_row("b", slow)],
                    path,
                    executor=Full(pool),
                    show=False,
                )
        finally:
            go.set()
    assert states(path) == ["waiting", "waiting"]


# ---- as many as were asked for
@pytest.mark.parametrize("own", [False, True])
def test_workers_are_the_calls_at_once_of_any_engine(tmp_path, own):
    lock, now, most = threading.Lock(), [], []

    def work(watch):
        with lock:
            now.append(1)
            most.append(len(now))
        time.sleep(0.05)
        with lock:
            now.pop()
        row(watch)

    with ThreadPoolExecutor(8) as pool:
        engine = AnyExecutor(pool) if own else pool
        tasks = [one_row(f"t{k}", work) for k in range(8)]
        found = sweep(tasks, tmp_path / "runs.db", executor=engine, workers=2, show=False)
    assert (found.done, max(most)) == (8, 2)


def test_a_task_that_is_given_back_unbegun_keeps_what_is_known_of_it(tmp_path):
    """A share of an earlier try stays; a notice that cannot be left is no error."""
    store, task = Store(tmp_path / "runs.db"), one_row("a", row)
    store.enter([task])
    store.claim(task, "me:1")
    store.beat("a", "me:1", 0.5, 4.0, 7.0)
    store.release(["a"], "me:1")
    driver = Driver(AnyExecutor(None, 1), store, Orders(store.path, "us", keep=True))
    (flight,) = driver._claimed([[task]], {})
    driver._of_task["a"] = flight
    assert driver._written([Letter("a", flight.attempt, "w", how="left")]) == {}
    (state,) = store.tasks()
    assert (state.state, state.share, state.seconds) == ("waiting", 0.5, 7.0)
    (tmp_path / "far.db.files").write_text("in the way")
    FolderPost(tmp_path / "far.db").lose("a", "us:1")
