"""A mill that takes no library: one chaotic number a task, so that a step lost or done twice
changes every bit.

A task steps its number, keeps its state in its folder as a trainer keeps a checkpoint, and yields
one row and three that were "quantised" from it.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from isoloss.runs import Run, Task, Watch

BITS = (2, 3, 4)


@dataclass(frozen=True)
class Toy:
    """The work of one task: so many steps with a pause (seconds) after each, a checkpoint every few
    of them.
    """

    seed: int
    steps: int = 40
    pause: float = 0.0
    every: int = 5

    def __call__(self, watch: Watch) -> None:
        state = watch.folder / "state.json"
        step, x = json.loads(state.read_text()) if state.exists() else (0, 1 / (self.seed + 3))
        while step < self.steps:
            x, step = 3.9 * x * (1 - x), step + 1
            if step % self.every == 0:
                new = state.with_suffix(f".{os.getpid()}")
                new.write_text(json.dumps([step, x]))
                new.replace(state)
            watch.tell(step / self.steps, x)
            time.sleep(self.pause)
        for run, gap in self.rows(x):
            if run.key in watch.missing:
                watch.add(run, gap=gap)

    def rows(self, x: float) -> list[tuple[Run, float | None]]:
        """The run of this loss and those quantised from it, each with its gap."""
        run = partial(Run, 1e6 * (1 + self.seed % 2), 2e7, seed=self.seed)
        main = self.keys[0]
        own = run(precision="w4", loss=1 + x, key=main)
        post = [
            (
                run(precision=f"w4 -> w{bits}", loss=1 + x + x / 3**bits, key=key, parent=main),
                x / 3**bits,
            )
            for bits, key in zip(BITS, self.keys[1:], strict=True)
        ]
        return [(own, None), *post]

    @property
    def keys(self) -> tuple[str, ...]:
        """The key of every row."""
        return f"toy{self.seed}", *(f"toy{self.seed}-w{bits}" for bits in BITS)


def toys(count: int = 6, steps: int = 40, pause: float = 0.0) -> list[Task]:
    """So many tasks of growing flop."""
    works = [Toy(seed, steps, pause) for seed in range(count)]
    return [
        Task(f"task{w.seed}", w.keys, w, f"toy, seed {w.seed}", 1e9 * (1 + w.seed / count), 1e6)
        for w in works
    ]


#: For the study of killed sweeps, half a minute of work on two cores; a sixth of it for the test,
#: and without pauses.
slow = partial(toys, 12, 300, 0.02)
short = partial(toys, 8, 150, 0.01)
quick = partial(toys, 8, 150)
#: Tasks that take less time than it takes to ask for one.
tiny = partial(toys, 6000, 1)


@dataclass(frozen=True)
class Meeting:
    """Work that begins when two sweeps have some: each leaves the number of its process in a
    folder.
    """

    toy: Toy
    folder: str

    def __call__(self, watch: Watch) -> None:
        place = Path(self.folder) / "meeting"
        place.mkdir(exist_ok=True)
        (place / str(os.getppid())).touch()
        while len(list(place.iterdir())) < 2:
            time.sleep(0.01)
        self.toy(watch)


def meeting(folder: str) -> list[Task]:
    """Five tasks, the first of which waits for a second sweep."""
    return [replace(task, work=Meeting(task.work, folder)) for task in toys(5)]


@dataclass(frozen=True)
class Filling:
    """Work whose checkpoints leave no room on the disk, as long as a file says so."""

    toy: Toy
    while_there: str

    def __call__(self, watch: Watch) -> None:
        with (watch.folder / "large").open("wb", buffering=0) as file:
            while Path(self.while_there).exists():
                file.write(bytes(4096))
        self.toy(watch)


def filling(while_there: str) -> list[Task]:
    """A dozen tasks, the third of which fills the disk."""
    tasks = toys(12)
    tasks[9] = replace(tasks[9], work=Filling(tasks[9].work, while_there))
    return tasks
