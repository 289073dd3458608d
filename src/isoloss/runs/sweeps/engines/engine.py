"""An engine: whatever takes calls and makes them somewhere else, such as Ray, Slurm or an executor.

One more is one file: a class with the methods below, or less, since anything with ``submit`` whose
results have ``result`` and ``done`` is taken as it is (`AnyExecutor`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from isoloss.files import shown_value
from isoloss.runs.problems import StoreError
from isoloss.runs.sweeps.engines.errand import Errand
from isoloss.runs.sweeps.engines.letters import FolderPost, Letter, Post
from isoloss.runs.sweeps.engines.settings import check_whole


class Handle(Protocol):
    """A call that was handed to an engine.

    One that has ``add_done_callback`` too, as a `concurrent.futures.Future` has, is heard of at
    once; others are asked now and then.
    """

    def done(self) -> bool:
        """Whether it has ended, in whatever way."""

    def result(self) -> tuple[Letter, ...]:
        """What it returned; any exception says that its worker was lost."""


@runtime_checkable
class Submits(Protocol):
    """An executor, as far as a sweep is concerned."""

    def submit(self, call: Any, /) -> Any:
        """Make a call somewhere; what is returned has ``done`` and ``result``."""


@runtime_checkable
class Engine(Protocol):
    """Where the work of a sweep is done.

    Attributes
    ----------
    name
        Its name for people.
    every
        Seconds between two looks at handles that call nobody back.
    stays
        Whether calls go on when the driver ends, and are found by it or the next (`again`).
    most
        Tasks of a call, at most: more than one where calls cost and tasks take no time.
    here
        Whether its workers are on this machine, in whose memory they must fit.
    """

    name: str
    every: float
    stays: bool
    most: int
    here: bool

    def start(self, store: Path) -> Post:
        """Make ready for a sweep on a store; the way in which its workers tell."""

    def places(self) -> int | None:
        """Calls that are worth having under way now; None for all there are."""

    def submit(self, errands: Sequence[Errand]) -> Iterable[Handle]:
        """Hand over some calls; those that come before an error are under way."""

    def reference(self, handle: Handle) -> str:
        """A name by which `again` finds a call, where it stays."""

    def again(self, reference: str) -> Handle | None:
        """A call of an earlier driver; None where nothing is known of it."""

    def cancel(self, handle: Handle) -> None:
        """End a call that nobody waits for any more, as far as that is possible."""

    def stop(self, done: bool) -> None:
        """End what `start` began; calls that stay go on. done: all is, and no call failed."""


#: What makes an engine of an executor.
PARTS = (
    *Engine.__annotations__,
    *(name for name, value in vars(Engine).items() if callable(value) and name[0] != "_"),
)


class AnyExecutor:
    """An executor of `concurrent.futures`, Dask's, submitit's, or anything with ``submit``.

    Parameters
    ----------
    executor
        It stays its owner's to shut down.
    at_once
        Calls to have under way at most; by default as many as the pools of `concurrent.futures`
        have workers, so that other sweeps find work, and of others all at once.
    """

    name = "executor"
    every = 0.05
    stays = False
    most = 1

    def __init__(self, executor: Any, at_once: int | None = None) -> None:
        check_whole("at_once", at_once)
        self.executor = executor
        self.here = isinstance(executor, ThreadPoolExecutor | ProcessPoolExecutor)
        self.at_once: int | None = at_once or getattr(executor, "_max_workers", None)

    def start(self, store: Path) -> Post:
        """Workers tell by the folder beside the store, where they reach it."""
        return FolderPost(store)

    def places(self) -> int | None:
        """As many as were asked for."""
        return self.at_once

    def submit(self, errands: Sequence[Errand]) -> Iterable[Handle]:
        """One call each."""
        for errand in errands:
            handle = self.executor.submit(errand)
            if not all(callable(getattr(handle, name, None)) for name in ("done", "result")):
                raise StoreError(
                    f"submit of {type(self.executor).__name__} gave {shown_value(handle)}; "
                    "accepted is a call with done and result"
                )
            yield handle

    def reference(self, handle: Handle) -> str:
        """Calls that do not stay have no name."""
        return ""

    def again(self, reference: str) -> Handle | None:
        """Nothing is found again."""
        return None

    def cancel(self, handle: Handle) -> None:
        """By the handle's own means, where it has any."""
        cancel: Callable[[], Any] | None = getattr(handle, "cancel", None)
        if cancel is not None:
            cancel()

    def stop(self, done: bool) -> None:
        """Leave the executor to its owner."""
