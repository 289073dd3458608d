"""Which claims are held for dead: those that one sweep, by its own clock that never jumps, has not
heard of for a minute.

Clocks of machines differ and are set anew while a sweep runs, so that the time of a heartbeat says
nothing; that its number does not change does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from isoloss.runs.sweeps.process_id import Owner
from isoloss.runs.sweeps.store import STALE, Stamp, TaskState

#: Seconds after which a claim is called silent: it is heard of every two.
QUIET = 10.0
#: Tasks that a sentence about a wait names.
_NAMED = 3


class Hearing:
    """What a sweep has heard of the claims of others, look by look.

    clock: seconds on a clock that is never set, such as `time.monotonic`.
    """

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or time.monotonic
        self._since: dict[str, tuple[Stamp, float]] = {}

    def look(self, states: Iterable[TaskState]) -> None:
        """Take in how the tasks stand now."""
        now, before = self._clock(), self._since
        running = [state for state in states if state.state == "running"]
        self._since = {
            state.key: (state.stamp, before[state.key][1])
            if state.key in before and before[state.key][0] == state.stamp
            else (state.stamp, now)
            for state in running
        }

    def is_free(self, state: TaskState) -> bool:
        """Whether nobody works on the task: it waits, its owner ended or has been silent for too
        long.
        """
        return state.state != "running" or state.gone or self.silent(state) > STALE

    def silent(self, state: TaskState) -> float:
        """The seconds for which nothing was heard of a task that is under way."""
        stamp, since = self._since.get(state.key, (None, 0.0))
        return self._clock() - since if stamp == state.stamp else 0.0

    def waits_for(self, states: Iterable[TaskState]) -> str:
        """For which tasks of others a sweep waits, and what becomes of silent ones."""
        states = sorted(states, key=lambda state: state.label)
        first = "; ".join(
            f"'{state.label}' by process {owner.pid} on {owner.machine}"
            for state in states[:_NAMED]
            if (owner := Owner.parse(state.owner or "unknown:0:"))
        )
        more = f" and {len(states) - _NAMED} more" if len(states) > _NAMED else ""
        text = (
            f"waiting for {len(states)} task{'s' * (len(states) != 1)} under way elsewhere: "
            f"{first}{more}"
        )
        if quiet := sum(self.silent(state) > QUIET for state in states):
            text += (
                f"; {quiet} of them silent for over {QUIET:g} s, taken over after {STALE:g} s "
                "without a sign"
            )
        return text
