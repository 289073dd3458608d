"""The driver of an engine: the only one who writes, whatever machines the work is done on.

It claims tasks, sends them out as errands, and writes down what letters say: rows as they are
finished, progress, and how each task ended. What is written under a claim that no longer holds is
not kept: a worker that was held for dead and comes back changes nothing.
"""

from __future__ import annotations

import queue
import time
import uuid
import warnings
from collections.abc import Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from isoloss.files import reason, shown_value
from isoloss.runs.problems import RunsWarning, StoreError
from isoloss.runs.sweeps.engines.call_notes import CallNotes
from isoloss.runs.sweeps.engines.engine import Engine, Handle
from isoloss.runs.sweeps.engines.errand import Errand, Sent
from isoloss.runs.sweeps.engines.hands import Landed, Portion
from isoloss.runs.sweeps.engines.letters import Letter
from isoloss.runs.sweeps.folders import remove_folder
from isoloss.runs.sweeps.store import Stamp, Store
from isoloss.runs.sweeps.task import Ending, State, Task
from isoloss.runs.sweeps.working import BEAT, Orders, Outcome

#: Seconds for which a call may not be answered for before it is held for lost.
UNANSWERED = 10.0


@dataclass
class _Told:
    """What was written down of a task under way, of all that one worker said."""

    writer: str = ""
    rows: int = 0
    notes: int = 0
    seconds: float = 0.0


@dataclass(eq=False)
class _Flight:
    """A call under way: its tasks, and of those that we hold the rows that are there; when its
    engine last answered for it, and what it raised since.
    """

    attempt: str
    claim: str
    tasks: tuple[Task, ...]
    held: Mapping[str, set[str]]
    handle: Handle | None = None
    answered: float = 0.0
    unanswered: Exception | None = None
    told: dict[str, _Told] = field(default_factory=dict)


