"""A sweep of 100,000 tasks on 1,000 workers, simulated: where the limits of its driver lie.

The driver, its store and its letters are real; workers are not: an engine with a clock of its own
loses calls, has stragglers, and lets its clock advance by the processor time that the driver takes
meanwhile, so that a driver that is too slow leaves workers idle. Flushes of the disk are not in it.
``python -m benchmarks.large_sweep [TASKS [WORKERS]]``.
"""

from __future__ import annotations

import heapq
import itertools
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.timing import asked, table
from isoloss.runs import AnyExecutor, Letter, Run, Swept, Task, sweep
from isoloss.runs.stored import Packed
from isoloss.runs.sweeps.engines import Driver
from isoloss.runs.sweeps.store import Store
from isoloss.runs.sweeps.working import Orders

TASKS, WORKERS = 100_000, 1_000
#: Where the store is, so that no disk is in the figures.
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
#: Calls that are lost, tasks that take ten times as long, and seconds until a loss is known.
LOST, STRAGGLE, TENFOLD, NOTICED = 0.01, 0.01, 10.0, 30.0


class Silent:
    """A post without letters."""

    def tell(self, letter: Letter) -> bool:
        return True

    def heard(self, tasks: Any) -> list[Letter]:
        return []

    def told(self, attempt: str, tasks: Any) -> list[Letter]:
        return []

    def lose(self, task: str, attempt: str) -> None: ...

    def ended(self, task: str) -> None: ...


@dataclass
class Call:
    """A simulated call: its worker ends it, or is lost."""

    letters: tuple[Letter, ...] | None
    calls: list[Callable[[Any], object]] = field(default_factory=list)

    def done(self) -> bool:
        return False

    def result(self) -> tuple[Letter, ...]:
        if self.letters is None:
            raise ConnectionError("the worker is lost")
        return self.letters

    def add_done_callback(self, call: Callable[[Any], object]) -> None:
        self.calls.append(call)


class Simulated(AnyExecutor):
    """So many workers, whose tasks take so many seconds on a clock of its own."""

    def __init__(self, workers: int, seconds: float, seed: int = 0) -> None:
        super().__init__(None, workers)
        self.workers, self.seconds, self.rng = workers, seconds, random.Random(seed)
        self.now, self.busy, self.lost, self.most = 0.0, 0.0, 0, 0.0
        self._own, self._last = 0.0, time.process_time()
        self._events: list[tuple[float, int, Call]] = []
        self._count = itertools.count()

    def start(self, store: Path) -> Any:
        return Silent()

    def submit(self, errands: Sequence[Any]) -> list[Call]:
        began = time.process_time()
        calls = [self._call(errand) for errand in errands]
        self._own += time.process_time() - began
        return calls

    def _call(self, errand: Any) -> Call:
        took = self.seconds * self.rng.uniform(0.5, 1.5)
        took *= TENFOLD if self.rng.random() < STRAGGLE else 1.0
        lost = self.rng.random() < LOST
        letters = (
            None if lost else tuple(_letter(t, errand.attempt, took) for t, _ in errand.sent.tasks)
        )
        if lost:
            self.lost, took = self.lost + 1, took * self.rng.random() + NOTICED
        self.busy += took
        self.most = max(self.most, took)
        call = Call(letters)
        heapq.heappush(self._events, (self.now + took, next(self._count), call))
        return call

    def places(self) -> int | None:
        """Lets the clock advance: by what the driver took, then to the next call that ends."""
        spent = time.process_time() - self._last - self._own
        self.now += max(0.0, spent)
        if self._events and self._events[0][0] > self.now:
            self.now = self._events[0][0]
        while self._events and self._events[0][0] <= self.now:
            call = heapq.heappop(self._events)[2]
            for back in call.calls:
                back(call)
        self._own, self._last = 0.0, time.process_time()
        return self.workers


def _letter(task: Task, attempt: str, took: float) -> Letter:
    run = Run(1e6, 2e7, "w4", 3.0, key=task.rows[0])
    return Letter(
        task.key, attempt, "w", 1, (Packed.of(run, {}),), share=1.0, seconds=took, how="done"
    )


def many(count: int) -> list[Task]:
    return [Task(f"t{k}", (f"r{k}",), print, f"task {k}", flops=1e9) for k in range(count)]


def swept(count: int, workers: int, seconds: float) -> tuple[Swept, Simulated, float]:
    """A sweep over so many tasks, its engine, and the processor seconds of the driver."""
    engine, tasks = Simulated(workers, seconds), many(count)
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        began = time.process_time()
        found = sweep(tasks, Path(folder) / "runs.db", executor=engine, show=False)
        return found, engine, time.process_time() - began


def letters(workers: int) -> float:
    """Processor seconds in which the driver writes a letter of each worker down."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        store = Store(Path(folder) / "runs.db")
        tasks = many(workers)
        store.enter(tasks)
        driver = Driver(Simulated(workers, 1e9), store, Orders(store.path, "me", True))
        flights = driver.send([[task] for task in tasks], {})
        said = [
            Letter(flight.tasks[0].key, flight.attempt, "w", 1, share=0.5, loss=3.0)  # type: ignore[attr-defined]
            for flight in flights
        ]
        began = time.process_time()
        driver._written(said)
        return time.process_time() - began


def main(count: int = TASKS, workers: int = WORKERS) -> None:
    rows = []
    for seconds, tasks in ((60.0, count // 20), (10.0, count // 20), (2.0, count)):
        found, engine, spent = swept(tasks, workers, seconds)
        if (found.done, len(found.runs)) != (tasks, tasks):
            raise SystemExit(f"not every task was done once: {found}")
        best = max(engine.busy / workers, engine.most)
        rows.append(
            [
                f"{seconds:g}",
                f"{tasks:,}",
                engine.lost,
                f"{1e3 * spent / tasks:.2f}",
                f"{best / 3600:.3f}",
                f"{engine.now / 3600:.3f}",
                f"{engine.busy / (workers * engine.now):.0%}",
            ]
        )
        print(rows[-1], file=sys.stderr, flush=True)
    print(f"### A simulated sweep on {workers:,} workers, 1% of calls lost, 1% ten times as long\n")
    head = ["seconds a task", "tasks", "calls lost", "driver's ms a task", "hours at best"]
    print(table([*head, "hours", "workers busy"], rows))
    each = letters(workers)
    print(
        f"\nProgress: a letter of each of {workers:,} workers is written down in {1e3 * each:.0f} "
        "ms of processor; they come every 2 s. Hours at best are work over workers, or the longest "
        "call."
    )


if __name__ == "__main__":
    main(*asked(__doc__, sys.argv[1:], int, int))
