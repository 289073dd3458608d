"""What a sweep left, and what one would take: values that print themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from isoloss.files import displayed
from isoloss.runs.numbers import compact, duration
from isoloss.runs.sweeps.engines import ENOUGH, Sizing, sizing
from isoloss.runs.sweeps.store import Store, TaskState
from isoloss.runs.sweeps.task import Task
from isoloss.runs.table import Runs


@displayed
@dataclass(frozen=True, repr=False)
class Swept:
    """What a sweep left: the rows of its tasks, and how many tasks were done by whom.

    Attributes
    ----------
    runs
        The rows of all tasks that are done.
    store
        The file of the store.
    done
        How many tasks this sweep did.
    elsewhere
        How many another sweep on the same store did meanwhile.
    already
        How many were done before.
    failures
        (label, reason) of each task that failed; the next sweep tries them again.
    """

    runs: Runs
    store: Path
    done: int
    elsewhere: int
    already: int
    failures: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        total = self.done + self.elsewhere + self.already + len(self.failures)
        if self.already == total:
            return f"nothing to do: {_all(len(self.runs), total)} in {self.store.name}"
        counts = {
            "done now": self.done,
            "done by another sweep": self.elsewhere,
            "there before": self.already,
            "failed": len(self.failures),
        }
        said = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        lines = [f"{self.store.name}: {_of(len(self.runs), total)}, {said}"]
        lines += [f"  failed: {label}: {reason}" for label, reason in self.failures]
        return "\n".join(lines)

    __repr__ = __str__


#: What an outlook says where nobody said how many work at once.
NOT_SAID = "workers not said: all of this is for one at once; workers= (--workers) says how many"


@displayed
@dataclass(frozen=True, repr=False)
class Outlook:
    """What a sweep would take.

    Attributes
    ----------
    store
        The file of the store, which need not be there.
    tasks, done
        How many tasks there are, and how many of them are done.
    rows, there
        How many rows they yield, and how many of them are in the store.
    flops
        FLOPs left to do; None where those of a task are unknown.
    memory
        Bytes that the workers need at once; None where those of a task are unknown.
    workers
        How many work at once.
    seconds
        The time left: the median of `sized`; without any, at the rate of the work under way, None
        where there is none.
    sized
        Hours, places and money by the times of finished tasks, one by one; None without any.
    is_assumed
        Whether nobody said how many work at once, so that all of this is for one.
    """

    store: Path
    tasks: int
    done: int
    rows: int
    there: int
    flops: float | None
    memory: float | None
    workers: int
    seconds: float | None
    sized: Sizing | None = None
    is_assumed: bool = False

    def __str__(self) -> str:
        if self.done == self.tasks:
            return f"nothing to do: {_all(self.rows, self.tasks)} in {self.store.name}"
        time = (
            "unknown until the first run is done"
            if self.seconds is None
            else f"about {duration(self.seconds)}"
        )
        if self.sized is not None and self.sized.low is not None and self.sized.high is not None:
            low, high = (duration(3600 * each) for each in (self.sized.low, self.sized.high))
            time += f", {low} to {high} in nine of ten draws from {self.sized.measured} tasks"
        elif self.seconds is not None:
            measured = 0 if self.sized is None else self.sized.measured
            time += f", without an interval: tasks done are {measured}, and it takes {ENOUGH}"
        flops = "unknown" if self.flops is None else compact(self.flops)
        memory = "unknown" if self.memory is None else f"{self.memory / 1e9:.3g} GB"
        return "\n".join(
            [
                f"tasks   {self.tasks}, {self.done} in {self.store.name}, {self.tasks - self.done} "
                "to do",
                f"rows    {self.rows}, {self.there} there",
                f"FLOPs   {flops} to do",
                f"memory  {memory} for {self.workers} at once",
                f"time    {time}",
                *(self.sized.lines() if self.sized is not None else ()),
                *([NOT_SAID] if self.is_assumed else ()),
            ]
        )

    __repr__ = __str__


def outlook(
    tasks: Sequence[Task], store: str | Path, workers: int | None = 1, price: float | None = None
) -> Outlook:
    """What a sweep of the tasks on a store would take; the store need not be there, and is not
    made.

    workers: how many work at once, None where that is not known; price: money for one and an hour.
    """
    is_assumed, workers = workers is None, workers or 1
    path = Path(store)
    there = Store(path).present(key for task in tasks for key in task.rows)
    left = [task for task in tasks if not there.issuperset(task.rows)]
    states = Store(path).tasks() if path.exists() else []
    shares = _shares(states)
    sizes = {
        task.key: task.flops * (1 - shares.get(task.key, 0.0)) if task.flops else None
        for task in left
    }
    known = [size for size in sizes.values() if size is not None]
    flops = sum(known) if len(known) == len(left) else None
    at_once = sorted((task.memory for task in left), reverse=True)
    memory = sum(at_once[:workers]) if all(at_once) else None
    rows = sum(len(task.rows) for task in tasks)
    done = len(tasks) - len(left)
    measured = [(each.flops, each.seconds) for each in states if each.state == "done"]
    sized = sizing(measured, sizes, workers, price)
    if sized is None:
        by_key = {task.key: task.flops for task in left}
        seconds = time_left(states, by_key, min(workers, len(left) or 1))
    else:
        seconds = 3600 * sized.hours
    return Outlook(
        path, len(tasks), done, rows, len(there), flops, memory, workers, seconds, sized, is_assumed
    )


def time_left(states: Sequence[TaskState], left: dict[str, float], workers: int) -> float | None:
    """The seconds that the tasks left (key to FLOPs) take that many workers, at the rate so far;
    None if unknown.

    The rate is FLOPs a second over all work in the store; tasks a second where FLOPs are not known.
    """
    by_flop = all(flops > 0 for flops in left.values())
    sizes = [(state.flops if by_flop else 1.0, state) for state in states]
    spent = sum(state.seconds for _, state in sizes)
    made = sum(size * state.share for size, state in sizes)
    if not (spent > 0 and made > 0):
        return None
    shares = _shares(states)
    to_do = sum(
        (size if by_flop else 1.0) * (1 - shares.get(key, 0.0)) for key, size in left.items()
    )
    return to_do * spent / made / workers


def _shares(states: Sequence[TaskState]) -> dict[str, float]:
    """How much of each task is done; one that was done and is asked for more rows begins again."""
    return {state.key: state.share for state in states if state.state != "done"}


def _all(rows: int, tasks: int) -> str:
    return f"all {_of(rows, tasks)} are"


def _of(rows: int, tasks: int) -> str:
    return f"{rows} row{'s' * (rows != 1)} of {tasks} task{'s' * (tasks != 1)}"
