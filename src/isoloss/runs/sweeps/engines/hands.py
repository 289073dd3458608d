"""The hands of a sweep: who works on its tasks, seen as calls that are sent and that land.

Two kinds: the processes of this machine (`Pool`), which write to the store themselves, and the
driver of an engine (`Driver`), which writes down what workers elsewhere send.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import dataclass
from typing import Protocol

from isoloss.runs.sweeps.crew import Crew
from isoloss.runs.sweeps.deaths import how_ended
from isoloss.runs.sweeps.portions import MOST
from isoloss.runs.sweeps.store import Stamp
from isoloss.runs.sweeps.task import Task
from isoloss.runs.sweeps.working import Orders, Outcome, work_on

Portion = list[Task]


@dataclass(frozen=True)
class Landed:
    """A call that has ended.

    Attributes
    ----------
    flight
        The call, as `send` named it.
    outcomes
        How each of its tasks ended; None where its worker died.
    how
        How that died.
    begun
        Whether any worker has been heard of so far, where they are not those of this machine.
    """

    flight: Hashable
    outcomes: tuple[Outcome, ...] | None
    how: str = ""
    begun: bool = True


class Hands(Protocol):
    """Who works on the tasks of a sweep.

    Attributes
    ----------
    most
        Tasks of one call at most.
    """

    most: int

    def places(self) -> int | None:
        """Calls that may be under way at once now; None for any number."""

    def taken_up(self, tasks: Sequence[Task]) -> list[tuple[Hashable, Portion]]:
        """Calls of an earlier sweep on these tasks that go on, with the tasks of each."""

    def send(self, portions: Sequence[Portion], over: Mapping[str, Stamp]) -> Sequence[Hashable]:
        """Have each portion worked on; `over`: attempts that may be followed, by task."""

    def landed(self, timeout: float) -> list[Landed]:
        """Calls that have ended, after so many seconds at most."""

    def stop(self) -> str:
        """End, as when the sweep fails; what to say of work that goes on, or ""."""

    def leave(self) -> None:
        """End when all is done."""


class Pool:
    """The processes of this machine."""

    most = MOST

    def __init__(self, crew: Crew, size: int, orders: Orders) -> None:
        self._crew, self._size, self._orders = crew, size, orders
        self._flying: set[Future[tuple[Outcome, ...]]] = set()

    def places(self) -> int | None:
        """As many as there are processes."""
        return self._size

    def taken_up(self, tasks: Sequence[Task]) -> list[tuple[Hashable, Portion]]:
        """Processes end with their sweep."""
        return []

    def send(self, portions: Sequence[Portion], over: Mapping[str, Stamp]) -> Sequence[Hashable]:
        """One call each."""
        sent = []
        for portion in portions:
            these = {task.key: over[task.key] for task in portion if task.key in over}
            sent.append(self._crew.submit(work_on, tuple(portion), self._orders, these))
        self._flying.update(sent)
        return sent

    def landed(self, timeout: float) -> list[Landed]:
        """Those that returned or whose process died."""
        return [
            self._ended(future)
            for future in wait(self._flying, timeout=timeout, return_when=FIRST_COMPLETED).done
        ]

    def _ended(self, future: Future[tuple[Outcome, ...]]) -> Landed:
        self._flying.discard(future)
        try:
            return Landed(future, future.result())
        except BrokenExecutor:
            return Landed(future, None, how_ended(self._crew.exit_code(future)))

    def stop(self) -> str:
        """Kill them."""
        for future in self._flying:
            future.cancel()
        self._crew.kill()
        return ""

    def leave(self) -> None:
        """They end with the block of the crew."""
