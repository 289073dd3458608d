"""A sweep killed with SIGKILL many times at random moments, beside an undisturbed one: the tables
must be equal.

Kills take the whole process group, the sweep alone, or one of its workers. ``python -m
benchmarks.sweep_killed MODULE:FUNCTION KILLS SECONDS`` does the same with any other mill: the
function gives the tasks, and kills come within so many seconds of a start or of the first work
after it.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.timing import asked, repeats, table
from isoloss.runs import Runs, Store, StoreError, TaskState, sweep

ROOT = Path(__file__).parents[1]
KINDS = ("group", "sweep", "worker")
#: Mills, how often each is killed (0: as often as ISOLOSS_REPEATS says, at most 30), within how
#: many seconds of a start.
MILLS = (
    ("benchmarks.toy_mill:slow", 0, 2.5),
    ("benchmarks.toy_mill:tiny", 0, 1.0),
    ("benchmarks.real_mill:small", 0, 11.0),
)
#: Columns that tell of the machine and not of the run.
OF_THE_MACHINE = ("cost",)
#: Share of the kills whose moment is counted from when there is work under way; the others', from
#: the start.
WORKING = 0.75
PATIENCE = 120.0


@dataclass(frozen=True)
class Report:
    """What was killed, and how the table compares: rows, those missing or extra, columns that
    differ, orphans.
    """

    kills: dict[str, int]
    starts: int
    rows: int
    missing: int
    differing: tuple[str, ...]
    orphans: int
    folders: int
    seconds: float
    undisturbed: float

    @property
    def exact(self) -> bool:
        """Whether the table is that of the undisturbed sweep, to the last bit, and nothing is left
        over.
        """
        return not (self.missing or self.differing or self.orphans or self.folders)


def killed(
    mill: str,
    folder: Path,
    kills: int,
    within: float,
    seed: int = 0,
    workers: int = 2,
    undisturbed: str = "",
) -> Report:
    """What became of a sweep over the tasks of a mill ("module:function") that was killed so many
    times.

    undisturbed: a mill that gives the same rows faster, for the table to compare with.
    """
    rng, counts, starts = random.Random(seed), Counter[str](), 1
    begun = time.perf_counter()
    _started(undisturbed or mill, folder / "whole.db", workers).wait()
    whole_took = time.perf_counter() - begun
    store = Store(folder / "killed.db")
    process, orphans = _started(mill, store.path, workers), 0
    while counts.total() < kills:
        kind = KINDS[counts.total() % len(KINDS)]
        if rng.random() < WORKING:
            _owners_in_time(store, process)
        time.sleep(rng.uniform(0.0, within))
        if process.poll() is not None:
            break  # everything was done before the last kill: said by the count
        owners = _owners(store)
        _kill(process, kind, store, rng)
        counts[kind] += 1
        if kind != "worker":
            process.wait()
            orphans += _alive_after(owners, 5.0)
            process, starts = _started(mill, store.path, workers), starts + 1
    process.wait()
    whole, found = Store(folder / "whole.db").runs(), store.runs()
    return Report(
        dict(counts),
        starts,
        len(found),
        len(set(whole["key"]) ^ set(found["key"])),
        tuple(_differing(whole, found)),
        orphans,
        sum(1 for _ in folder.glob("killed.db.files/*")),
        time.perf_counter() - begun - whole_took,
        whole_took,
    )


def _started(mill: str, store: Path, workers: int) -> subprocess.Popen[bytes]:
    words = [
        sys.executable,
        "-m",
        "benchmarks.sweep_killed",
        "--sweep",
        mill,
        str(store),
        str(workers),
    ]
    return subprocess.Popen(words, cwd=ROOT, start_new_session=True, stderr=subprocess.DEVNULL)


def _kill(process: subprocess.Popen[bytes], kind: str, store: Store, rng: random.Random) -> None:
    if kind == "group":
        os.killpg(process.pid, signal.SIGKILL)
    elif kind == "sweep":
        process.kill()
    else:
        with contextlib.suppress(ProcessLookupError, IndexError):
            os.kill(rng.choice(_owners_in_time(store, process)), signal.SIGKILL)


def _owners(store: Store) -> list[int]:
    """The processes that work on a task now."""
    try:
        return [_pid(task) for task in store.tasks() if task.live]
    except StoreError:
        return []  # killed before the store was made


def _owners_in_time(store: Store, process: subprocess.Popen[bytes]) -> list[int]:
    """Those processes, as soon as there are some; none where the sweep has ended."""
    until = time.monotonic() + PATIENCE
    while not (owners := _owners(store)) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    return owners


def _pid(task: TaskState) -> int:
    return int(str(task.owner).rsplit(":", 2)[1])


def _alive_after(pids: list[int], seconds: float) -> int:
    """How many of these processes still live after so many seconds at most."""
    until = time.monotonic() + seconds
    while (left := [pid for pid in pids if _alive(pid)]) and time.monotonic() < until:
        time.sleep(0.02)
    return len(left)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _differing(one: Runs, two: Runs) -> Iterator[str]:
    """The columns that are not equal to the last bit."""
    for name in dict.fromkeys([*one.columns, *two.columns]):
        if name in OF_THE_MACHINE:
            continue
        if name not in one.columns or name not in two.columns:
            yield name
            continue
        a, b = one[name], two[name]
        same = a.tolist() == b.tolist() if a.dtype == object else a.tobytes() == b.tobytes()
        if not same:
            yield name


def _tasks(mill: str) -> list:
    module, _, function = mill.partition(":")
    return list(getattr(importlib.import_module(module), function)())


def main(*mills: tuple[str, int, float]) -> None:
    for mill, kills, within in mills or MILLS:
        _study(mill, kills or min(30, repeats(30)), within)


def _study(mill: str, kills: int, within: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        report = killed(mill, Path(folder), kills, within)
    print(
        f"### A sweep killed {sum(report.kills.values())} times with SIGKILL ({mill}, 2 workers)\n"
    )
    rows = [
        [
            "kills of the process group, the sweep, a worker",
            ", ".join(str(report.kills.get(k, 0)) for k in KINDS),
        ],
        ["times the sweep was started", report.starts],
        ["rows in its table", report.rows],
        ["rows missing or not in the undisturbed table", report.missing],
        ["columns with any other bit", ", ".join(report.differing) or "none"],
        ["workers alive 5 s after their sweep was killed", report.orphans],
        ["folders left over", report.folders],
        ["time taken over that undisturbed", f"{report.seconds / report.undisturbed:.1f}"],
    ]
    print(table(["what", "found"], rows), "\n")
    if not report.exact:
        raise SystemExit("the tables differ")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--sweep"]:
        sweep(_tasks(sys.argv[2]), sys.argv[3], workers=int(sys.argv[4]))
    elif given := asked(__doc__, sys.argv[1:], str, int, float):
        if len(given) < 3:
            raise SystemExit("give a mill, kills and seconds, or nothing for all; see --help")
        main(tuple(given))
    else:
        main()
