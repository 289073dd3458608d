"""How many tasks a worker is handed at once: one, unless they take so little time that asking would
take more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from isoloss.runs.sweeps.working import Outcome

#: Seconds of work in one portion of tiny tasks, and the most tasks in one.
TARGET, MOST = 0.25, 64


class Portions:
    """The size of the next portion, from the time that tasks took so far; it doubles at most.

    most: the largest portion, 1 where the executor shares tasks out by itself.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._seconds = math.inf
        self._last = 1

    def heard(self, outcomes: Sequence[Outcome]) -> None:
        """Take in how long the tasks of a portion took."""
        took = [each.seconds for each in outcomes if each.how == "done"]
        if took and len(outcomes) >= self._last:
            self._seconds = max(sum(took) / len(took), 1e-6)
            self._last = min(self._most, 2 * len(outcomes))
        elif took:
            self._seconds = max(self._seconds, sum(took) / len(took))

    def size(self, waiting: int, workers: int) -> int:
        """How many of the tasks that wait a worker is given, so that all have some to the end."""
        fair = math.ceil(waiting / (2 * workers))
        return max(1, min(self._last, fair, int(TARGET / self._seconds)))
