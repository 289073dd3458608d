"""Workers that died: how, how often on which task, and when to give up."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from collections.abc import Sequence

from isoloss.runs.problems import StoreError
from isoloss.runs.sweeps.store import TaskState
from isoloss.runs.sweeps.task import Task

#: A task whose worker dies so often, without getting further in between, has failed.
DEATHS = 5
#: Workers that may die one after the other before they have claimed anything; elsewhere, tasks
#: whose workers may die twice before any was heard of.
STILLBORN = 3
#: What a signal mostly means for a worker.
_MEANT = {
    "SIGKILL": "often the system, for want of memory",
    "SIGSEGV": "a crash of compiled code",
    "SIGBUS": "a crash of compiled code, or a file that was cut under it",
    "SIGABRT": "compiled code that gave up",
    "SIGILL": "compiled code for another processor",
    "SIGFPE": "compiled code that divided by zero",
}


class Deaths:
    """The deaths of a sweep's workers so far."""

    def __init__(self) -> None:
        self._counts: dict[str, tuple[int, float]] = {}
        self._stillborn = 0
        self._at_birth = Counter[str]()
        #: Tasks that are handed out alone: one of them may kill its worker.
        self.alone: set[str] = set()

    def worked(self) -> None:
        """A worker got somewhere."""
        self._stillborn = 0

    def of(self, tasks: Sequence[Task], claimed: bool, how: str, begun: bool = True) -> None:
        """Take in that the worker of these tasks died; StoreError where none even begins.

        claimed: whether it had begun to work; begun: whether any worker had, so far.
        """
        self._stillborn = 0 if claimed else self._stillborn + 1
        if self._stillborn >= STILLBORN:
            raise StoreError(
                "workers end before they begin to work: they must be able to import it, so a "
                "notebook takes it from a file, and a script calls sweep below "
                f"`if __name__ == '__main__':`; the last {how}"
            )
        self._at_birth.update(() if begun else [task.key for task in tasks])
        if sum(count > 1 for count in self._at_birth.values()) >= STILLBORN:
            raise StoreError(
                "no worker begins to work: each must be able to import isoloss and the modules of "
                f"the work where it is; the last {how}"
            )
        if len(tasks) > 1:
            self.alone.update(task.key for task in tasks)

    def hopeless(self, state: TaskState, how: str) -> str | None:
        """Why a task whose worker died once more has failed; None while it may be tried again.

        how: how it died, "" where it lives and gave the task back.
        """
        count, share = self._counts.get(state.key, (0, -1.0))
        count, share = (1 if state.share > share else count + 1), max(share, state.share)
        self._counts[state.key] = count, share
        if count < DEATHS:
            return None
        what, last = ("died", f"; the last {how}") if how else ("gave it back", "")
        return f"its worker {what} {count} times at {share:.0%} of the work{last}"


def how_ended(code: int | None) -> str:
    """How a process ended, in words: "was killed by SIGKILL (...)", "ended with exit code 3"."""
    if code is None:
        return "was killed"
    if code >= 0:
        return f"ended with exit code {_windows(code)}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    meant = f" ({_MEANT[name]})" if name in _MEANT else ""
    return f"was killed by {name}{meant}"


def _windows(code: int) -> str:
    """The code; those of crashes under Windows are written as its pages have them."""
    return f"{code:#x}" if sys.platform == "win32" and code > 0xFFFF else str(code)
