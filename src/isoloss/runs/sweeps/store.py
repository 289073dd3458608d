"""The store of a sweep: one file that holds what was finished, what is being worked on, and what
failed.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, assert_never, get_args

from isoloss.files import displayed, shown, shown_value
from isoloss.runs.database import CHECKSUM, COVERED, check, has_column, reading, writing
from isoloss.runs.intake import Origin, checked
from isoloss.runs.problems import StoreError, StoreUnwritable
from isoloss.runs.run import Run
from isoloss.runs.stored import Packed, insert, present, stored_frame
from isoloss.runs.sweeps.process_id import Owner
from isoloss.runs.sweeps.task import ENDED, Ending, State, Task
from isoloss.runs.table import Runs

#: A claim is free again when its owner has not been heard of for so many seconds.
STALE = 60.0
#: An attempt at a task, and how often it was heard of: what a claim that takes it over must name.
Stamp = tuple[str | None, int]
_THESE = "WHERE key IN (SELECT value FROM json_each(?))"
_Made = TypeVar("_Made")


@dataclass(frozen=True)
class TaskState:
    """How far a task is: its share done and the loss now (None before it is told), and why it
    failed.

    claim: the attempt under way, or the one that failed; beats: how often it was heard of; beat:
    when that was, by the clock of its machine, in seconds since 1970 (for people: no sweep judges
    by it); seconds: work spent on it, over all tries.
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
    beats: int = 0

    @property
    def stamp(self) -> Stamp:
        """The attempt and its heartbeats; two looks that find the same have not heard of it
        between.
        """
        return self.claim, self.beats

    @property
    def gone(self) -> bool:
        """Whether its owner, a process of this machine, has ended."""
        return self.owner is None or Owner.parse(self.owner).gone

    @property
    def live(self) -> bool:
        """Whether somebody seems to work on it, at one look: heard of within a minute as the clocks
        tell, and not a process of this machine that ended.

        A sweep looks more than once and trusts no clock but its own (`Hearing`).
        """
        if self.state != "running" or self.owner is None or self.beat is None:
            return False
        return abs(time.time() - self.beat) <= STALE and not self.gone


