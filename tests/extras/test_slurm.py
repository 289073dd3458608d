"""Sweeps on a real Slurm, which tests/extras/slurm.sh starts where it may (make test-extras)."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from isoloss.runs import Slurm, Store, sweep

ROOT = Path(__file__).parents[2]
LEFT = """
import sys
from benchmarks.on_engines import toys
from isoloss.runs import Slurm, sweep
sweep(toys(3, 900, 0.02), sys.argv[1], executor=Slurm(time="5min"))
"""


def missing() -> str:
    """Why there is no Slurm to test with, "" where there is."""
    if not shutil.which("sbatch"):
        return "slurm is not installed (tests/extras/slurm.sh installs it where it may)"
    done = subprocess.run(["sinfo"], capture_output=True, text=True, check=False, timeout=20)
    return f"slurm does not answer: {done.stderr.strip()}" if done.returncode else ""


pytestmark = [pytest.mark.extras, pytest.mark.skipif(bool(missing()), reason=missing())]
pytest.importorskip("submitit")


@pytest.fixture
def shared(monkeypatch):
    """A folder that jobs see: they may have a /tmp of their own."""
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'src'}")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        yield Path(folder)


def toys(*how):
    from benchmarks.toy_mill import toys

    return toys(*how)


def test_the_table_is_that_of_the_local_pool(shared):
    local = sweep(toys(4, 60), shared / "local.db", workers=2, show=False)
    found = sweep(toys(4, 60), shared / "runs.db", executor=Slurm(time="5min"), show=False)
    assert (found.done, found.runs) == (4, local.runs)
    assert not (shared / "runs.db.files").exists()


def left_alone(path: Path) -> None:
    """Start a sweep, and kill its driver once a job works."""
    driver = subprocess.Popen([sys.executable, "-c", LEFT, str(path)], cwd=ROOT)
    while not path.exists() or not any(task.share > 0 for task in Store(path).tasks()):
        time.sleep(0.2)
        assert driver.poll() is None
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()


def numbers(*more: str) -> list[str]:
    """Jobs of sweeps in the queue: others than those of this test too."""
    words = ["squeue", "--me", "--noheader", "--array", "--name=isoloss", "--format=%i", *more]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()


def test_the_driver_leaves_and_comes_back_a_job_is_cancelled_another_queued_again(shared, capfd):
    path, others = shared / "runs.db", set(numbers())
    left_alone(path)
    jobs = set(numbers()) - others
    working = next(job for job in numbers("--states=RUNNING") if job in jobs)
    assert len(jobs) == 3
    waits = next(job for job in numbers("--states=PENDING") if job in jobs)
    subprocess.run(["scancel", waits], check=True)
    # As before the time limit. A job that is queued again while scancel still waits for its answer
    # makes it fail, so that the queue is asked instead.
    subprocess.run(["scancel", "--signal=USR2", working], check=False)
    while working not in numbers("--states=PENDING"):
        assert working in numbers()
        time.sleep(0.5)
    # Slurm lets a job that was queued again wait for two minutes; not here.
    subprocess.run(["scontrol", "update", f"JobId={working}", "StartTime=now"], check=True)
    found = sweep(toys(3, 900, 0.02), path, executor=Slurm(time="5min"))
    said = capfd.readouterr().err
    assert "3 jobs of an earlier sweep taken up" in said
    assert "left no result" in said  # of the one that was cancelled
    assert (found.done, found.failures) == (3, ())
    whole = sweep(toys(3, 900), shared / "whole.db", workers=2, show=False)
    assert found.runs == whole.runs
    assert not jobs & set(numbers())


def test_a_job_leaves_before_its_time_limit_and_goes_on_after(shared):
    """A minute's limit for more than a minute of work: the job is queued again by itself."""
    tasks = toys(1, 2000, 0.045)
    engine = Slurm(time="1min")
    found = sweep(tasks, shared / "runs.db", executor=engine, show=False)
    assert (found.done, found.failures) == (1, ())
    assert found.runs == sweep(toys(1, 2000), shared / "whole.db", workers=1, show=False).runs
