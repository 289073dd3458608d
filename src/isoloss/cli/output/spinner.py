"""What a waiting user sees: a bar of bootstrap replicates, on stderr and only on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)


@contextmanager
def counted(
    what: str, total: int, console: Console | None = None
) -> Iterator[Callable[[int], None]]:
    """A function to call with how many more of the total are done; the bar leaves nothing
    behind.
    """
    console = console or Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns,
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.advance(task, done)


@contextmanager
def waiting(what: str, console: Console | None = None) -> Iterator[None]:
    """Show a sign of life on a terminal while something of unknown length runs."""
    console = console or Console(stderr=True)
    if console.is_terminal:
        with console.status(what):
            yield
    else:
        yield
