"""What a waiting person sees of a sweep, on stderr: a live table on a terminal, quiet lines
elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from isoloss.files import printable
from isoloss.runs.numbers import duration
from isoloss.runs.sweeps.store import TaskState

if TYPE_CHECKING:
    from rich.console import Console

#: Seconds between two lines where nobody watches a terminal: when something was done since, and in
#: any case.
QUIET, LONG_QUIET = 10.0, 300.0
MOST_RUNNING = 12


@dataclass(frozen=True)
class Standing:
    """How a sweep stands: tasks done, failed and in all, those running, and the seconds left (None:
    unknown).
    """

    done: int
    failed: int
    total: int
    running: Sequence[TaskState]
    seconds: float | None

    def __str__(self) -> str:
        left = self.total - self.done - self.failed - len(self.running)
        parts = [
            f"{self.done} of {self.total} tasks done",
            f"{len(self.running)} running",
            f"{left} left",
        ]
        parts += [f"{self.failed} failed"] if self.failed else []
        parts += [f"about {duration(self.seconds)} to go"] if self.seconds is not None else []
        return ", ".join(parts)


class Progress:
    """A context in which a sweep is shown; says nothing at all where not `show`."""

    def __init__(self, show: bool) -> None:
        self._console: Console | None = None
        self._live: Any = None
        self._last, self._done = time.monotonic(), -1
        if show:
            from rich.console import Console

            self._console = Console(stderr=True, soft_wrap=True, highlight=False)

    def __enter__(self) -> Progress:
        if self._console is not None and self._console.is_terminal:
            from rich.live import Live

            self._live = Live(console=self._console, transient=True, refresh_per_second=4)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: object, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, sentence: str) -> None:
        """Print one line that stays."""
        if self._console is not None:
            self._console.print(printable(sentence), markup=False)

    def show(self, now: Standing) -> None:
        """Bring the display up to date."""
        if self._live is not None:
            self._live.update(_table(now))
            return
        silent = time.monotonic() - self._last
        if silent > LONG_QUIET or (silent > QUIET and now.done != self._done):
            self.say(str(now))
            self._last, self._done = time.monotonic(), now.done


def _table(now: Standing) -> Any:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    shares = sum(state.share for state in now.running)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in ("running", "done", "loss now"):
        table.add_column(head, justify="left" if head == "running" else "right", no_wrap=True)
    for state in now.running[:MOST_RUNNING]:
        loss = "" if state.loss is None else f"{state.loss:.4f}"
        table.add_row(Text(printable(state.label)), f"{state.share:.0%}", loss)
    if len(now.running) > MOST_RUNNING:
        table.add_row(f"and {len(now.running) - MOST_RUNNING} more", "", "")
    bar = Table.grid()  # a bar alone does not end its line
    bar.add_row(ProgressBar(total=now.total, completed=now.done + now.failed + shares, width=60))
    return Group(Text(str(now)), bar, *([table] if now.running else []))