class Driver:
    """The hands that an engine lends a sweep.

    at_once: calls under way at most, None for as many as the engine has places for.
    Raises StoreError where the engine cannot begin.
    """

    def __init__(
        self, engine: Engine, store: Store, orders: Orders, at_once: int | None = None
    ) -> None:
        self.most = engine.most
        self._engine, self._store, self._orders = engine, store, orders
        self._at_once = at_once
        self._notes = CallNotes(orders.beside, engine.name)
        try:
            self._post = engine.start(orders.beside)
        except StoreError:
            raise
        except Exception as error:  # whatever its scheduler raises
            raise StoreError(f"the engine '{engine.name}' cannot begin ({_said(error)})") from None
        self._flights: dict[str, _Flight] = {}
        self._of_task: dict[str, _Flight] = {}
        self._ended: queue.SimpleQueue[_Flight] = queue.SimpleQueue()
        self._asked: list[_Flight] = []
        self._well, self._begun = True, False
        self._looked = self._heard = self._beaten = time.monotonic()

    def places(self) -> int | None:
        """As many as the engine has, and as were asked for."""
        limits = (self._engine.places(), self._at_once)
        return min((limit for limit in limits if limit is not None), default=None)

    # ---- sending
    def send(self, portions: Sequence[Portion], over: Mapping[str, Stamp]) -> Sequence[Hashable]:
        """Claim the tasks, in one transaction, and hand them to the engine."""
        flights = self._claimed(portions, over)
        going = [flight for flight in flights if flight.held]
        errands = [self._errand(flight) for flight in going]
        for flight, handle in zip(going, self._engine.submit(errands), strict=True):
            self._let_go(flight, handle)
        for flight in flights:
            if not flight.held:
                self._ended.put(flight)
        return flights

    def _claimed(self, portions: Sequence[Portion], over: Mapping[str, Stamp]) -> list[_Flight]:
        claim = f"{self._orders.sweep}:{uuid.uuid4().hex}"
        there = self._store.claim_all([task for each in portions for task in each], claim, over)
        flights = []
        for number, portion in enumerate(portions):
            held = {task.key: there[task.key] for task in portion if task.key in there}
            flights.append(_Flight(f"{claim}.{number}", claim, tuple(portion), held))
        return flights

    def _errand(self, flight: _Flight) -> Errand:
        held = flight.held
        sent = Sent(
            tuple((task, frozenset(held[task.key])) for task in flight.tasks if task.key in held)
        )
        return Errand(flight.attempt, self._orders.beside, sent, self._post)

    def _let_go(self, flight: _Flight, handle: Handle) -> None:
        flight.handle, flight.answered = handle, time.monotonic()
        self._flights[flight.attempt] = flight
        self._of_task |= dict.fromkeys(flight.held, flight)
        if self._engine.stays:
            keys = [task.key for task in flight.tasks]
            self._notes.add(self._engine.reference(handle), flight.attempt, keys)
        call_back = getattr(handle, "add_done_callback", None)
        if call_back is None:
            self._asked.append(flight)
        else:
            call_back(lambda _: self._ended.put(flight))

    # ---- calls that go on when the driver ends
    def taken_up(self, tasks: Sequence[Task]) -> list[tuple[Hashable, Portion]]:
        """Those of an earlier driver that are known here and to the engine."""
        by_key = {task.key: task for task in tasks}
        found: list[tuple[Hashable, Portion]] = []
        for note in list(self._notes) if self._engine.stays else ():
            portion = [by_key[key] for key in note.tasks if key in by_key]
            if not portion:
                states = self._store.tasks(note.tasks)
                if sum(state.state == "done" for state in states) == len(note.tasks):
                    self._notes.remove(note.attempt)
                continue  # of a sweep of other tasks
            (flight,) = self._claimed([portion], {})
            if not flight.held:
                continue  # of a driver that lives
            handle = self._engine.again(note.reference)
            if handle is None:
                self._notes.remove(note.attempt)
                self._store.release(flight.held, flight.claim)
                continue
            flight.attempt = note.attempt
            self._let_go(flight, handle)
            found.append((flight, list(flight.tasks)))
        return found

    # ---- what comes back
    def landed(self, timeout: float) -> list[Landed]:
        """Calls that ended, after what they said was written down."""
        flights = self._those_ended(timeout)
        results = [self._result(flight) for flight in flights]
        said = [letter for _, letters in results for letter in letters]
        lost = any(landed.outcomes is None for landed, _ in results)
        if lost or time.monotonic() - self._heard >= BEAT / 2:
            ended = {letter.task for letter in said}
            heard = self._post.heard(list(self._of_task))
            said = [letter for letter in heard if letter.task not in ended] + said
            self._heard = time.monotonic()
        problems = self._written(said)
        for flight in flights:
            self._over(flight)
        self._well &= not lost and not any(letter.how == "failed" for letter in said)
        self._beat()
        return [self._judged(landed, problems) for landed, _ in results]

    def _those_ended(self, timeout: float) -> list[_Flight]:
        until = time.monotonic() + timeout
        while True:
            found = self._now_ended()
            left = until - time.monotonic()
            if found or left <= 0:
                return found
            if not self._asked:
                with suppress(queue.Empty):
                    return [self._ended.get(timeout=left), *self._now_ended()]
            else:
                time.sleep(min(left, self._engine.every))

    def _now_ended(self) -> list[_Flight]:
        found = []
        with suppress(queue.Empty):
            while True:
                found.append(self._ended.get_nowait())
        if self._asked and time.monotonic() - self._looked >= self._engine.every:
            done = {each for each in self._asked if _has_ended(each)}
            self._asked = [each for each in self._asked if each not in done]
            found += done
            self._looked = time.monotonic()
        return found

    def _result(self, flight: _Flight) -> tuple[Landed, list[Letter]]:
        """How a call ended, and its letters; the last ones posted where its worker is lost."""
        if flight.handle is None:
            return Landed(flight, tuple(Outcome("taken") for _ in flight.tasks)), []
        try:
            if flight.unanswered is not None:
                raise flight.unanswered
            letters = flight.handle.result()
        except Exception as error:
            return Landed(flight, None, f"was lost ({_said(error)})"), []
        if not _are_letters(letters):
            text = f"its result is {shown_value(letters)}, not what the call gave"
            return Landed(flight, None, f"was lost ({text})"), []
        if [letter.reason for letter in letters if letter.how == "store"]:
            why = next(letter.reason for letter in letters if letter.how == "store")
            outcomes = tuple(Outcome("store", why) for _ in flight.tasks)
            return Landed(flight, outcomes), [each for each in letters if each.task]
        by_task = {letter.task: letter for letter in letters}
        outcomes = tuple(_outcome(by_task.get(task.key)) for task in flight.tasks)
        return Landed(flight, outcomes), list(letters)

    def _written(self, letters: Iterable[Letter]) -> dict[str, str | None]:
        """Write down what letters say that is new, in one transaction; what could not be."""
        endings, left = [], list[str]()
        for letter in letters:
            flight = self._of_task.get(letter.task)
            if flight is None or flight.attempt != letter.attempt:
                continue  # of a call that is over
            told = flight.told.get(letter.task)
            if told is None or told.writer not in (letter.writer, *letter.before):
                told = flight.told[letter.task] = _Told()
            told.writer = letter.writer
            self._begun = True
            endings.append((_ending(letter, told), flight.claim))
            if letter.how == "left":
                left.append(letter.task)
            told.rows = max(told.rows, len(letter.rows))
            told.notes = max(told.notes, len(letter.notes))
            told.seconds = max(told.seconds, letter.seconds)
        problems = self._store.settle_all(endings) if endings else {}
        for ending, _ in endings:
            if ending.key in problems and ending.state == "running":
                self._lost(ending.key, problems[ending.key])
        for key in left:  # others may have it now, though its call goes on
            del self._of_task[key]
            self._post.ended(key)
        return problems

    def _lost(self, key: str, refused: str | None) -> None:
        """Let a worker know that what it does is not kept; a refused row has failed its task."""
        flight = self._of_task[key]
        self._post.lose(key, flight.attempt)
        if refused is not None:
            self._store.end(key, flight.claim, "failed", refused)

    def _judged(self, landed: Landed, problems: Mapping[str, str | None]) -> Landed:
        """The call with what could not be written down of it."""
        if landed.outcomes is None:
            return replace(landed, begun=self._begun)
        assert isinstance(landed.flight, _Flight)
        outcomes = []
        for task, outcome in zip(landed.flight.tasks, landed.outcomes, strict=True):
            if task.key in problems and outcome.how in ("done", "failed", "left"):
                why = problems[task.key]
                outcome = Outcome("taken") if why is None else Outcome("failed", why)
            if outcome.how == "done" and not self._orders.keep:
                remove_folder(self._orders.beside, task.key)
            outcomes.append(outcome)
        return Landed(landed.flight, tuple(outcomes))

    def _over(self, flight: _Flight) -> None:
        """Forget a call; the folders of tasks that are done go with it."""
        self._flights.pop(flight.attempt, None)
        for key in flight.held:
            if self._of_task.get(key) is flight:
                del self._of_task[key]
                self._post.ended(key)
        if self._engine.stays:
            self._notes.remove(flight.attempt)

    def _beat(self) -> None:
        """Tell the store that we live, and workers whose tasks others took."""
        now = time.monotonic()
        if self._of_task and now - self._beaten >= BEAT:
            claims = {key: flight.claim for key, flight in self._of_task.items()}
            for key in set(claims) - self._store.beat_all(claims):
                self._post.lose(key, self._of_task[key].attempt)
            self._beaten = now

    # ---- the end
    def stop(self) -> str:
        """Cancel what does not stay; what stays is told of."""
        left, said = len(self._flights), list[str]()
        if self._engine.stays and left:
            goes = "goes" if left == 1 else "go"
            said.append(f"{left} job{'s' * (left != 1)} of {self._engine.name} {goes} on")
        for flight in () if self._engine.stays else self._flights.values():
            assert flight.handle is not None
            with suppress(Exception):
                for key in flight.held:
                    self._post.lose(key, flight.attempt)
            with suppress(Exception):
                self._engine.cancel(flight.handle)
        said += [self._stopped(done=False)]
        return ", ".join(filter(None, said))

    def leave(self) -> None:
        """Nothing is under way any more; RunsWarning where the engine cannot be stopped."""
        if said := self._stopped(done=self._well):
            warnings.warn(RunsWarning(f"all is done, and {said}"), stacklevel=2)

    def _stopped(self, done: bool) -> str:
        try:
            self._engine.stop(done)
        except Exception as error:  # whatever its scheduler raises: what is done stays done
            return f"the engine '{self._engine.name}' could not be stopped ({_said(error)})"
        return ""


