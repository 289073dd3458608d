"""Sweeps beyond one machine: the 72 runs (small) on every engine, deaths on Ray, the driver's pace.

Tables must be equal to the last bit: local pool, Ray with three local nodes, Slurm (or submitit's
local processes), four shards. Then random deaths of workers, nodes and the driver, a node that
comes back late, and tasks a second beside plain Ray. Needs the extras ray and slurm.
``python -m benchmarks.on_engines [DEATHS]``.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.sweep_killed import _alive, _differing
from benchmarks.timing import asked, table
from benchmarks.toy_mill import toys
from isoloss.lm import Recipe
from isoloss.lm.sweeps import jobs_of, tasks_of
from isoloss.runs import (
    Grid,
    Ray,
    Runs,
    RunsError,
    Slurm,
    Store,
    Task,
    join_stores,
    shard_of,
    sweep,
)

ROOT = Path(__file__).parents[1]
DEATHS, NODES, STORE = 20, 3, 80 * 2**20
#: Nodes that do not answer for a few seconds are held for dead, so that the study takes minutes.
QUICKLY = {
    "health_check_initial_delay_ms": 1000,
    "health_check_period_ms": 1000,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 4,
}
KINDS = ("worker", "node", "driver")
TINY = 3000


def small() -> list[Task]:
    """The sweep of 72 runs with tiny models: 24 tasks."""
    grid = Grid(
        params=["4k", "8k"],
        tokens=["10k", "20k", "30k"],
        precision=["fp", "w2", "w3", "w4", "w8", "w4 a4 kv4"],
        seed=[0, 1],
        schedule="wsd",
        warmup=3,
    )
    return tasks_of(jobs_of(grid, recipe=Recipe(validation=32)), ["w2", "w3", "w4", "w6", "w8"])


def slow() -> list[Task]:
    """Tasks of some seconds each, with checkpoints, for the deaths."""
    return toys(60, 300, 0.01)


class Nodes:
    """A Ray of three nodes on this machine, of which nodes may be killed."""

    def __enter__(self) -> Nodes:
        from ray.cluster_utils import Cluster

        logging.getLogger("ray").setLevel(logging.ERROR)
        size = {"num_cpus": 1, "object_store_memory": STORE}
        self._size = size
        self.cluster = Cluster(
            initialize_head=True, head_node_args=size | {"_system_config": QUICKLY}
        )
        self.others = [self.cluster.add_node(**size) for _ in range(NODES - 1)]
        self.address = str(self.cluster.address)
        return self

    def __exit__(self, *_: object) -> None:
        self.cluster.shutdown()

    def kill_node(self, rng: random.Random) -> None:
        """Kill one that is not the head, and add another."""
        node = self.others.pop(rng.randrange(len(self.others)))
        with contextlib.suppress(Exception):
            self.cluster.remove_node(node, allow_graceful=False)
        self.others.append(self.cluster.add_node(**self._size))

    def freeze(self, seconds: float) -> int:
        """Stop a node for some time, with all that it runs; how many processes."""
        raylet = self.others[0].all_processes["raylet"][0].process.pid
        processes = [raylet, *_below(raylet)]
        for each, number in ((signal.SIGSTOP, 0), (signal.SIGCONT, 1)):
            for pid in processes:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, each)
            time.sleep(0 if number else seconds)
        return len(processes)

    def workers(self) -> list[int]:
        """The processes that work on a call, of this cluster alone."""
        return [pid for pid in _below(os.getpid()) if _words(pid).startswith("ray::_made")]


def _words(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def _below(pid: int) -> list[int]:
    """The processes that a process has started, and those of these."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            parents.setdefault(parent, []).append(int(folder.name))
    found, new = [], [pid]
    while new:
        new = [child for each in new for child in parents.get(each, [])]
        found += new
    return found


# ---- equal tables
def tables(folder: Path, nodes: Nodes) -> list[list[object]]:
    """Rows, differing columns and seconds of the small sweep on each engine."""
    found: dict[str, tuple[Runs, float]] = {}

    def timed(name: str, call: Any) -> None:
        began = time.perf_counter()
        path = call()
        found[name] = Store(path).runs(), time.perf_counter() - began
        print(f"{name}: {found[name][1]:.0f} s", file=sys.stderr, flush=True)

    def swept(name: str, **how: Any) -> Path:
        sweep(small(), folder / f"{name}.db", show=False, **how)
        return folder / f"{name}.db"

    timed("local pool, 2 workers", lambda: swept("local", workers=2))
    timed(f"Ray, {NODES} nodes", lambda: swept("ray", executor=Ray(nodes.address)))
    if _slurm():
        timed("Slurm, 1 node", lambda: swept("slurm", executor=Slurm(time="30min")))
    else:
        timed("submitit, local", lambda: swept("submitit", executor=Slurm(local=True)))

    def shards() -> Path:
        parts = [folder / f"part{k}.db" for k in range(1, 5)]
        for k, part in enumerate(parts, 1):
            sweep(shard_of(small(), f"{k}/4"), part, workers=2, show=False)
        return join_stores(parts, folder / "joined.db").path

    timed("4 shards, joined", shards)
    first, _ = next(iter(found.values()))
    rows: list[list[object]] = []
    for name, (runs, took) in found.items():
        differing = ", ".join(_differing(first, runs)) or "none"
        rows.append([name, len(runs), differing, f"{took:.0f}"])
        if differing != "none" or runs["key"].tolist() != first["key"].tolist():
            raise SystemExit(f"{name}: the table differs in {differing}")
    return rows


def _slurm() -> bool:
    return (
        bool(shutil.which("sinfo"))
        and not subprocess.run(["sinfo"], capture_output=True, check=False, timeout=20).returncode
    )


