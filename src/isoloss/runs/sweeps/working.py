"""What a worker does with tasks: claim them, keep the claim alive while it works, and end each one
way or another.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
import traceback
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol

from isoloss.files import use
from isoloss.runs.database import full, has_room
from isoloss.runs.problems import StoreError, StoreUnwritable
from isoloss.runs.sweeps.batch import Batch
from isoloss.runs.sweeps.folders import remove_folder
from isoloss.runs.sweeps.store import Stamp, Store
from isoloss.runs.sweeps.task import Task
from isoloss.runs.sweeps.watch import ClaimLost, Watch

#: Seconds between two signs of life.
BEAT = 2.0
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class Orders:
    """What workers know of their sweep.

    Attributes
    ----------
    store
        The file of its store.
    sweep
        Its name, with which its claims begin.
    keep
        Leave the folders of tasks.
    modules
        What its process was told to `use`, so that workers anywhere know a user's own formats,
        methods and laws.
    folder
        Where the folders of tasks are, None for beside the store.
    """

    store: Path
    sweep: str
    keep: bool
    modules: tuple[str, ...] = ()
    folder: Path | None = None

    @property
    def beside(self) -> Path:
        """The file beside which the folders of tasks are."""
        return self.store if self.folder is None else self.folder / self.store.name


@dataclass(frozen=True)
class Outcome:
    """How a task ended.

    Attributes
    ----------
    how
        "done", "taken" by somebody else, "left" unfinished by a worker that had to, "failed", or
        "store": the store itself cannot be written.
    reason
        One sentence for the last two.
    seconds
        The time that it took here.
    """

    how: Literal["done", "taken", "left", "failed", "store"]
    reason: str = ""
    seconds: float = 0.0


class Beating(Protocol):
    """What is told at every pulse: a batch, or a worker's desk."""

    def beat(self) -> None:
        """Tell how far the work is."""


class Pulse:
    """A thread that tells the store, while its block runs, what a worker does with its batch."""

    def __init__(self, batch: Beating) -> None:
        self._batch = batch
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: object, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(BEAT):
            # A store that cannot be written now may be so again; rows that cannot be kept are said
            # by add.
            with contextlib.suppress(StoreError):
                self._batch.beat()


def work_on(
    tasks: Sequence[Task], orders: Orders, over: Mapping[str, Stamp] | None = None
) -> tuple[Outcome, ...]:
    """Work on tasks one after the other, and say how each ended; claims are given up in every case,
    and what was added stays.

    over: attempts that failed or are held for dead, by task, which may be followed.
    """
    use(*orders.modules)
    store, claim = Store(orders.store), f"{orders.sweep}:{uuid.uuid4().hex}"
    ended: dict[str, Outcome] = {}
    try:
        batch = Batch(store, claim, store.claim_all(tasks, claim, over or {}))
    except StoreError as error:
        return tuple(Outcome("store", str(error)) for _ in tasks)
    try:
        with Pulse(batch):
            for task in tasks:
                ended[task.key] = _worked(task, batch)
                if ended[task.key].how == "store":
                    break
        batch.flush()
    except StoreError as error:
        ended = {k: each for k, each in ended.items() if k in batch.kept or each.how == "taken"}
        unkept = Outcome("store", str(error))
    except BaseException:
        with contextlib.suppress(StoreError):
            batch.drop()
        raise
    else:
        unkept = Outcome("taken")
    if any(each.how == "store" for each in (unkept, *ended.values())):
        with contextlib.suppress(StoreError):
            batch.drop()
    outcomes = tuple(_kept(ended.get(task.key, unkept), task.key, batch) for task in tasks)
    if not orders.keep:
        for task, outcome in zip(tasks, outcomes, strict=True):
            if outcome.how == "done":
                remove_folder(orders.store, task.key)
    return outcomes


def _kept(outcome: Outcome, key: str, batch: Batch) -> Outcome:
    """The outcome, as far as it could be written down."""
    if key not in batch.problems:
        return outcome
    reason = batch.problems[key]
    return Outcome("taken") if reason is None else Outcome("failed", reason, outcome.seconds)


def _worked(task: Task, batch: Batch) -> Outcome:
    """Begin and end a task of the batch, if it is still ours."""
    watch = Watch(batch.store, task, batch.there.get(task.key, ()), batch.add)
    if not batch.begin(task.key, watch):
        return Outcome("taken")
    began = time.monotonic()
    outcome, trace = tried(task, watch, batch.store.path)
    if outcome.how == "taken" and (refused := batch.problem(task.key)) is not None:
        outcome = Outcome("failed", refused)
    if outcome.how in ("done", "failed"):
        batch.end(outcome.how, outcome.reason or None, trace)
    else:
        batch.end("waiting")
    return replace(outcome, seconds=time.monotonic() - began)


def tried(task: Task, watch: Watch, store: Path) -> tuple[Outcome, str | None]:
    """Do the work of a task, its store or what stands for it being there: how it ended, and where
    in the code it failed.
    """
    try:
        if watch.missing:
            task.work(watch)
    except ClaimLost:
        return Outcome("taken"), None
    except (Exception, SystemExit) as error:
        if _is_of_store(error, store):
            return Outcome("store", str(error)), None
        # Writers of checkpoints wrap what the system said; its words stay.
        no_room = getattr(error, "errno", None) in _NO_ROOM
        if (no_room or os.strerror(errno.ENOSPC) in str(error)) and not has_room(store):
            return Outcome("store", full(store)), None
        return Outcome("failed", _reason(error)), traceback.format_exc()
    if watch.missing:
        left, all_rows = len(watch.missing), len(task.rows)
        return Outcome("failed", f"its work ended with {left} of its {all_rows} rows missing"), None
    return Outcome("done"), None


def _is_of_store(error: BaseException, store: Path) -> bool:
    """Whether an error says that this very store cannot be used: work may have stores of its
    own.
    """
    return isinstance(error, StoreUnwritable) and (
        error.path is None or os.path.realpath(error.path) == os.path.realpath(store)
    )


def _reason(error: BaseException) -> str:
    """The sentence of an error, on one line; the kind of those that are not ours."""
    text = " ".join(str(error).split())
    return (
        text
        if isinstance(error, ValueError) and text
        else f"{type(error).__name__}: {text}".rstrip(": ")
    )