def _has_ended(flight: _Flight) -> bool:
    """Whether a call has ended, or nothing can be found out of it for long."""
    assert flight.handle is not None
    now = time.monotonic()
    try:
        ended = bool(flight.handle.done())
    except Exception as error:  # whatever its scheduler raises
        flight.unanswered = error
        return now - flight.answered > UNANSWERED
    flight.answered, flight.unanswered = now, None
    return ended


def _said(error: BaseException) -> str:
    """The kind and the words of an error, on one line."""
    text = reason(error) if isinstance(error, OSError) else str(error)
    return " ".join(f"{type(error).__name__}: {text}".split())[:200].rstrip(": ")


def _are_letters(found: object) -> bool:
    """Whether a result is what an errand returns: letters, one at least."""
    if not isinstance(found, list | tuple) or not found:
        return False
    return all(isinstance(each, Letter) for each in found)


def _outcome(letter: Letter | None) -> Outcome:
    match None if letter is None else letter.how:
        case "done" | "failed" as how:
            assert letter is not None
            return Outcome(how, letter.reason, letter.seconds)
        case "left" if letter is not None and letter.number:
            return Outcome("left")
        case _:
            return Outcome("taken")


def _ending(letter: Letter, told: _Told) -> Ending:
    """What a letter says beyond what was told before."""
    states: Mapping[str, State] = {"running": "running", "done": "done", "failed": "failed"}
    state = states.get(letter.how, "waiting")
    return Ending(
        letter.task,
        letter.rows[told.rows :],
        state,
        letter.reason or None,
        letter.trace,
        letter.loss,
        max(0.0, letter.seconds - told.seconds),
        letter.share if letter.number else None,  # of a task that did not begin nothing is known
        letter.notes[told.notes :],
    )
