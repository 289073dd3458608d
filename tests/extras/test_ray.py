"""Sweeps on a real Ray of three nodes on this machine; nodes and drivers are killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from isoloss.runs import Ray, Run, Store, Task, sweep

pytestmark = [
    pytest.mark.extras,
    pytest.mark.filterwarnings("ignore"),  # of Ray and its subprocesses
]
ray = pytest.importorskip("ray")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def nodes():
    sys.path.insert(0, str(ROOT))
    from benchmarks.on_engines import Nodes

    with Nodes() as cluster:
        yield cluster
    sys.path.remove(str(ROOT))


@pytest.fixture
def toys(nodes):
    from benchmarks.toy_mill import toys

    return toys


def test_the_table_is_that_of_the_local_pool(tmp_path, nodes, toys):
    local = sweep(toys(6, 60), tmp_path / "local.db", workers=2, show=False)
    found = sweep(toys(6, 60), tmp_path / "ray.db", executor=Ray(nodes.address), show=False)
    assert (found.done, found.runs) == (6, local.runs)
    assert Store(tmp_path / "ray.db").runs() == Store(tmp_path / "local.db").runs()
    assert not (tmp_path / "ray.db.files").exists()
    assert not ray.is_initialized()


def test_progress_is_live(tmp_path, nodes, toys):
    store = Store(tmp_path / "runs.db")
    words = [sys.executable, "-m", "benchmarks.on_engines", "--sweep"]
    driver = subprocess.Popen([*words, str(store.path), nodes.address], cwd=ROOT)
    shares: set[float] = set()
    try:
        while len(shares) < 3:
            assert driver.poll() is None
            if store.path.exists():
                shares |= {task.share for task in store.tasks() if 0 < task.share < 1}
            time.sleep(0.1)
    finally:
        driver.kill()
        driver.wait()


def test_a_call_that_ray_makes_again_keeps_its_rows(tmp_path, nodes):
    """Its worker is killed in its second row, once; the first one is not done again."""
    tried = tmp_path / "tried"

    def work(watch):
        for key in ("one", "two"):
            if key in watch.missing:
                with tried.open("a") as file:
                    file.write(f"{key} ")
                if tried.read_text() == "one two ":
                    os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(0.3)  # rows of work that takes longer than a moment travel at once
                watch.add(Run(1e6, 2e7, "w4", 3.0, key=key))

    tasks = [Task("a", ("one", "two"), work, "a")]
    found = sweep(tasks, tmp_path / "runs.db", executor=Ray(nodes.address), show=False)
    assert (found.done, len(found.runs)) == (1, 2)
    assert tried.read_text() == "one two two "


def test_random_deaths_lose_no_run(tmp_path, nodes):
    from benchmarks.on_engines import deaths

    found = dict(deaths(tmp_path, nodes, 4))
    assert found["columns with any other bit"] == "none"
    assert found["rows in its table, of these once"] == "96, 96"
