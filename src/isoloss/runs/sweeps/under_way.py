"""A sweep under way: tasks that wait here, those that workers have, and how the others ended."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
import uuid
from collections.abc import Hashable, Iterator, Sequence
from itertools import islice
from types import FrameType

from isoloss.runs.database import gone, held
from isoloss.runs.problems import StoreError, StoreUnwritable
from isoloss.runs.sweeps.crew import needs_main
from isoloss.runs.sweeps.deaths import Deaths
from isoloss.runs.sweeps.engines import Hands, Landed
from isoloss.runs.sweeps.folders import remove_empty, remove_folder
from isoloss.runs.sweeps.hearing import Hearing
from isoloss.runs.sweeps.portions import Portions
from isoloss.runs.sweeps.progress import Progress, Standing
from isoloss.runs.sweeps.store import Stamp, Store, TaskState
from isoloss.runs.sweeps.swept import time_left
from isoloss.runs.sweeps.task import Task
from isoloss.runs.sweeps.working import BEAT, Orders, Outcome

#: Seconds between two looks at the store, and the most of the time that looks may take.
LOOK, LOOKING = 0.25, 0.1


class UnderWay:
    """A sweep from its beginning to its end; `sweep` makes it."""

    def __init__(self, tasks: Sequence[Task], store: Store, orders: Orders) -> None:
        self.tasks = sorted(tasks, key=lambda task: -task.flops)
        self.store, self.orders = store, orders
        self.needs_main = False
        self.waiting: set[str] = set()
        self.flying: dict[Hashable, list[Task]] = {}
        self.done: set[str] = set()
        self.elsewhere: set[str] = set()
        self.failures: dict[str, tuple[str, str]] = {}
        self._labels = {task.key: task.label for task in tasks}
        self._states: dict[str, TaskState] = {}
        self._failed_before: dict[str, Stamp] = {}
        self._hearing = Hearing()
        self._deaths = Deaths()
        self._portions = Portions()
        self._sent: dict[Hashable, tuple[float, tuple[Task, ...]]] = {}
        self._by_key = {task.key: task for task in tasks}
        self._first = 0
        self._looked, self._look_takes = -LOOK, 0.0
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

    def run(self, hands: Hands, progress: Progress) -> None:
        """Have the tasks worked on until each is done or has failed."""
        self._portions = Portions(most=hands.most)
        with interrupted_once():
            self._run(hands, progress)

    def _run(self, hands: Hands, progress: Progress) -> None:
        try:
            with held(self.store.path):
                self._take_up(hands, progress)
                while self.waiting or self.flying:
                    if time.monotonic() - self._looked >= self._pause:
                        self._look()
                        self._settle(progress)
                        self._hear(progress)
                        self._show(progress)
                        self._take_back()
                    self._fill(hands)
                    self._collect(hands, progress)
                self._hear(progress)
            hands.leave()
        except BaseException as error:
            more = self._stop(hands)
            if isinstance(error, KeyboardInterrupt):
                said = f"stopped: {self._finished()}{more}; the same call goes on from there"
                raise KeyboardInterrupt(said) from None
            if more and isinstance(error, StoreError):
                error.args = (f"{error}{more}",)
            elif more:
                error.add_note(more)
            raise

    def _take_up(self, hands: Hands, progress: Progress) -> None:
        """Wait for the calls of an earlier sweep that go on, as for those of this one."""
        waiting = [task for task in self.tasks if task.key in self.waiting]
        with self._executor():
            taken = hands.taken_up(waiting)
        for flight, tasks in taken:
            self._flies(flight, tasks)
        if self.flying:
            count = len(self.flying)
            progress.say(f"{count} job{'s' * (count != 1)} of an earlier sweep taken up")

    def tidy(self) -> None:
        """Remove the folders that sweeps made for tasks that are done, unless they are to be
        kept.
        """
        if self.orders.keep:
            return
        for task in self.tasks:
            if task.key not in self.failures:
                remove_folder(self.orders.beside, task.key)
        remove_empty(self.orders.beside)

    def _stop(self, hands: Hands) -> str:
        try:
            goes_on = hands.stop()
        finally:
            with contextlib.suppress(StoreError):
                self.store.give_up(self.orders.sweep)
        return f", {goes_on}" if goes_on else ""

    # ---- looks at the store
    @property
    def _pause(self) -> float:
        """Seconds between two looks: many where a look at all tasks takes long."""
        return max(LOOK, self._look_takes / LOOKING)

    def _look_at(self, keys: Sequence[str]) -> None:
        """Take in how some tasks stand now."""
        self._states |= {state.key: state for state in self.store.tasks(keys)}

    def _look(self) -> None:
        began = time.monotonic()
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
        self._look_takes = self._looked - began

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
    def _fill(self, hands: Hands) -> None:
        """Hands out tasks that nobody has, while workers are free."""
        with self._executor():
            places = hands.places()
        size = len(self.tasks) if places is None else places
        if len(self.flying) >= size or not self.waiting:
            return
        free, count = self._free(), self._portions.size(len(self.waiting), size)
        portions: list[list[Task]] = []
        while len(self.flying) + len(portions) < size and (first := next(free, None)):
            portion = [first]
            if first.key not in self._deaths.alone:
                more = (task for task in free if task.key not in self._deaths.alone)
                portion += islice(more, count - 1)
            portions.append(portion)
        if portions:
            self._send(hands, portions)

    def _free(self) -> Iterator[Task]:
        """Tasks that nobody has, in order; those before `_first` are handed out or done."""
        while self._first < len(self.tasks) and self.tasks[self._first].key not in self.waiting:
            self._first += 1
        for task in islice(self.tasks, self._first, None):
            if task.key in self.waiting and self._hearing.is_free(self._states[task.key]):
                yield task

    def _wait_again(self, keys: Sequence[str]) -> None:
        self.waiting.update(keys)
        self._first = 0
        self._look_at(keys)

    def _send(self, hands: Hands, portions: list[list[Task]]) -> None:
        over = {
            task.key: stamp
            for portion in portions
            for task in portion
            if (stamp := self._may_follow(task.key))
        }
        with self._executor():
            flights = hands.send(portions, over)
        for flight, portion in zip(flights, portions, strict=True):
            self._flies(flight, portion)

    @contextlib.contextmanager
    def _executor(self) -> Iterator[None]:
        """Say what an executor or its scheduler raises, whatever that is, in one sentence."""
        try:
            yield
        except StoreError:
            raise
        except Exception as error:
            text = " ".join(str(error).split())[:300] or type(error).__name__
            raise StoreError(
                f"the executor is broken ({text}); {self._finished()}; give a new one"
            ) from None

    def _flies(self, flight: Hashable, tasks: list[Task]) -> None:
        self.waiting.difference_update(task.key for task in tasks)
        self.flying[flight] = tasks
        self._sent[flight] = time.monotonic(), tuple(tasks)

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
                    self._first = 0
                    tasks[:] = [task for task in tasks if task.key not in back]

    def _collect(self, hands: Hands, progress: Progress) -> None:
        if not self.flying:
            time.sleep(LOOK)
            return
        try:
            found = hands.landed(LOOK)
        except StoreError as error:
            raise StoreError(f"{error} ({self._finished()})") from None
        for landed in found:
            self._landed(landed, progress)

    def _landed(self, landed: Landed, progress: Progress) -> None:
        tasks = self.flying.pop(landed.flight)
        _, sent = self._sent.pop(landed.flight)
        if landed.outcomes is None:
            self._died(tasks, landed.how, progress, landed.begun)
            return
        self._portions.heard(landed.outcomes)
        again = []
        for task, outcome in zip(sent, landed.outcomes, strict=True):
            # What was given back is told of by whoever has it now.
            if task in tasks or outcome.how == "done":
                waits = self._ended(task, outcome, progress)
                again += [task.key] if waits else []
        if again:
            self._wait_again(again)

    def _ended(self, task: Task, outcome: Outcome, progress: Progress) -> bool:
        """Take in how a task ended; whether it waits again."""
        match outcome.how:
            case "store":
                raise StoreError(f"{outcome.reason} ({self._finished()})")
            case "done":
                self._deaths.worked()
                self.done.add(task.key)
                self.waiting.discard(task.key)
                self.elsewhere.discard(task.key)
            case "taken":
                return True
            case "left":
                self._look_at([task.key])
                return not self._given_up(task, "", progress)
            case "failed":
                self._failed(task, outcome.reason, progress)
        return False

    def _died(
        self, tasks: Sequence[Task], how: str, progress: Progress, begun: bool = True
    ) -> None:
        """A worker was killed, by the system or a person: its tasks wait again, unless that leads
        nowhere.
        """
        self._look_at([task.key for task in tasks])
        # What it ended before is written down.
        self.done.update(task.key for task in tasks if self._is("done", task))
        claimed = any(
            (self._states[task.key].claim or "").startswith(self.orders.sweep)
            or task.key in self.done
            for task in tasks
        )
        tasks = [task for task in tasks if task.key not in self.done]
        try:
            self._deaths.of(tasks, claimed, how, begun)
        except StoreError as error:
            raise StoreError(f"{error} ({self._finished()})") from None
        self.store.give_up(self.orders.sweep, [task.key for task in tasks])
        if len(tasks) != 1:
            progress.say(f"the worker of {len(tasks)} tasks {how}; each is tried again alone")
        elif self._given_up(tasks[0], how, progress):
            return
        else:
            progress.say(
                f"{tasks[0].label}: its worker {how}; another one goes on from its last checkpoint"
            )
        self._wait_again([task.key for task in tasks])

    def _given_up(self, task: Task, how: str, progress: Progress) -> bool:
        """Whether a task has failed whose workers end before it does, without getting further."""
        reason = self._deaths.hopeless(self._states[task.key], how)
        if reason is None:
            return False
        self.store.fail(task.key, reason, f"{self.orders.sweep}:{uuid.uuid4().hex}")
        self._failed(task, reason, progress)
        return True

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
