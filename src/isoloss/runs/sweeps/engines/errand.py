"""An errand: tasks that are sent to a worker off this machine, and what it does with them there."""

from __future__ import annotations

import contextlib
import pickle
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from isoloss.files import use, used
from isoloss.runs.stored import Packed
from isoloss.runs.sweeps.batch import GATHER
from isoloss.runs.sweeps.engines.letters import Letter, Post
from isoloss.runs.sweeps.task import Task
from isoloss.runs.sweeps.watch import Watch
from isoloss.runs.sweeps.working import BEAT, Pulse, tried

Ended = Literal["done", "failed", "left", "store"]


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
        """Work; tasks behind one that takes long are left to others, as soon as it does."""
        if self.sent.refused:
            return (Letter("", self.attempt, "", how="store", reason=self.sent.refused),)
        keys = [task.key for task, _ in self.sent.tasks]
        told = {letter.task: letter for letter in self._told(keys)}
        writer, until, letters = uuid.uuid4().hex, time.monotonic() + BEAT, list[Letter]()
        for place, (task, there) in enumerate(self.sent.tasks):
            behind = [Letter(key, self.attempt, writer, how="left") for key in keys[place + 1 :]]
            desk = Desk(self, task, there, told.get(task.key) or Letter(task.key, "", ""), writer)
            letters.append(self._done(task, desk, Round(desk, self.post, behind, until)))
            if self._leaving or time.monotonic() > until:
                return (*letters, *behind)
        return tuple(letters)

    def _told(self, keys: Sequence[str]) -> list[Letter]:
        """What an earlier worker of this call said, as where its job was queued again."""
        try:
            return self.post.told(self.attempt, keys)
        except Exception:  # a post that does not answer: rows are finished anew
            return []

    def leave(self) -> None:
        """Ask the work to keep a checkpoint and end; any thread may call this."""
        self._leaving = True
        if self._desk is not None:
            self._desk.watch.leaving = True

    def _done(self, task: Task, desk: Desk, pulse: Round) -> Letter:
        self._desk = desk
        if self._leaving:
            self.leave()
        with Pulse(pulse):
            outcome, trace = tried(task, desk.watch, self.path)
        how = "left" if outcome.how == "taken" else outcome.how
        if self._leaving:
            desk.beat()  # the next worker of this call goes on from its last letter
        return desk.last(how, outcome.reason, trace)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_desk": None, "_leaving": False}


@dataclass
class Round:
    """What is told at every pulse of a call: the task under way, and, after a time (`until`), that
    those behind it are left to others.
    """

    desk: Desk
    post: Post
    behind: Sequence[Letter]
    until: float

    def beat(self) -> None:
        """Post letters; those that do not arrive come with the result."""
        self.desk.beat()
        if self.behind and time.monotonic() > self.until:
            with contextlib.suppress(Exception):
                for letter in self.behind:
                    self.post.tell(letter)
            self.behind = ()


class Desk:
    """What a worker's watch writes to, in place of a store: it gathers rows and notes, and posts
    letters.

    before: the last letter of this call's worker before, which may be an empty one.
    """

    def __init__(
        self, errand: Errand, task: Task, there: frozenset[str], before: Letter, writer: str
    ) -> None:
        self.path = errand.path
        self._post, self._key, self._before = errand.post, task.key, before
        self._empty = Letter(
            task.key, errand.attempt, writer, before=(*before.before, before.writer)
        )
        self._rows, self._notes = list(before.rows), list(before.notes)
        self._arrived, self._unheard = 0, ""
        self._began = time.monotonic()
        self.watch = Watch(self, task, there | {row.key for row in before.rows}, self._keep)

    def last(self, how: Ended, reason: str, trace: str | None) -> Letter:
        """The letter that the call returns."""
        if self._unheard and not self._arrived:
            said = f"no letter of its worker arrived ({self._unheard}): progress was not shown"
            self._notes.append(said)
        return replace(self.letter(), how=how, reason=reason, trace=trace)

    def letter(self) -> Letter:
        """All there is to say now."""
        return replace(
            self._empty,
            number=self._arrived + 1,
            rows=tuple(self._rows),
            notes=tuple(self._notes),
            share=self.watch.share,
            loss=self.watch.loss,
            seconds=self._before.seconds + time.monotonic() - self._began,
        )

    def beat(self) -> None:
        """Post a letter; whether it arrives does not concern the work, as the next says it again.

        Where another worker has the task by now, the watch learns that.
        """
        try:
            if not self._post.tell(self.letter()):
                self.watch.lose()
            self._arrived += 1
        except Exception as error:
            self._unheard = " ".join(f"{type(error).__name__}: {error}".split())[:200]

    def _keep(self, row: Packed, at_once: bool) -> None:
        self._rows.append(row)
        if at_once or time.monotonic() - self._began >= GATHER:
            self.beat()

    def say(self, task: str, sentence: str) -> None:
        """Keep a sentence for the next letter."""
        self._notes.append(sentence)