@displayed
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

    def tasks(self, keys: Iterable[str] | None = None) -> list[TaskState]:
        """Every task that a sweep was asked for, or those of these keys, by label."""
        with reading(self.path) as base:
            if keys is None:
                return self._states(base, "ORDER BY label, key")
            return self._states(base, f"{_THESE} ORDER BY label, key", json.dumps(list(keys)))

    def notes(self, after: int = 0) -> list[tuple[int, str, str]]:
        """What the workers said, as (number, key of the task, sentence), in order, above a
        number.
        """
        with reading(self.path) as base:
            return self._kept(base, "notes", lambda *note: note, "WHERE id > ? ORDER BY id", after)

    # ---- what a sweep and its workers write
    def enter(self, tasks: Sequence[Task]) -> None:
        """Record tasks; known ones keep their state.

        Unless nobody works on them and their rows say otherwise: all there, the task is done; asked
        for since it was done, it waits again.
        """
        with writing(self.path) as base:
            rows = present(base, (key for task in tasks for key in task.rows))
            there = {state.key: state for state in self._states(base)}
            for task in tasks:
                before, complete = there.get(task.key), rows.issuperset(task.rows)
                state = "waiting" if before is None or before.state == "done" else before.state
                if before is not None and before.state == "running" and not before.gone:
                    complete = False
                base.execute(
                    "INSERT INTO tasks (key, label, state, flops, memory) VALUES (?, ?, ?, ?, ?) "
                    "ON CONFLICT (key) DO UPDATE SET label = excluded.label, flops = "
                    "excluded.flops, "
                    "memory = excluded.memory, state = excluded.state",
                    (task.key, task.label, "done" if complete else state, task.flops, task.memory),
                )

    def claim(self, task: Task, claim: str, over: Stamp | None = None) -> bool:
        """Whether the task is now this claim's: it waits, its owner is gone, or the attempt named
        by `over` has failed or is held for dead and was not heard of since.
        """
        return task.key in self.claim_all([task], claim, {} if over is None else {task.key: over})

    def claim_all(
        self, tasks: Sequence[Task], claim: str, over: Mapping[str, Stamp]
    ) -> dict[str, set[str]]:
        """Claim those of the tasks that are free (see `claim`); the keys of their rows that are
        there, by task.
        """
        with writing(self.path, make=False) as base:
            keys = [task.key for task in tasks]
            states = {each.key: each for each in self._states(base, _THESE, json.dumps(keys))}
            if absent := [task for task in tasks if task.key not in states]:
                raise StoreUnwritable(
                    f"the store '{self.path}' no longer lists the task '{absent[0].label}': "
                    "another file took its place while a sweep used it; start again",
                    self.path,
                )
            free = [task for task in tasks if _is_free(states[task.key], over.get(task.key))]
            base.executemany(
                "UPDATE tasks SET state = 'running', claim = ?, owner = ?, beat = ?, "
                "beats = beats + 1, reason = NULL, traceback = NULL WHERE key = ?",
                [(claim, str(Owner.here()), time.time(), task.key) for task in free],
            )
            there = present(base, (key for task in free for key in task.rows))
            return {task.key: there.intersection(task.rows) for task in free}

    def beat(self, key: str, claim: str, share: float, loss: float | None, seconds: float) -> bool:
        """Whether the claim still holds, after its owner was heard of; seconds are added to the
        work spent.
        """
        with writing(self.path, make=False) as base:
            done = base.execute(
                "UPDATE tasks SET beats = beats + 1, beat = ?, share = ?, loss = ?, "
                "seconds = seconds + ? WHERE key = ? AND claim = ? AND state = 'running'",
                (time.time(), share, loss, seconds, key, claim),
            )
            return done.rowcount == 1

    def beat_all(self, claims: Mapping[str, str]) -> set[str]:
        """Note that the owners of claims (by task) live; the tasks whose claim still holds."""
        with writing(self.path, make=False) as base:
            held = "claim = ? AND state = 'running'"
            base.executemany(
                f"UPDATE tasks SET beats = beats + 1, beat = ? WHERE key = ? AND {held}",
                [(time.time(), key, claim) for key, claim in claims.items()],
            )
            running = f"SELECT key, claim FROM tasks {_THESE} AND state = 'running'"
            found = base.execute(running, (json.dumps(list(claims)),))
            return {key for key, claim in found if claims[key] == claim}

    def end(
        self,
        key: str,
        claim: str,
        state: State,
        reason: str | None = None,
        trace: str | None = None,
    ) -> None:
        """Give up a claim, if it still holds: the task is done, has failed, or waits again."""
        self.settle([Ending(key, (), state, reason, trace)], claim)

    def settle(self, endings: Sequence[Ending], claim: str) -> dict[str, str | None]:
        """Write what was done under a claim, as `settle_all` does."""
        return self.settle_all([(ending, claim) for ending in endings])

    def settle_all(self, endings: Iterable[tuple[Ending, str]]) -> dict[str, str | None]:
        """Write what was done, each under its claim, all in one transaction, each task for itself.

        What could not be written, by task: None where the claim no longer holds, so that nothing of
        it is kept; else why a row was refused, which is how the task has failed.
        """
        problems: dict[str, str | None] = {}
        with writing(self.path, make=False) as base:
            for ending, claim in endings:
                held = "key = ? AND claim = ? AND state = 'running'"
                ours = base.execute(f"SELECT 1 FROM tasks WHERE {held}", (ending.key, claim))
                if ours.fetchone() is None:
                    problems[ending.key] = None
                    continue
                _add_notes(base, [(ending.key, said) for said in ending.notes])
                base.execute("SAVEPOINT one")
                try:
                    for row in ending.rows:
                        insert(base, ending.key, row, self.path)
                except StoreError as error:
                    base.execute("ROLLBACK TO one")
                    problems[ending.key] = str(error)
                    state: State = "running" if ending.state == "running" else "failed"
                    ending = replace(ending, state=state, reason=str(error))
                base.execute("RELEASE one")
                base.execute(f"UPDATE tasks SET {ENDED} WHERE {held}", ending.values(claim))
        return problems

    def release(self, keys: Iterable[str], claim: str) -> None:
        """Let tasks that a claim holds wait again."""
        with writing(self.path, make=False) as base:
            base.executemany(
                "UPDATE tasks SET state = 'waiting', claim = NULL, owner = NULL WHERE key = ? AND "
                "claim = ? AND state = 'running'",
                [(key, claim) for key in keys],
            )

    def give_up(self, sweep: str, keys: Iterable[str] | None = None) -> None:
        """Release the claims that a sweep's workers hold, on some tasks or on all."""
        these = None if keys is None else json.dumps(list(keys))
        with writing(self.path, make=False) as base:
            base.execute(
                "UPDATE tasks SET state = 'waiting', claim = NULL, owner = NULL WHERE state = "
                "'running' AND substr(claim, 1, ?) = ? AND (? IS NULL OR key IN (SELECT value FROM "
                "json_each(?)))",
                (len(sweep), sweep, these, these),
            )

    def fail(self, key: str, reason: str, claim: str) -> None:
        """Mark a waiting task as failed in an attempt."""
        with writing(self.path, make=False) as base:
            base.execute(
                "UPDATE tasks SET state = 'failed', beat = ?, reason = ?, claim = ? WHERE key = ? "
                "AND state = 'waiting'",
                (time.time(), reason, claim, key),
            )

    def add(self, task: str, run: Run, **extra: Any) -> None:
        """Store one finished row of a task; adding the same row again is harmless.

        extra: further columns, numbers or text. Raises StoreError where the row that is there
        differs in any column but `cost`.
        """
        row = Packed.of(run, extra)
        with writing(self.path) as base:
            insert(base, task, row, self.path)

    def say(self, task: str, sentence: str) -> None:
        """Keep a sentence about a task for the person who reads the sweep."""
        with writing(self.path) as base:
            _add_notes(base, [(task, sentence)])

    def _states(self, base: sqlite3.Connection, where: str = "", *values: str) -> list[TaskState]:
        return self._kept(
            base, "tasks", lambda *row: _checked_state(TaskState(*row), self.path), where, *values
        )

    def _kept(
        self,
        base: sqlite3.Connection,
        table: str,
        made: Callable[..., _Made],
        where: str,
        *values: object,
    ) -> list[_Made]:
        """What is made of tasks or of notes, all columns of each, which fit their checksum."""
        # What older stores do not have: heartbeats, and checksums.
        there = [name if has_column(base, table, name) else "0" for name in COVERED[table]]
        taken = CHECKSUM if has_column(base, table, CHECKSUM) else "NULL"
        found = []
        rows = base.execute(f"SELECT {', '.join(there)}, {taken} FROM {table} {where}", values)
        for *row, taken in rows.fetchall():
            found.append(made(*row))
            check(table, row[0], taken, row, self.path)
        return found

    def __str__(self) -> str:
        if not self.path.exists():
            return f"store {self.path}, not made yet"
        counts = Counter(task.state for task in self.tasks())
        said = ", ".join(f"{count} {state}" for state, count in counts.items()) or "none"
        return f"store {self.path}, tasks: {said}"


