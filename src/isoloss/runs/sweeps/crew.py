"""The workers of this machine: spawned processes of one thread each, the death of one concerning
its task alone.
"""

from __future__ import annotations

import math
import os
import pickle
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from isoloss.files import use, used
from isoloss.runs.problems import StoreError

_Result = TypeVar("_Result")
#: Seconds within which the exit code of a process that died is known.
_BURIED = 2.0
#: What numeric libraries ask for how many threads to start; read when they are imported.
_LIBRARIES = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "NUMBA", "BLIS", "RAYON")
THREADS = (
    "VECLIB_MAXIMUM_THREADS",
    "POLARS_MAX_THREADS",
    *(f"{name}_NUM_THREADS" for name in _LIBRARIES),
)


class Crew(Executor):
    """An executor of `size` places, each a pool of one process: a process that dies breaks no
    other's work.

    No more than `size` calls may be under way. The processes end when this one does, however it
    does, and at once by `kill`: all hold the end of a pipe that closes then. main: whether their
    work needs the module __main__.
    """

    def __init__(self, size: int, main: bool = True) -> None:
        self._main = main
        self._context = get_context("spawn")
        self._watched, self._held = self._context.Pipe(duplex=False)
        self._pools: list[ProcessPoolExecutor | None] = [None] * size
        self._futures: list[Future[Any] | None] = [None] * size
        # Kept for as long as the future is: its place may be taken before its end is heard of.
        self._processes: WeakKeyDictionary[Future[Any], list[BaseProcess]] = WeakKeyDictionary()

    def submit(self, call: Callable[..., _Result], /, *args: Any, **named: Any) -> Future[_Result]:
        """The future of a call, made in a process that is free; one that died is replaced."""
        place = next(i for i, future in enumerate(self._futures) if future is None or future.done())
        future: Future[_Result]
        work = used(), pickle.dumps((call, args, named))
        with _surroundings(self._main):
            try:
                future = self._pool(place).submit(_call, *work)
            except BrokenExecutor:
                self._pools[place] = None
                future = self._pool(place).submit(_call, *work)
        self._futures[place] = future
        # Pools forget a process that died; its exit code is what tells why.
        known = getattr(self._pools[place], "_processes", None) or {}
        self._processes[future] = list(known.values())
        return future

    def exit_code(self, future: Future[Any]) -> int | None:
        """The exit code of the process that died over a call, minus the signal that killed it; None
        where it is not known.
        """
        until = time.monotonic() + _BURIED
        for process in self._processes.get(future, []):
            # Who waits for it meanwhile, as its pool does, takes the code first.
            while process.exitcode is None and time.monotonic() < until:
                time.sleep(0.005)
            if process.exitcode:
                return process.exitcode
        return None

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Wait for the processes to end."""
        for pool in filter(None, self._pools):
            pool.shutdown(wait, cancel_futures=cancel_futures)
        self._held.close()
        self._watched.close()

    def kill(self) -> None:
        """End every process at once, whatever it does."""
        self._held.close()
        for pool in filter(None, self._pools):
            pool.shutdown(wait=True, cancel_futures=True)

    def _pool(self, place: int) -> ProcessPoolExecutor:
        pool = self._pools[place] or ProcessPoolExecutor(
            1, mp_context=self._context, initializer=_begin, initargs=(self._watched,)
        )
        self._pools[place] = pool
        return pool


def needs_main(things: Any) -> bool:
    """Whether things refer to the module __main__ when sent to another process; StoreError where
    they cannot be.
    """
    try:
        return b"__main__" in pickle.dumps(things)
    except Exception as error:
        text = " ".join(str(error).split())
        raise StoreError(
            f"the work of a task cannot be sent to another process ({text}); "
            "give a function at the top level of a module, or an executor of threads"
        ) from None


def cores() -> int:
    """How many cores this process may use: those it is bound to, or its share of them where that is
    limited.
    """
    bound = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return max(1, min(bound, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):
        return bound


def _begin(watched: Connection) -> None:
    """Tie a process to the one that started it, which alone hears the interrupt of the keyboard."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(watched,), daemon=True).start()


def _call(modules: tuple[str, ...], work: bytes) -> Any:
    """The result of a pickled call, after the modules that its parent uses and it is made of.

    Raises StoreError where this process cannot import them.
    """
    try:
        use(*modules)
    except ValueError as error:
        raise StoreError(f"a worker {error}") from None
    call, args, named = pickle.loads(work)
    return call(*args, **named)


def _end_with(watched: Connection) -> None:
    # Nothing is ever sent: the wait ends when the other end of the pipe closes.
    try:
        watched.poll(None)
    finally:
        os._exit(1)


@contextmanager
def _surroundings(main: bool) -> Iterator[None]:
    """What a process inherits that starts in this block: one thread for every library.

    main: whether it needs the module __main__. Where not, it does not import that a second time, so
    that a script needs no guard against starting its own sweep again.
    """
    before = {name: os.environ.get(name) for name in THREADS}
    module = sys.modules["__main__"]
    os.environ.update(dict.fromkeys(THREADS, "1"))
    if not main:
        sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = module
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
