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

import isoloss as il


@contextmanager
def counted(
    what: str, total: int, console: Console | None = None
) -> Iterator[Callable[[int], None]]:
    """A function to call with how many more of the total are done; the bar leaves nothing
    behind.
    """
    with _bar(console) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.advance(task, done)


@contextmanager
def followed(what: str, console: Console | None = None) -> Iterator[Callable[[int, int], None]]:
    """A function to call with how many are done, and of how many; the bar leaves nothing behind."""
    with _bar(console) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def naming(what: str, console: Console | None = None) -> Iterator[Callable[[int, int, str], None]]:
    """A function to call with how many are done, of how many, and what is under way; the bar leaves
    nothing behind.
    """
    with _bar(console) as bar:
        task = bar.add_task(what, total=None)

        def tell(done: int, total: int, name: str) -> None:
            bar.update(
                task, completed=done, total=total, description=il.files.printable(f"{what} {name}")
            )

        yield tell


@contextmanager
def waiting(what: str, console: Console | None = None) -> Iterator[None]:
    """Show a sign of life on a terminal while something of unknown length runs."""
    console = console or Console(stderr=True)
    if console.is_terminal:
        with console.status(what):
            yield
    else:
        yield


def _bar(console: Console | None) -> Progress:
    """A bar on stderr, shown only on a terminal."""
    console = console or Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
    )
    return Progress(
        *columns,
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
