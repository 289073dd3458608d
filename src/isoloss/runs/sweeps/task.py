"""A task, the unit of claim and resume of a sweep, and what is written down of its work."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from isoloss.files import checked_name
from isoloss.runs.problems import StoreError
from isoloss.runs.stored import Packed

State = Literal["waiting", "running", "done", "failed"]


@dataclass(frozen=True)
class Task:
    """What a worker does in one go.

    Attributes
    ----------
    key
        Hash of all that determines its results; it names the task's folder, so it must be a plain
        name.
    rows
        `Run.key` of every row it yields; the task is done when all are in the store.
    work
        Called with a `Watch`; picklable, as workers are other processes.
    label
        Its name for people.
    flops
        FLOPs of the work, for the time left; 0 where unknown.
    memory
        Bytes that a worker needs; 0 where unknown.

    Raises
    ------
    StoreError
        The key cannot name a folder.
    """

    key: str
    rows: tuple[str, ...]
    work: Callable[[Any], object]
    label: str
    flops: float = 0.0
    memory: float = 0.0

    def __post_init__(self) -> None:
        checked_name(self.key, "task key", StoreError)


@dataclass(frozen=True)
class Ending:
    """What was done of a task since it was last written down: rows, and how it ended.

    Attributes
    ----------
    key
        The task's.
    rows
        Finished rows to keep.
    state
        How it ended; "running" where it goes on.
    reason, trace
        Why it failed.
    loss, seconds
        The loss as told last, and work that was not counted yet.
    share
        The share that is done, where it goes on; None leaves it as it was.
    notes
        Sentences for people.
    """

    key: str
    rows: tuple[Packed, ...]
    state: State = "running"
    reason: str | None = None
    trace: str | None = None
    loss: float | None = None
    seconds: float = 0.0
    share: float | None = None
    notes: tuple[str, ...] = ()

    def values(self, claim: str) -> tuple[Any, ...]:
        """What `ENDED` asks for, and whose task it is."""
        ended, failed = self.state != "running", self.state == "failed"
        return (
            *(self.state, not ended or failed, ended, time.time(), self.reason, self.trace),
            *(self.state, self.share, self.loss, self.seconds, self.key, claim),
        )


# A failure keeps its claim: its name tells this attempt from others.
ENDED = (
    "state = ?, claim = CASE WHEN ? THEN claim END, owner = CASE WHEN ? THEN NULL ELSE owner END, "
    "beats = beats + 1, beat = ?, reason = ?, traceback = ?, share = CASE WHEN ? = 'done' THEN 1 "
    "ELSE coalesce(?, share) END, loss = coalesce(?, loss), seconds = seconds + ?"
)