# ---- deaths
def deaths(folder: Path, nodes: Nodes, count: int, seed: int = 0) -> list[list[object]]:
    """What is left of a sweep on Ray after so many deaths at random moments."""
    rng, counts, starts = random.Random(seed), Counter[str](), 1
    whole = sweep(slow_but_quick(), folder / "whole.db", workers=2, show=False).runs
    store = Store(folder / "killed.db")
    began = time.perf_counter()
    driver = _driver(store.path, nodes.address)
    while counts.total() < count and driver.poll() is None:
        kind = KINDS[counts.total() % len(KINDS)]
        _until_work(store, driver)
        time.sleep(rng.uniform(0.0, 3.0))
        if driver.poll() is not None:
            break
        if kind == "worker":
            working = nodes.workers()
            if not working:
                continue
            with contextlib.suppress(ProcessLookupError):
                os.kill(rng.choice(working), signal.SIGKILL)
        elif kind == "node":
            nodes.kill_node(rng)
        else:
            driver.kill()
            driver.wait()
            driver, starts = _driver(store.path, nodes.address), starts + 1
        counts[kind] += 1
        print(f"{counts.total()} deaths: {store}", file=sys.stderr, flush=True)
    frozen = 0
    if driver.poll() is None and _until_work(store, driver):
        frozen = nodes.freeze(12.0)
    code = driver.wait()
    time.sleep(3.0)  # what comes late has come
    found = store.runs()
    differing = ", ".join(_differing(whole, found)) or "none"
    said = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS)
    if code or differing != "none" or counts.total() < count:
        raise SystemExit(f"deaths: exit code {code}, {said}, differing columns: {differing}")
    return [
        ["deaths", said],
        ["times the driver was started", starts],
        ["rows in its table, of these once", f"{len(found)}, {len(set(found['key']))}"],
        [
            "rows missing or not in the undisturbed table",
            len(set(found["key"]) ^ set(whole["key"])),
        ],
        ["columns with any other bit", differing],
        ["processes of a node that was frozen for 12 s and came back", frozen or "none: too late"],
        ["seconds in all", f"{time.perf_counter() - began:.0f}"],
    ]


def slow_but_quick() -> list[Task]:
    """The same rows as `slow`, without its pauses."""
    return toys(60, 300, 0.0)


def _driver(store: Path, address: str) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "benchmarks.on_engines", "--sweep", str(store), address]
    return subprocess.Popen(words, cwd=ROOT, start_new_session=True, stderr=subprocess.DEVNULL)


def _until_work(store: Store, driver: subprocess.Popen[bytes]) -> bool:
    """Whether tasks of a living driver are under way; waits for that."""
    until = time.monotonic() + 120
    while driver.poll() is None and time.monotonic() < until:
        with contextlib.suppress(RunsError):
            if any(task.live and _alive(driver.pid) for task in store.tasks()):
                return True
        time.sleep(0.05)
    return False


# ---- the driver's pace
def pace(folder: Path, nodes: Nodes, count: int = TINY) -> list[list[object]]:
    """Tasks a second of a sweep and of plain calls, and what their driver does meanwhile."""
    import ray

    ray.init(address=nodes.address, log_to_driver=False, logging_level=logging.ERROR)
    call = ray.remote(num_cpus=1)(_work)
    ray.get([call.remote(task.work) for task in toys(30, 1)])
    rows = [["plain Ray, a call each", *_timed(count, lambda: _plain(call, count))]]
    engine = Ray()
    tiny = lambda: sweep(toys(count, 1), folder / "tiny.db", executor=engine, show=False)  # noqa: E731
    rows.append(["a sweep on Ray, rows in the store", *_timed(count, tiny)])
    ray.shutdown()
    local = lambda: sweep(toys(count, 1), folder / "tiny2.db", workers=2, show=False)  # noqa: E731
    rows.append(["the local pool, 2 workers", *_timed(count, local)])
    return rows


def _plain(call: Any, count: int) -> None:
    import ray

    found = ray.get([call.remote(task.work) for task in toys(count, 1)])
    assert sum(map(len, found)) == 4 * count


def _work(toy: Any) -> list[Any]:
    return toy.rows(3.9 * (x := 1 / (toy.seed + 3)) * (1 - x))


def _timed(count: int, call: Any) -> tuple[str, str, str]:
    began, spent = time.perf_counter(), time.process_time()
    call()
    took, used = time.perf_counter() - began, time.process_time() - spent
    return f"{count / took:.0f}", f"{used / took:.0%}", f"{1e3 * used / count:.2f}"


def main(count: int = DEATHS) -> None:
    try:
        importlib.import_module("ray")
        importlib.import_module("submitit")
    except ImportError as error:
        raise RunsError(f"this needs the extras ray and slurm ({error})") from None
    # Not /tmp, of which jobs of Slurm may have one of their own.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place, Nodes() as nodes:
        folder = Path(place)
        print("### The sweep of 72 runs, small, on every engine\n")
        head = ["engine", "rows", "columns with another bit", "seconds"]
        print(table(head, tables(folder, nodes)), "\n", flush=True)
        print("### A sweep on Ray with random deaths\n")
        print(table(["what", "found"], deaths(folder, nodes, count)), "\n", flush=True)
        print(f"### {TINY} tiny tasks of four rows, {NODES} nodes of one core on two cores\n")
        head = ["how", "tasks a second", "driver's share of a core", "driver's ms a task"]
        print(table(head, pace(folder, nodes)), "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--sweep"]:
        sweep(slow(), sys.argv[2], executor=Ray(sys.argv[3]), show=False)
    else:
        main(*asked(__doc__, sys.argv[1:], int))
