"""What a worker has to write of the tasks that it claimed together, gathered so that one flush of
the disk serves many.

Work that took longer than `GATHER` is never kept waiting: its rows are on the disk when `add`
returns. Shorter work is written within that time, so that a worker that is killed has lost no more
of it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import replace

from isoloss.runs.problems import StoreError
from isoloss.runs.stored import Packed
from isoloss.runs.sweeps.store import Store
from isoloss.runs.sweeps.task import Ending, State
from isoloss.runs.sweeps.watch import ClaimLost, Watch

#: Seconds of work that may be done before it is written down.
GATHER = 0.25


class Batch:
    """The tasks of one claim: those to begin, the one under way, and what is to be written of those
    that ended.

    Attributes
    ----------
    problems
        What could not be written, by task: None where the claim was lost, else the reason.
    kept
        Tasks whose end is written down.
    """

    def __init__(self, store: Store, claim: str, there: Mapping[str, set[str]]) -> None:
        self.store, self.claim, self.there = store, claim, there
        self.problems: dict[str, str | None] = {}
        self.kept: set[str] = set()
        self._rest = dict.fromkeys(there)
        self._now: Ending | None = None
        self._watch: Watch | None = None
        self._ended: list[Ending] = []
        self._lock = threading.RLock()
        self._at = self._oldest = self._begun = time.monotonic()

    def begin(self, key: str, watch: Watch) -> bool:
        """Whether the task is ours to begin: claimed, and not given back meanwhile."""
        with self._lock:
            if key not in self._rest:
                return False
            del self._rest[key]
            self._now, self._watch = Ending(key, ()), watch
            self._at = self._begun = time.monotonic()
            if not self._ended:
                self._oldest = self._begun
            return True

    def add(self, row: Packed, at_once: bool) -> None:
        """Keep a row of the task under way.

        at_once: it stands for work before this task began, as of a checkpoint.
        Raises ClaimLost, or StoreError where the row is there with other values.
        """
        with self._lock:
            assert self._now is not None
            key = self._now.key
            self._now = replace(self._now, rows=(*self._now.rows, row))
            if at_once or time.monotonic() - self._begun >= GATHER:
                self.flush()
                if (reason := self.problem(key)) is not None:
                    raise StoreError(reason)
                if key in self.problems:
                    raise ClaimLost(key)

    def end(self, state: State, reason: str | None = None, trace: str | None = None) -> None:
        """End the task under way."""
        with self._lock:
            assert self._now is not None
            assert self._watch is not None
            now = replace(self._now, state=state, reason=reason, trace=trace)
            self._ended.append(replace(now, loss=self._watch.loss, seconds=self._spent()))
            self._now = self._watch = None
            if time.monotonic() - self._oldest >= GATHER:
                self.flush()

    def flush(self) -> None:
        """Write down all there is; StoreError where the store cannot be written."""
        with self._lock:
            now = self._now
            waiting = [*self._ended, *([now] if now is not None and now.rows else [])]
            if waiting:
                self.problems |= self.store.settle(waiting, self.claim)
            self.kept.update(ending.key for ending in self._ended)
            self._ended = []
            if now is not None:
                self._now = replace(now, rows=())
                self._oldest = time.monotonic()
                if now.key in self.problems and self._watch is not None:
                    self._watch.lose()

    def beat(self) -> None:
        """Tell the store how far the task under way is; tasks that did not come to their turn by
        now are given back, for others to take.
        """
        with self._lock:
            self.flush()
            if self._now is not None and self._watch is not None:
                watch, key = self._watch, self._now.key
                if not self.store.beat(key, self.claim, watch.share, watch.loss, self._spent()):
                    self.problems.setdefault(key, None)
                    watch.lose()
            if self._rest:
                self.store.release(self._rest, self.claim)
                self._rest = {}

    def drop(self) -> None:
        """Give back what is not done."""
        with self._lock:
            now, self._now = self._now, None
            self._ended += [replace(now, state="waiting")] if now is not None else []
            self.flush()
            self.store.release(self._rest, self.claim)
            self._rest = {}

    def _spent(self) -> float:
        now = time.monotonic()
        seconds, self._at = now - self._at, now
        return seconds

    def problem(self, key: str) -> str | None:
        """Take the reason for which rows of a task under way were refused."""
        with self._lock:
            reason = self.problems.get(key)
            return None if reason is None else self.problems.pop(key)
