"""The watch through which the work of a task sees its sweep: rows that are missing, a folder, who
listens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from isoloss.runs.problems import StoreError
from isoloss.runs.run import Run
from isoloss.runs.stored import Packed
from isoloss.runs.sweeps.folders import folder_of, make_folder
from isoloss.runs.sweeps.task import Task


class ClaimLost(Exception):
    """The work is no longer ours: the sweep was stopped, or another one has taken the task over."""


class Leaving(ClaimLost):
    """The worker must leave soon, and another one goes on from the last checkpoint."""


class Desk(Protocol):
    """What keeps the sentences that a watch is told: a store, or what sends them on to one."""

    @property
    def path(self) -> Path:
        """The file beside which the folders of tasks are."""

    def say(self, task: str, sentence: str) -> None:
        """Keep a sentence about a task."""


class Watch:
    """What the work of a task sees of the sweep, which makes it.

    Attributes
    ----------
    missing
        Keys of rows that are not yet in the store.
    folder
        The task's own folder, for checkpoints.
    share
        The share of the work that is done, as told last.
    loss
        The loss as told last, None before that.
    leaving
        Whether the worker must leave, as before the time limit of its job: keep a checkpoint now;
        the `tell` after the next ends the work.
    """

    def __init__(
        self,
        store: Desk,
        task: Task,
        there: Iterable[str],
        keep: Callable[[Packed, bool], None],
    ) -> None:
        self._store, self._task = store, task
        self._added = set(there)
        # A folder that is there holds work of earlier tries.
        self._resumes = folder_of(store.path, task.key).exists()
        self._keep = keep
        self._lost = self._told = False
        self.leaving = False
        self.share = 0.0
        self.loss: float | None = None

    @property
    def missing(self) -> frozenset[str]:
        """The keys of the task's rows that are not yet in the store."""
        return frozenset(self._task.rows) - self._added

    @property
    def folder(self) -> Path:
        """The task's own folder, beside the store, for checkpoints; made on first use, removed when
        it is done.

        The work may be killed at any moment: write a checkpoint with `isoloss.files.write`.
        """
        return make_folder(self._store.path, self._task.key)

    def add(self, run: Run, **extra: Any) -> None:
        """Store one finished row; adding the same row again is harmless.

        It is on the disk when this returns; of tasks that take less than a quarter of a second, at
        the latest after that time.

        Parameters
        ----------
        run
            The row; its key is one of the task's.
        extra
            Further columns of the row, numbers or text.

        Raises
        ------
        StoreError
            The task does not list the row, the row that is there differs in any column but `cost`,
            or the store cannot be written.
        ClaimLost
            The task is no longer ours; let the exception pass through, it ends the work.
        """
        if run.key not in self._task.rows:
            raise StoreError(
                f"task '{self._task.label}' has no row with key {run.key!r}; it lists "
                f"{', '.join(self._task.rows)}"
            )
        again = run.key in self._added
        self._keep(Packed.of(run, extra), self._resumes or again)
        self._added.add(run.key)

    def tell(self, share: float, loss: float | None = None) -> None:
        """Say how far the work is; cheap, so call it every step.

        Parameters
        ----------
        share
            The share that is done, 0 to 1.
        loss
            The loss now.

        Raises
        ------
        ClaimLost
            The task is no longer ours, or the worker must leave; let the exception pass through, it
            ends the work.
        """
        if self._lost:
            raise ClaimLost(self._task.label)
        if self._told:
            raise Leaving(self._task.label)
        self._told = self.leaving
        self.share, self.loss = float(share), None if loss is None else float(loss)

    def say(self, sentence: str) -> None:
        """Keep a warning; the sweep shows it to the person."""
        self._store.say(self._task.key, sentence)

    def lose(self) -> None:
        """Mark the claim as lost; the next `tell` raises ClaimLost."""
        self._lost = True
