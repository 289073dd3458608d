"""An errand: tasks that are sent to a worker off this machine, and what it does with them there."""

from __future__ import annotations

import contextlib
import pickle
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from isoloss.files import use, used
from isoloss.runs.problems import StoreError
from isoloss.runs.run import Run
from isoloss.runs.stored import Packed
from isoloss.runs.sweeps.batch import GATHER
from isoloss.runs.sweeps.engines.letters import Letter, Post
from isoloss.runs.sweeps.task import Task
from isoloss.runs.sweeps.watch import Watch
from isoloss.runs.sweeps.working import BEAT, Pulse, tried


@dataclass(frozen=True)
class Sent:
    """Tasks, each with the keys of its rows that are there, as they travel.

    They are unpickled after the modules that the driver was told to use: a user's own format or
    method travels by its reference.

    Attributes
    ----------
    tasks
        Tasks and rows that are there.
    refused
        Why they could not be unpickled, "" where they were.
    """

    tasks: tuple[tuple[Task, frozenset[str]], ...]
    refused: str = ""

    def __reduce__(self) -> Any:
        if not used():
            return Sent, (self.tasks, self.refused)
        return _received, (used(), pickle.dumps(self.tasks))


def _received(modules: tuple[str, ...], tasks: bytes) -> Sent:
    try:
        use(*modules)
    except ValueError as error:
        return Sent((), f"a worker {error}")
    return Sent(pickle.loads(tasks))


@dataclass
class Errand:
    """A call without arguments that works on tasks one after the other, and returns a letter for
    each.

    Attributes
    ----------
    attempt
        The name of the call.
    path
        The file beside which the folders of tasks are.
    sent
        The tasks.
    post
        How the worker tells of them meanwhile.
    """

    attempt: str
    path: Path
    sent: Sent
    post: Post
    _desk: Desk | None = field(default=None, repr=False, compare=False)
    _leaving: bool = field(default=False, repr=False, compare=False)

    def __call__(self) -> tuple[Letter, ...]:
        """Work; tasks behind one that took long are left to others."""
        if self.sent.refused:
            return (Letter("", self.attempt, "", how="store", reason=self.sent.refused),)
        began, letters = time.monotonic(), list[Letter]()
        writer = uuid.uuid4().hex
        for task, there in self.sent.tasks:
            if letters and (self._leaving or time.monotonic() - began > BEAT):
                letters.append(Letter(task.key, self.attempt, writer, how="left"))
            else:
                letters.append(self._done(task, there, writer))
        return tuple(letters)

    def leave(self) -> None:
        """Ask the work to keep a checkpoint and end; any thread may call this."""
        self._leaving = True
        if self._desk is not None:
            self._desk.watch.leaving = True

    def _done(self, task: Task, there: frozenset[str], writer: str) -> Letter:
        desk = Desk(self, task, there, writer)
        self._desk = desk
        if self._leaving:
            self.leave()
        with Pulse(desk):
            outcome, trace = tried(task, desk.watch, self.path)
        how = "left" if outcome.how == "taken" else outcome.how
        return replace(desk.letter(), how=how, reason=outcome.reason, trace=trace)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_desk": None, "_leaving": False}


class Desk:
    """What a worker's watch writes to, in place of a store: it gathers rows and notes, and posts
    letters.
    """

    def __init__(self, errand: Errand, task: Task, there: frozenset[str], writer: str) -> None:
        self.path = errand.path
        self._post, self._key = errand.post, task.key
        self._letter = Letter(task.key, errand.attempt, writer)
        self._there = there
        self._rows: list[Packed] = []
        self._notes: list[str] = []
        self._began = time.monotonic()
        self.watch = Watch(self, task, there, self._keep)

    def letter(self) -> Letter:
        """All there is to say now."""
        watch = self.watch
        self._letter = replace(
            self._letter,
            number=self._letter.number + 1,
            rows=tuple(self._rows),
            notes=tuple(self._notes),
            share=watch.share,
            loss=watch.loss,
            seconds=time.monotonic() - self._began,
        )
        return self._letter

    def beat(self) -> None:
        """Post a letter; whether it arrives does not concern the work, as the next says it again.

        Where another worker has the task by now, the watch learns that.
        """
        with contextlib.suppress(Exception):
            if not self._post.tell(self.letter()):
                self.watch.lose()

    def _keep(self, row: Packed, at_once: bool) -> None:
        self._rows.append(row)
        if at_once or time.monotonic() - self._began >= GATHER:
            self.beat()

    def present(self, keys: Iterable[str]) -> set[str]:
        """Those of the rows that the driver knew."""
        return set(keys) & self._there

    def add(self, task: str, run: Run, **extra: Any) -> None:
        """Not how rows come here: the watch hands them over packed."""
        raise StoreError(f"a row of task {task} reached the desk of a worker unpacked ({run})")

    def say(self, task: str, sentence: str) -> None:
        """Keep a sentence for the next letter."""
        self._notes.append(sentence)
