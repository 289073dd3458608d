"""Calls of an engine that are made again, given back, refused or lost at birth: what is kept, what
is said.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from isoloss.runs import AnyExecutor, Run, Store, Task, sweep
from isoloss.runs.sweeps import under_way as under_way_module
from isoloss.runs.sweeps import working as working_module
from isoloss.runs.sweeps.engines import Errand, FolderPost
from isoloss.runs.sweeps.engines import driver as driver_module
from isoloss.runs.sweeps.engines import errand as errand_module
from isoloss.runs.sweeps.engines import slurm as slurm_module
from isoloss.runs.sweeps.engines.errand import Sent


@pytest.fixture
def fast(monkeypatch):
    for module in (working_module, driver_module, errand_module, under_way_module):
        monkeypatch.setattr(module, "BEAT", 0.02)


def one_row(key: str, work, **more) -> Task:
    return Task(key, (f"row-{key}",), work, key, **more)


def row(watch, loss: float = 3.0) -> None:
    (key,) = watch.missing
    watch.add(Run(1e6, 2e7, "w4", loss, key=key))


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
