"""A task, the unit of claim and resume, and the watch through which its work is seen and its rows are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoloss.runs.problems import StoreError
from isoloss.runs.run import Run
from isoloss.runs.sweeps.store import Store


class ClaimLost(Exception):
    """The work is no longer ours: the sweep was stopped, or another one has taken the task over."""


@dataclass(frozen=True)
class Task:
    """What a worker does in one go.

    key: hash of all that determines its results. rows: Run.key of every row it yields; the task is done when
    all are in the store. work: called with a Watch; picklable, as workers are other processes. label: for
    people. flops: for the time left. memory: bytes that a worker needs.
    """

    key: str
    rows: tuple[str, ...]
    work: Callable[[Watch], object]
    label: str
    flops: float = 0.0
    memory: float = 0.0


class Watch:
    """What the work of a task sees of the sweep: which rows are missing, a folder of its own, and who listens.

    missing: keys of rows not yet in the store. share, loss: what was told last.
    """

    def __init__(self, store: Store, task: Task) -> None:
        self._store, self._task = store, task
        self._added: set[str] = store.present(task.rows)
        self._lost = False
        self.share = 0.0
        self.loss: float | None = None

    @property
    def missing(self) -> frozenset[str]:
        """The keys of the task's rows that are not yet in the store."""
        return frozenset(self._task.rows) - self._added

    @property
    def folder(self) -> Path:
        """The task's own folder, beside the store, for checkpoints; made on first use, removed when it is done.

        The work may be killed at any moment: write a checkpoint under another name, then rename it.
        """
        path = folder_of(self._store.path, self._task.key)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def add(self, run: Run, **extra: Any) -> None:
        """Nothing, after one row was kept, for good; the same row again, with the same loss, changes nothing.

        extra: further columns of the row, numbers or text. Raises StoreError for a row that the task does not
        list, for one that is there with another loss, and where the store cannot be written.
        """
        if run.key not in self._task.rows:
            raise StoreError(
                f"task '{self._task.label}' has no row with key {run.key!r}; it lists {', '.join(self._task.rows)}"
            )
        self._store.add(self._task.key, run, **extra)
        self._added.add(run.key)

    def tell(self, share: float, loss: float | None = None) -> None:
        """Nothing; says how much of the task is done, 0 to 1, and the loss now. Cheap: call it every step.

        Ends the work, by an exception that is to pass through, where the task is no longer ours.
        """
        if self._lost:
            raise ClaimLost(self._task.label)
        self.share, self.loss = float(share), None if loss is None else float(loss)

    def say(self, sentence: str) -> None:
        """Nothing; a warning for the person, shown by the sweep and kept in the store."""
        self._store.say(self._task.key, sentence)

    def lose(self) -> None:
        """Nothing; the next tell ends the work."""
        self._lost = True


def folder_of(store: Path, key: str) -> Path:
    """The folder of a task's own beside the store."""
    return store.with_name(store.name + ".files") / key
