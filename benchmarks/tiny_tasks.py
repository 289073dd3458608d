"""Tiny tasks through the store: how many a second on two cores, and how often the disk is flushed
for one.

Flushes are counted by strace where it is there, in a run of its own; in another, each takes 5 ms
more, as on a slower disk. ``python -m benchmarks.tiny_tasks [TASKS]``.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.timing import asked, table
from benchmarks.toy_mill import toys
from isoloss.runs import sweep

ROOT = Path(__file__).parents[1]
TASKS, WORKERS = 3000, 2
FLUSHES = "fsync,fdatasync"
SLOWER = 5000  # microseconds


def timed(count: int, folder: str, around: tuple[str, ...] = ()) -> float:
    """Seconds that a sweep over tiny tasks takes in a process of its own, start of workers and
    all.
    """
    with tempfile.TemporaryDirectory(dir=folder) as place:
        words = [sys.executable, "-m", "benchmarks.tiny_tasks", "--sweep", str(count), place]
        out = subprocess.run([*around, *words], cwd=ROOT, check=True, capture_output=True)
    return float(out.stdout)


def flushes(count: int, folder: str, *more: str) -> tuple[int, float]:
    """How often a sweep flushes the disk, and the seconds that it takes under strace."""
    with tempfile.NamedTemporaryFile("r", dir=folder) as log:
        words = ("strace", "-f", "-qq", "-o", log.name, "-e", f"trace={FLUSHES}", *more)
        took = timed(count, folder, words)
        return sum("sync(" in line for line in log), took


def _spent() -> float:
    """Processor seconds of all processes that this one started and that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(count: int = TASKS) -> None:
    with tempfile.TemporaryDirectory() as folder:
        rate, spent = count / timed(count, folder), _spent()
        rows = [
            ["tasks a second, start of the workers and all", f"{rate:.0f}"],
            ["processor ms a task, of all processes", f"{1e3 * spent / count:.1f}"],
        ]
        if shutil.which("strace"):
            number, _ = flushes(count, folder)
            delay = f"inject={FLUSHES}:delay_exit={SLOWER}"
            _, slow = flushes(count, folder, "-e", delay)
            rows += [
                ["flushes of the disk a task", f"{number / count:.2f}"],
                ["tasks a second where each takes 5 ms more", f"{count / slow:.0f}"],
            ]
        else:
            rows += [["flushes of the disk a task", "unknown: strace is not here"]]
    print(f"### {count} tasks of four rows each, {WORKERS} workers\n")
    print(table(["what", "found"], rows), "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--sweep"]:
        began = time.perf_counter()
        found = sweep(toys(int(sys.argv[2]), 1), Path(sys.argv[3]) / "runs.db", workers=WORKERS)
        if (found.done, len(found.runs)) != (int(sys.argv[2]), 4 * int(sys.argv[2])):
            raise SystemExit(f"not every task was done once: {found}")
        print(time.perf_counter() - began)
    else:
        main(*asked(__doc__, sys.argv[1:], int))