def _add_notes(base: sqlite3.Connection, notes: Iterable[tuple[str, str]]) -> None:
    base.executemany("INSERT INTO notes (task, said) VALUES (?, ?)", notes)


def _is_free(state: TaskState, over: Stamp | None) -> bool:
    """Whether a claim may take the task: over names the attempt that it may follow."""
    match state.state:
        case "waiting":
            return True
        case "running":
            return state.gone or state.stamp == over
        case "failed":
            return state.stamp == over
        case "done":
            return False
        case _:
            assert_never(state.state)


def _checked_state(state: TaskState, path: Path) -> TaskState:
    """The state; StoreError where its values are not of the kind that sweeps write."""
    texts = (state.claim, state.owner, state.reason, state.traceback)
    numbers = (state.beat, state.loss)
    fine = (
        isinstance(state.key, str)
        and isinstance(state.label, str)
        and state.state in get_args(State)
        and all(each is None or isinstance(each, str) for each in texts)
        and all(each is None or isinstance(each, int | float) for each in numbers)
        and all(isinstance(each, int | float) for each in (state.share, state.flops, state.seconds))
        and isinstance(state.beats, int)
        and (state.owner is None or Owner.can_read(state.owner))
    )
    if not fine:
        raise StoreError(
            f"{shown(path)} has a task {shown_value(state.key)} with values that no sweep writes; "
            "accepted is a store as isoloss made it"
        )
    return state
