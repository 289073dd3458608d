"""A sweep under way: tasks that wait here, those that workers have, and how the others ended."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from types import FrameType

from isoloss.runs.database import gone, held
from isoloss.runs.problems import StoreError, StoreUnwritable
from isoloss.runs.sweeps.crew import Crew, needs_main
from isoloss.runs.sweeps.deaths import Deaths, how_ended
from isoloss.runs.sweeps.folders import remove_empty, remove_folder
from isoloss.runs.sweeps.hearing import Hearing
from isoloss.runs.sweeps.portions import Portions
from isoloss.runs.sweeps.progress import Progress, Standing
from isoloss.runs.sweeps.store import Stamp, Store, TaskState
from isoloss.runs.sweeps.swept import time_left
from isoloss.runs.sweeps.task import Task
from isoloss.runs.sweeps.working import BEAT, Orders, Outcome, work_on

#: Seconds between two looks at the store.
LOOK = 0.25
Flight = Future[tuple[Outcome, ...]]


class UnderWay:
    """A sweep from its beginning to its end; `sweep` makes it."""

    def __init__(self, tasks: Sequence[Task], store: Store, orders: Orders) -> None:
        self.tasks = sorted(tasks, key=lambda task: -task.flops)
        self.store, self.orders = store, orders
        self.needs_main = False
        self.waiting: set[str] = set()
        self.flying: dict[Flight, list[Task]] = {}
        self.done: set[str] = set()
        self.elsewhere: set[str] = set()
        self.failures: dict[str, tuple[str, str]] = {}
        self._labels = {task.key: task.label for task in tasks}
        self._states: dict[str, TaskState] = {}
        self._failed_before: dict[str, Stamp] = {}
        self._hearing = Hearing()
        self._deaths = Deaths()
        self._portions = Portions()
        self._sent: dict[Flight, tuple[float, tuple[Task, ...]]] = {}
        self._looked = -LOOK
        self._heard = 0
        self._said = ""

    def begin(self, own: bool) -> int:
        """Record the tasks in the store, and count those that are done already.

        own: the workers are processes of ours, to which work must be sent.
        """
        there = self.store.present(key for task in self.tasks for key in task.rows)
        if self.store.path.exists():
            self._states = {state.key: state for state in self.store.tasks()}
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
        # A failure that is named here was another sweep's, and is tried again.
        self._failed_before = {
            key: state.stamp for key, state in self._states.items() if state.state == "failed"
        }
        return len(ready)

    def run(self, executor: Executor, size: int, progress: Progress) -> None:
        """Run the tasks, `size` at a time, until each is done or has failed."""
        if not isinstance(executor, Crew):
            self._portions = Portions(most=1)
        with interrupted_once():
            self._run(executor, size, progress)

    def _run(self, executor: Executor, size: int, progress: Progress) -> None:
        try:
            with held(self.store.path):
                while self.waiting or self.flying:
                    if time.monotonic() - self._looked >= LOOK:
                        self._look()
                        self._settle(progress)
                        self._hear(progress)
                        self._show(progress)
                        self._take_back()
                    self._fill(executor, size)
                    self._collect(executor, progress)
                self._hear(progress)
        except BaseException as error:
            self._stop(executor)
            if isinstance(error, KeyboardInterrupt):
                said = f"stopped: {self._finished()}; the same call goes on from there"
                raise KeyboardInterrupt(said) from None
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

    def _stop(self, executor: Executor) -> None:
        for future in self.flying:
            future.cancel()
        if isinstance(executor, Crew):
            executor.kill()
        with contextlib.suppress(StoreError):
            self.store.give_up(self.orders.sweep)

    # ---- looks at the store
    def _look(self) -> None:
        if not self.store.path.exists():
            raise StoreUnwritable(gone(self.store.path), self.store.path)
        self._states = {state.key: state for state in self.store.tasks()}
        if absent := [task for task in self.tasks if task.key not in self._states]:
            raise StoreUnwritable(
                f"the store '{self.store.path}' no longer lists the task '{absent[0].label}': "
                "another file took its place while a sweep used it; start again",
                self.store.path,
            )
        self._hearing.look(self._states.values())
        self._looked = time.monotonic()

    def _is(self, state: str, task: Task) -> bool:
        return task.key in self._states and self._states[task.key].state == state

    def _settle(self, progress: Progress) -> None:
        """Takes off the list what other sweeps have ended, and says for whom this one waits."""
        for task in [task for task in self.tasks if task.key in self.waiting]:
            state = self._states[task.key]
            if state.state == "done":
                self.waiting.remove(task.key)
                self.elsewhere.add(task.key)
            elif state.state == "failed" and state.stamp != self._failed_before.get(task.key):
                self._failed(task, state.reason or "no reason given", progress)
        states = [self._states[key] for key in self.waiting]
        if states and not self.flying and not any(map(self._hearing.is_free, states)):
            said = self._hearing.waits_for(states)
            if said != self._said:
                progress.say(said)
                self._said = said

    def _hear(self, progress: Progress) -> None:
        """Passes on what workers say."""
        for number, key, said in self.store.notes(self._heard):
            self._heard = number
            if key in self._labels:
                progress.say(f"{self._labels[key]}: {said}")

    def _show(self, progress: Progress) -> None:
        mine = [self._states[task.key] for task in self.tasks]
        running = [state for state in mine if state.state == "running"]
        left = {state.key: state.flops for state in mine if state.state in ("running", "waiting")}
        seconds = time_left(list(self._states.values()), left, max(1, len(running)))
        done = sum(state.state == "done" for state in mine)
        progress.show(Standing(done, len(self.failures), len(mine), running, seconds))

    def _finished(self) -> str:
        done = sum(self._is("done", task) or task.key in self.done for task in self.tasks)
        return f"{done} of {len(self.tasks)} tasks are in {self.store.path.name}"

    # ---- work handed out and taken back
    def _fill(self, executor: Executor, size: int) -> None:
        """Hands out tasks that nobody has, while workers are free."""
        if len(self.flying) >= size or not self.waiting:
            return
        free = [
            task
            for task in self.tasks
            if task.key in self.waiting and self._hearing.is_free(self._states[task.key])
        ]
        while free and len(self.flying) < size:
            count = self._portions.size(len(free), size)
            portion = free[:1]
            if free[0].key not in self._deaths.alone:
                more = (task for task in free[1:] if task.key not in self._deaths.alone)
                portion += [task for task, _ in zip(more, range(count - 1), strict=False)]
            self._send(executor, portion)
            sent = {task.key for task in portion}
            free = [task for task in free if task.key not in sent]

    def _send(self, executor: Executor, portion: list[Task]) -> None:
        over = {task.key: stamp for task in portion if (stamp := self._may_follow(task.key))}
        try:
            future = executor.submit(work_on, tuple(portion), self.orders, over)
        except BrokenExecutor as error:
            text = " ".join(str(error).split())
            raise StoreError(
                f"the executor is broken ({text}); {self._finished()}; give a new one"
            ) from None
        self.waiting.difference_update(task.key for task in portion)
        self.flying[future] = portion
        self._sent[future] = time.monotonic(), tuple(portion)

    def _may_follow(self, key: str) -> Stamp | None:
        """The attempt at a task that the next one may follow: it failed before this sweep, or is
        held for dead.
        """
        state = self._states[key]
        return state.stamp if state.state == "running" else self._failed_before.get(key)

    def _take_back(self) -> None:
        """Puts on the list again what a worker gave back, as a task before it took long."""
        for future, tasks in self.flying.items():
            if len(tasks) > 1 and time.monotonic() - self._sent[future][0] > 2 * BEAT:
                back = {task.key for task in tasks if self._is("waiting", task)}
                if len(back) < len(tasks):
                    self.waiting |= back
                    tasks[:] = [task for task in tasks if task.key not in back]

    def _collect(self, executor: Executor, progress: Progress) -> None:
        if not self.flying:
            time.sleep(LOOK)
            return
        for future in wait(self.flying, timeout=LOOK, return_when=FIRST_COMPLETED).done:
            tasks = self.flying.pop(future)
            _, sent = self._sent.pop(future)
            try:
                outcomes = future.result()
            except BrokenExecutor:
                code = executor.exit_code(future) if isinstance(executor, Crew) else None
                self._died(tasks, how_ended(code), progress)
                continue
            except StoreError as error:
                raise StoreError(f"{error} ({self._finished()})") from None
            except Exception as error:
                text = " ".join(f"{type(error).__name__}: {error}".split())
                outcomes = tuple(Outcome("failed", text) for _ in sent)
            self._portions.heard(outcomes)
            for task, outcome in zip(sent, outcomes, strict=True):
                # What was given back is told of by whoever has it now.
                if task in tasks or outcome.how == "done":
                    self._ended(task, outcome, progress)

    def _ended(self, task: Task, outcome: Outcome, progress: Progress) -> None:
        match outcome.how:
            case "store":
                raise StoreError(f"{outcome.reason} ({self._finished()})")
            case "done":
                self._deaths.worked()
                self.done.add(task.key)
                self.waiting.discard(task.key)
                self.elsewhere.discard(task.key)
            case "taken":
                self.waiting.add(task.key)
                self._looked = -LOOK  # what the store says now is another thing
            case "failed":
                self._failed(task, outcome.reason, progress)

    def _died(self, tasks: Sequence[Task], how: str, progress: Progress) -> None:
        """A worker was killed, by the system or a person: its tasks wait again, unless that leads
        nowhere.
        """
        self._look()
        # What it ended before is written down.
        self.done.update(task.key for task in tasks if self._is("done", task))
        claimed = any(
            (self._states[task.key].claim or "").startswith(self.orders.sweep)
            or task.key in self.done
            for task in tasks
        )
        tasks = [task for task in tasks if task.key not in self.done]
        try:
            self._deaths.of(tasks, claimed, how)
        except StoreError as error:
            raise StoreError(f"{error} ({self._finished()})") from None
        self.store.give_up(self.orders.sweep, [task.key for task in tasks])
        if len(tasks) != 1:
            progress.say(f"the worker of {len(tasks)} tasks {how}; each is tried again alone")
        elif reason := self._deaths.hopeless(self._states[tasks[0].key], how):
            self.store.fail(tasks[0].key, reason, f"{self.orders.sweep}:{uuid.uuid4().hex}")
            self._failed(tasks[0], reason, progress)
            return
        else:
            progress.say(
                f"{tasks[0].label}: its worker {how}; another one goes on from its last checkpoint"
            )
        self.waiting.update(task.key for task in tasks)
        self._looked = -LOOK

    def _failed(self, task: Task, reason: str, progress: Progress) -> None:
        self.waiting.discard(task.key)
        self.failures[task.key] = task.label, reason
        progress.say(f"{task.label} failed: {reason}")


@contextlib.contextmanager
def interrupted_once() -> Iterator[None]:
    """Lets a sweep put in order what must be: after a first interrupt of the keyboard, others are
    not heard until the end of this block.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return

    def first(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        before(number, frame)

    signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
