"""What a worker does with a task: claim it, keep the claim alive while it works, and end it one way
or another.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
import traceback
import uuid
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

from isoloss.files import use
from isoloss.runs.database import full
from isoloss.runs.problems import StoreError, StoreUnwritable
from isoloss.runs.sweeps.folders import remove_folder
from isoloss.runs.sweeps.store import Store
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
    since
        When it began, in seconds since 1970; what failed before is tried again.
    keep
        Leave the folders of tasks.
    modules
        What its process was told to `use`, so that workers anywhere know a user's own formats,
        methods and laws.
    """

    store: Path
    sweep: str
    since: float
    keep: bool
    modules: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """How a task ended.

    Attributes
    ----------
    how
        "done", "taken" by somebody else, "failed", or "store": the store itself cannot be written.
    reason
        One sentence for the last two.
    """

    how: Literal["done", "taken", "failed", "store"]
    reason: str = ""


class Pulse:
    """A thread that tells the store, while its block runs, that the task is worked on, and how far
    it is.
    """

    def __init__(self, store: Store, key: str, claim: str, watch: Watch) -> None:
        self._store, self._key, self._claim, self._watch = store, key, claim, watch
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._at = time.monotonic()
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: object, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        with contextlib.suppress(StoreError):
            self._beat()

    def _run(self) -> None:
        while not self._over.wait(BEAT):
            # A store that cannot be written now may be so again; rows that cannot be kept are said
            # by add.
            with contextlib.suppress(StoreError):
                if not self._beat():
                    self._watch.lose()
                    return

    def _beat(self) -> bool:
        now = time.monotonic()
        seconds, self._at = now - self._at, now
        return self._store.beat(
            self._key, self._claim, self._watch.share, self._watch.loss, seconds
        )


def work_on(task: Task, orders: Orders) -> Outcome:
    """Work on a task, and say how it ended; its claim is given up in every case, and what it added
    stays.
    """
    use(*orders.modules)
    store, claim = Store(orders.store), f"{orders.sweep}:{uuid.uuid4().hex}"
    try:
        if not store.claim(task, claim, orders.since):
            return Outcome("taken")
        try:
            outcome, trace = _worked(task, store, claim)
        except BaseException:
            store.end(task.key, claim, "waiting")
            raise
        if outcome.how == "done":
            store.end(task.key, claim, "done")
            if not orders.keep:
                remove_folder(orders.store, task.key)
        elif outcome.how == "failed":
            store.end(task.key, claim, "failed", outcome.reason, trace)
        elif outcome.how == "store":
            with contextlib.suppress(StoreError):
                store.end(task.key, claim, "waiting")
    except StoreError as error:
        return Outcome("store", str(error))
    return outcome


def _worked(task: Task, store: Store, claim: str) -> tuple[Outcome, str | None]:
    watch = Watch(store, task)
    try:
        if watch.missing:
            with Pulse(store, task.key, claim, watch):
                task.work(watch)
    except ClaimLost:
        return Outcome("taken"), None
    except StoreUnwritable as error:
        return Outcome("store", str(error)), None
    except (Exception, SystemExit) as error:
        # Writers of checkpoints wrap what the system said; its words stay.
        if getattr(error, "errno", None) in _NO_ROOM or os.strerror(errno.ENOSPC) in str(error):
            return Outcome("store", full(store.path)), None
        return Outcome("failed", _reason(error)), traceback.format_exc()
    if watch.missing:
        left, all_rows = len(watch.missing), len(task.rows)
        return Outcome("failed", f"its work ended with {left} of its {all_rows} rows missing"), None
    return Outcome("done"), None


def _reason(error: BaseException) -> str:
    """The sentence of an error, on one line; the kind of those that are not ours."""
    text = " ".join(str(error).split())
    return (
        text
        if isinstance(error, ValueError) and text
        else f"{type(error).__name__}: {text}".rstrip(": ")
    )
