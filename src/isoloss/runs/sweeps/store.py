"""The store of a sweep: one file that holds what was finished, what is being worked on, and what
failed.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from isoloss.runs.database import reading, writing
from isoloss.runs.intake import Origin, checked
from isoloss.runs.run import Run
from isoloss.runs.stored import insert, present, stored_frame
from isoloss.runs.sweeps.process_id import Owner
from isoloss.runs.sweeps.task import Task
from isoloss.runs.table import Runs

#: A claim is free again when its owner has not been heard of for so many seconds.
STALE = 60.0
State = Literal["waiting", "running", "done", "failed"]
_COLUMNS = (
    "key, label, state, claim, owner, beat, share, loss, reason, traceback, flops, memory, seconds"
)


@dataclass(frozen=True)
class TaskState:
    """How far a task is: its share done and the loss now (None before it is told), and why it
    failed.

    beat: when it was last heard of, in seconds since 1970; seconds: work spent on it, over all
    tries.
    """

    key: str
    label: str
    state: State
    claim: str | None
    owner: str | None
    beat: float | None
    share: float
    loss: float | None
    reason: str | None
    traceback: str | None
    flops: float
    memory: float
    seconds: float

    @property
    def live(self) -> bool:
        """Whether somebody works on it: heard of within a minute, and not a process of this machine
        that ended.
        """
        if self.state != "running" or self.owner is None or self.beat is None:
            return False
        return abs(time.time() - self.beat) <= STALE and not Owner.parse(self.owner).gone


@dataclass(frozen=True)
class Store:
    """A store by its path; the file is made by the first thing that is written. Every method is one
    transaction.

    All raise StoreError, one sentence, where the file is no store or cannot be read or written.
    """

    path: Path

    def __init__(self, path: str | Path) -> None:
        object.__setattr__(self, "path", Path(path))

    # ---- what is in it
    def runs(self, keys: Iterable[str] | None = None) -> Runs:
        """The finished rows, sorted; or those of these keys that are finished, in their order."""
        frame = stored_frame(self.path, keys)
        return Runs.from_checked(checked(frame, Origin(self.path.name, settled=True)), {})

    def present(self, keys: Iterable[str]) -> set[str]:
        """Those of the keys whose rows are finished."""
        if not self.path.exists():
            return set()
        with reading(self.path) as base:
            return present(base, keys)

    def tasks(self) -> list[TaskState]:
        """Every task that a sweep was asked for, by label."""
        with reading(self.path) as base:
            rows = base.execute(f"SELECT {_COLUMNS} FROM tasks ORDER BY label, key").fetchall()
        return [TaskState(*row) for row in rows]

    def notes(self, after: int = 0) -> list[tuple[int, str, str]]:
        """What the workers said, as (number, key of the task, sentence), in order, above a
        number.
        """
        with reading(self.path) as base:
            return base.execute(
                "SELECT id, task, said FROM notes WHERE id > ? ORDER BY id", (after,)
            ).fetchall()

    # ---- what a sweep and its workers write
    def enter(self, tasks: Sequence[Task]) -> None:
        """Record tasks; known ones keep their state.

        Unless nobody works on them and their rows say otherwise: all there, the task is done; asked
        for since it was done, it waits again.
        """
        with writing(self.path) as base:
            rows = present(base, (key for task in tasks for key in task.rows))
            there = {
                row[0]: TaskState(*row) for row in base.execute(f"SELECT {_COLUMNS} FROM tasks")
            }
            for task in tasks:
                before, complete = there.get(task.key), rows.issuperset(task.rows)
                state = "waiting" if before is None or before.state == "done" else before.state
                if before is not None and before.live:
                    complete = False
                base.execute(
                    "INSERT INTO tasks (key, label, state, flops, memory) VALUES (?, ?, ?, ?, ?) "
                    "ON CONFLICT (key) DO UPDATE SET label = excluded.label, flops = "
                    "excluded.flops, "
                    "memory = excluded.memory, state = excluded.state",
                    (task.key, task.label, "done" if complete else state, task.flops, task.memory),
                )

    def claim(self, task: Task, claim: str, since: float) -> bool:
        """Whether the task is now this claim's: it waits, or failed before `since`, or its owner is
        gone.
        """
        with writing(self.path) as base:
            row = base.execute(
                f"SELECT {_COLUMNS} FROM tasks WHERE key = ?", (task.key,)
            ).fetchone()
            state = TaskState(*row)
            failed_now = state.state == "failed" and (state.beat or 0.0) >= since
            if state.state == "done" or failed_now or state.live:
                return False
            base.execute(
                "UPDATE tasks SET state = 'running', claim = ?, owner = ?, beat = ?, reason = "
                "NULL, "
                "traceback = NULL WHERE key = ?",
                (claim, str(Owner.here()), time.time(), task.key),
            )
            return True

    def beat(self, key: str, claim: str, share: float, loss: float | None, seconds: float) -> bool:
        """Whether the claim still holds, after its owner was heard of; seconds are added to the
        work spent.
        """
        with writing(self.path) as base:
            done = base.execute(
                "UPDATE tasks SET beat = ?, share = ?, loss = ?, seconds = seconds + ? "
                "WHERE key = ? AND claim = ? AND state = 'running'",
                (time.time(), share, loss, seconds, key, claim),
            )
            return done.rowcount == 1

    def end(
        self,
        key: str,
        claim: str,
        state: State,
        reason: str | None = None,
        trace: str | None = None,
    ) -> None:
        """Give up a claim, if it still holds: the task is done, has failed, or waits again."""
        with writing(self.path) as base:
            base.execute(
                "UPDATE tasks SET state = ?, claim = NULL, owner = NULL, beat = ?, reason = ?, "
                "traceback = ?, "
                "share = CASE WHEN ? = 'done' THEN 1 ELSE share END WHERE key = ? AND claim = ? "
                "AND state = 'running'",
                (state, time.time(), reason, trace, state, key, claim),
            )

    def give_up(self, sweep: str, key: str | None = None) -> None:
        """Release the claims that a sweep's workers hold, on one task or on all."""
        with writing(self.path) as base:
            base.execute(
                "UPDATE tasks SET state = 'waiting', claim = NULL, owner = NULL WHERE state = "
                "'running' "
                "AND substr(claim, 1, ?) = ? AND (? IS NULL OR key = ?)",
                (len(sweep), sweep, key, key),
            )

    def fail(self, key: str, reason: str) -> None:
        """Mark a waiting task as failed."""
        with writing(self.path) as base:
            base.execute(
                "UPDATE tasks SET state = 'failed', beat = ?, reason = ? WHERE key = ? AND state = "
                "'waiting'",
                (time.time(), reason, key),
            )

    def add(self, task: str, run: Run, **extra: Any) -> None:
        """Store one finished row of a task; adding it again with the same loss is harmless.

        extra: further columns, numbers or text. Raises StoreError where the row is there with
        another loss.
        """
        with writing(self.path) as base:
            insert(base, task, run, extra)

    def say(self, task: str, sentence: str) -> None:
        """Keep a sentence about a task for the person who reads the sweep."""
        with writing(self.path) as base:
            base.execute("INSERT INTO notes (task, said) VALUES (?, ?)", (task, sentence))

    def __str__(self) -> str:
        if not self.path.exists():
            return f"store {self.path}, not made yet"
        counts = Counter(task.state for task in self.tasks())
        said = ", ".join(f"{count} {state}" for state, count in counts.items()) or "none"
        return f"store {self.path}, tasks: {said}"
