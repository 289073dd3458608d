"""The sweep: tasks shared out among workers and among sweeps, each done once, resumed after any
kind of death.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from pathlib import Path

from isoloss.files import used
from isoloss.runs.problems import StoreError
from isoloss.runs.stored import STORES
from isoloss.runs.sweeps.crew import Crew, cores, needs_main
from isoloss.runs.sweeps.folders import remove_empty, remove_folder
from isoloss.runs.sweeps.progress import Progress, Standing
from isoloss.runs.sweeps.store import Store, TaskState
from isoloss.runs.sweeps.swept import Swept, time_left
from isoloss.runs.sweeps.task import Task
from isoloss.runs.sweeps.working import Orders, Outcome, work_on

#: Seconds between two looks at the store.
LOOK = 0.25
#: A task whose worker dies so often, without getting further in between, has failed.
DEATHS = 5
#: Workers that may die one after the other before they have claimed anything.
STILLBORN = 3


def sweep(
    tasks: Iterable[Task],
    store: str | Path,
    *,
    workers: int | None = None,
    executor: Executor | None = None,
    show: bool = True,
    keep: bool = False,
) -> Swept:
    """Run tasks whose rows are not in a store yet, and give the rows of all.

    Any number of sweeps may share a store. A task that fails stops no other and is tried again by
    the next sweep; one whose worker died resumes from its checkpoint. Tasks of most FLOPs begin
    first.

    Parameters
    ----------
    tasks
        What is to be done; keys of tasks and rows are unique.
    store
        The file of the store (.db, .sqlite), made where there is none.
    workers
        Processes of one thread each; by default as many as the cores that this process may use.
    executor
        Takes the place of these processes; its owner shuts it down.
    show
        Show progress on stderr.
    keep
        Leave the tasks' folders.

    Returns
    -------
    Swept
        The rows of all tasks, and how many were done by whom.

    Raises
    ------
    StoreError
        A task cannot be run as it is, the store cannot be used, or its disk is full; what is
        finished is kept.
    """
    path = Path(store).absolute()
    listed = _checked(tasks, path, workers)
    state = _Sweep(listed, Store(path), Orders(path, uuid.uuid4().hex, time.time(), keep, used()))
    already = state.begin(own=executor is None)
    if state.waiting:
        with Progress(show) as progress:
            if executor is None:
                size = min(workers or cores(), len(state.waiting))
                with Crew(size, state.needs_main) as crew:
                    state.run(crew, size, progress)
            else:
                state.run(executor, len(listed), progress)
    state.tidy()
    runs = state.store.runs(key for task in listed for key in task.rows)
    return Swept(
        runs, path, len(state.done), len(state.elsewhere), already, tuple(state.failures.values())
    )


class _Sweep:
    """A sweep under way: the tasks that wait here, those that workers have, and how the others
    ended.
    """

    def __init__(self, tasks: Sequence[Task], store: Store, orders: Orders) -> None:
        self.tasks = sorted(tasks, key=lambda task: -task.flops)
        self.store, self.orders = store, orders
        self.needs_main = False
        self.waiting: set[str] = set()
        self.flying: dict[Future[Outcome], Task] = {}
        self.done: set[str] = set()
        self.elsewhere: set[str] = set()
        self.failures: dict[str, tuple[str, str]] = {}
        self._states: dict[str, TaskState] = {}
        self._deaths: dict[str, tuple[int, float]] = {}
        self._stillborn = 0
        self._heard = 0

    def begin(self, own: bool) -> int:
        """Record the tasks in the store, and count those that are done already.

        own: the workers are processes of ours, to which work must be sent.
        """
        there = self.store.present(key for task in self.tasks for key in task.rows)
        if self.store.path.exists():
            self._look()
            self._heard = max((number for number, _, _ in self.store.notes()), default=0)
        ready = {
            task.key
            for task in self.tasks
            if self._is("done", task) and there.issuperset(task.rows)
        }
        if new := [task for task in self.tasks if task.key not in ready]:
            self.needs_main = own and needs_main(new)
            self.store.enter(new)
            self._look()
            ready |= {task.key for task in new if self._is("done", task)}
        self.waiting = {task.key for task in self.tasks} - ready
        return len(ready)

    def run(self, executor: Executor, size: int, progress: Progress) -> None:
        """Run the tasks, `size` at a time, until each is done or has failed."""
        try:
            while self.waiting or self.flying:
                self._look()
                self._settle(progress)
                self._hear(progress)
                self._fill(executor, size)
                self._show(progress)
                self._collect(progress)
            self._hear(progress)
        except BaseException as error:
            for future in self.flying:
                future.cancel()
            if isinstance(executor, Crew):
                executor.kill()
            with contextlib.suppress(StoreError):
                self.store.give_up(self.orders.sweep)
            if isinstance(error, KeyboardInterrupt):
                progress.say(f"stopped: {self._finished()}; the same call goes on from there")
            raise

    def tidy(self) -> None:
        """Remove the folders that sweeps made for tasks that are done, unless they are to be
        kept.
        """
        if self.orders.keep:
            return
        for task in self.tasks:
            if task.key not in self.failures:
                remove_folder(self.store.path, task.key)
        remove_empty(self.store.path)

    def _look(self) -> None:
        self._states = {state.key: state for state in self.store.tasks()}

    def _is(self, state: str, task: Task) -> bool:
        return task.key in self._states and self._states[task.key].state == state

    def _settle(self, progress: Progress) -> None:
        """Takes off the list what other sweeps have ended."""
        for task in [task for task in self.tasks if task.key in self.waiting]:
            state = self._states[task.key]
            if state.state == "done":
                self.waiting.remove(task.key)
                self.elsewhere.add(task.key)
            elif state.state == "failed" and (state.beat or 0.0) >= self.orders.since:
                self._failed(task, state.reason or "no reason given", progress)

    def _hear(self, progress: Progress) -> None:
        """Passes on what workers say."""
        labels = {task.key: task.label for task in self.tasks}
        for number, key, said in self.store.notes(self._heard):
            self._heard = number
            if key in labels:
                progress.say(f"{labels[key]}: {said}")

    def _fill(self, executor: Executor, size: int) -> None:
        """Hands out tasks that nobody has, while workers are free."""
        for task in self.tasks:
            if len(self.flying) >= size:
                return
            if task.key not in self.waiting or self._states[task.key].live:
                continue
            try:
                future = executor.submit(work_on, task, self.orders)
            except BrokenExecutor as error:
                text = " ".join(str(error).split())
                raise StoreError(
                    f"the executor is broken ({text}); {self._finished()}; give a new one"
                ) from None
            self.waiting.remove(task.key)
            self.flying[future] = task

    def _collect(self, progress: Progress) -> None:
        if not self.flying:
            time.sleep(LOOK)
            return
        for future in wait(self.flying, timeout=LOOK, return_when=FIRST_COMPLETED).done:
            task = self.flying.pop(future)
            try:
                outcome = future.result()
            except BrokenExecutor:
                self._died(task, progress)
                continue
            except StoreError as error:
                raise StoreError(f"{error} ({self._finished()})") from None
            except Exception as error:
                outcome = Outcome("failed", " ".join(f"{type(error).__name__}: {error}".split()))
            if outcome.how == "store":
                raise StoreError(f"{outcome.reason} ({self._finished()})")
            if outcome.how == "done":
                self._stillborn = 0
                self.done.add(task.key)
            elif outcome.how == "taken":
                self.waiting.add(task.key)
            else:
                self._failed(task, outcome.reason, progress)

    def _died(self, task: Task, progress: Progress) -> None:
        """A worker was killed, by the system or a person: the task waits again, unless that leads
        nowhere.
        """
        self._look()
        state = self._states[task.key]
        claimed = (state.beat or 0.0) >= self.orders.since
        self._stillborn = 0 if claimed else self._stillborn + 1
        if self._stillborn >= STILLBORN:
            raise StoreError(
                "workers end before they begin to work: they must be able to import it, so a "
                "notebook takes it from a "
                "file, and a script calls sweep below `if __name__ == '__main__':` "
                f"({self._finished()})"
            )
        self.store.give_up(self.orders.sweep, task.key)
        count, share = self._deaths.get(task.key, (0, -1.0))
        count, share = (1 if state.share > share else count + 1), max(share, state.share)
        self._deaths[task.key] = count, share
        if count >= DEATHS:
            reason = (
                f"its worker was killed {count} times at {share:.0%} of the work; "
                "is there enough memory?"
            )
            self.store.fail(task.key, reason)
            self._failed(task, reason, progress)
            return
        self.waiting.add(task.key)
        progress.say(
            f"{task.label}: its worker was killed; another one goes on from its last checkpoint"
        )

    def _failed(self, task: Task, reason: str, progress: Progress) -> None:
        self.waiting.discard(task.key)
        self.failures[task.key] = task.label, reason
        progress.say(f"{task.label} failed: {reason}")

    def _show(self, progress: Progress) -> None:
        mine = [self._states[task.key] for task in self.tasks]
        running = [state for state in mine if state.state == "running"]
        left = {state.key: state.flops for state in mine if state.state in ("running", "waiting")}
        seconds = time_left(list(self._states.values()), left, max(1, len(running)))
        done = sum(state.state == "done" for state in mine)
        progress.show(Standing(done, len(self.failures), len(mine), running, seconds))

    def _finished(self) -> str:
        done = sum(self._is("done", task) for task in self.tasks)
        return f"{done} of {len(self.tasks)} tasks are in {self.store.path.name}"


def _checked(tasks: Iterable[Task], store: Path, workers: int | None) -> list[Task]:
    """The tasks; StoreError where there are none, two are the same, or one yields nothing."""
    listed = list(tasks)
    if not listed:
        raise StoreError("there are no tasks to sweep; give at least one")
    if store.suffix.lower() not in STORES:
        raise StoreError(
            f"cannot use the store '{store}': accepted endings are {', '.join(STORES)}"
        )
    if workers is not None and workers < 1:
        raise StoreError(f"workers is {workers}; accepted is a whole number above 0")
    keys: dict[str, str] = {}
    rows: dict[str, str] = {}
    for task in listed:
        if not task.rows:
            raise StoreError(
                f"task '{task.label}' lists no rows; give the key of every row it yields"
            )
        for key, seen, what in [
            (task.key, keys, "key"),
            *((key, rows, "row") for key in task.rows),
        ]:
            if key in seen:
                raise StoreError(
                    f"tasks '{seen[key]}' and '{task.label}' both have the {what} {key}"
                )
            seen[key] = task.label
    return listed
