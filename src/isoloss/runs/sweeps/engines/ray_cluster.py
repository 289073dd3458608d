"""Ray: calls on the nodes of a cluster, or of this machine where there is none.

Letters go to an actor beside the driver. A call whose node or process dies is made again by Ray, up
to `RETRIES` times, then by the sweep. Nothing of Ray is imported before a sweep begins.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from isoloss.runs.problems import StoreError
from isoloss.runs.sweeps.engines.engine import Handle
from isoloss.runs.sweeps.engines.errand import Errand
from isoloss.runs.sweeps.engines.letters import Letter, Post
from isoloss.runs.sweeps.engines.settings import check_share, check_whole
from isoloss.runs.sweeps.portions import MOST

#: How often Ray itself makes a call again whose worker died.
RETRIES = 3
#: Seconds between two counts of the nodes, and within which the mailbox answers.
COUNT, ANSWER = 5.0, 10.0


class Ray:
    """Ray as an engine.

    Parameters
    ----------
    address
        Of a cluster, as ``ray.init`` takes it; by default the one that RAY_ADDRESS or this machine
        names, or a new one on this machine.
    gpus_per_task, cpus_per_task
        What a task occupies; shares of a device are fine (0.25).
    at_once
        Calls to have under way at most.
    """

    name = "ray"
    every = 0.5
    stays = here = False
    most = MOST

    def __init__(
        self,
        address: str | None = None,
        gpus_per_task: float = 0,
        cpus_per_task: float = 1,
        at_once: int | None = None,
    ) -> None:
        check_whole("at_once", at_once)
        check_share("gpus_per_task", gpus_per_task)
        check_share("cpus_per_task", cpus_per_task)
        if not gpus_per_task and not cpus_per_task:
            raise StoreError(
                "cpus_per_task and gpus_per_task are 0; accepted is a number above 0 for one of "
                "them, by which Ray counts places"
            )
        self.address, self.at_once = address, at_once
        self.gpus_per_task, self.cpus_per_task = gpus_per_task, cpus_per_task
        self._ours = False
        self._call: Any = None
        self._box: Any = None
        self._slots, self._counted = 1, -COUNT

    def start(self, store: Path) -> Post:
        """Connect, and put up a mailbox beside the driver."""
        ray = _ray()
        if not ray.is_initialized():
            try:
                ray.init(
                    address=self.address,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                )
            except (ConnectionError, ValueError, RuntimeError) as error:
                text = " ".join(str(error).split())[:200]
                raise StoreError(
                    f"no Ray answers at {self.address or 'this machine'} ({text}); start one with "
                    "'ray start --head', or name its address: ray:HOST:PORT"
                ) from None
            self._ours = True
            # Ray tells of deaths on stdout, where results go; the sweep says them itself.
            ray._private.worker.print_to_stdstream = lambda *_, **__: None
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=True
        )
        self._box = (
            ray.remote(num_cpus=0, max_restarts=-1)(Mailbox)
            .options(scheduling_strategy=here)
            .remote()
        )
        self._call = ray.remote(_made).options(
            num_cpus=self.cpus_per_task, num_gpus=self.gpus_per_task, max_retries=RETRIES
        )
        return RayPost(self._box)

    def places(self) -> int | None:
        """Twice what the nodes that are there can do at once, so that none waits."""
        now = time.monotonic()
        if now - self._counted >= COUNT:
            there = _ray().cluster_resources()
            slots = there.get("CPU", 0) / self.cpus_per_task if self.cpus_per_task else math.inf
            if self.gpus_per_task:
                slots = min(slots, there.get("GPU", 0) / self.gpus_per_task)
            self._slots, self._counted = max(1, int(slots)), now
        return min(2 * self._slots, self.at_once or 2 * self._slots)

    def submit(self, errands: Sequence[Errand]) -> Iterable[Handle]:
        """One remote call each."""
        return (RayCall(self._call.remote(errand)) for errand in errands)

    def reference(self, handle: Handle) -> str:
        """Calls end with their driver."""
        return ""

    def again(self, reference: str) -> Handle | None:
        """Nothing is found again: Ray ends what a driver left."""
        return None

    def cancel(self, handle: Handle) -> None:
        """End the call and its process."""
        assert isinstance(handle, RayCall)
        _ray().cancel(handle.ref, force=True)

    def stop(self, done: bool) -> None:
        """Take the mailbox down, and leave Ray if we came."""
        ray = _ray()
        if self._box is not None and ray.is_initialized():
            ray.kill(self._box)
        if self._ours:
            ray.shutdown()
            self._ours = False


class RayCall:
    """A remote call that calls back when it has ended."""

    def __init__(self, ref: Any) -> None:
        self.ref, self._future = ref, ref.future()

    def done(self) -> bool:
        """Whether it has ended."""
        return bool(self._future.done())

    def result(self) -> tuple[Letter, ...]:
        """What it returned."""
        found: tuple[Letter, ...] = self._future.result()
        return found

    def add_done_callback(self, call: Callable[[Any], object]) -> None:
        """Call once it has ended."""
        self._future.add_done_callback(call)


class Mailbox:
    """The last letter on each task, and which calls have lost theirs; an actor."""

    def __init__(self) -> None:
        self._letters: dict[str, Letter] = {}
        self._new: dict[str, None] = {}
        self._writers: dict[str, str] = {}
        self._lost: set[tuple[str, str]] = set()

    def tell(self, letter: Letter) -> bool:
        """Keep a letter, unless another worker has written since its writer began."""
        writer = self._writers.get(letter.task, letter.writer)
        gone = letter.number > 1 and writer != letter.writer
        if gone or (letter.task, letter.attempt) in self._lost:
            return False
        self._writers[letter.task] = letter.writer
        self._letters[letter.task] = letter
        self._new[letter.task] = None
        return True

    def take(self) -> list[Letter]:
        """The letters since this was last asked."""
        found, self._new = [self._letters[task] for task in self._new], {}
        return found

    def told(self, attempt: str, tasks: list[str]) -> list[Letter]:
        """The last letters of a call."""
        there = [self._letters[task] for task in tasks if task in self._letters]
        return [letter for letter in there if letter.attempt == attempt]

    def lose(self, task: str, attempt: str) -> None:
        """Note that a call has lost a task."""
        self._lost.add((task, attempt))

    def ended(self, task: str) -> None:
        """Drop the letter of a task."""
        self._letters.pop(task, None)
        self._new.pop(task, None)


class RayPost:
    """Letters by way of a mailbox.

    Attributes
    ----------
    box
        The actor.
    """

    def __init__(self, box: Any) -> None:
        self.box = box

    def tell(self, letter: Letter) -> bool:
        """Send a letter, and wait a little for what the mailbox says of its writer."""
        return bool(_ray().get(self.box.tell.remote(letter), timeout=ANSWER))

    def heard(self, tasks: Iterable[str]) -> list[Letter]:
        """What has come; nothing where the mailbox does not answer now."""
        ray = _ray()
        try:
            found: list[Letter] = ray.get(self.box.take.remote(), timeout=ANSWER)
        except ray.exceptions.RayError:
            return []
        return found

    def told(self, attempt: str, tasks: Iterable[str]) -> list[Letter]:
        """What the mailbox has of a call."""
        found: list[Letter] = _ray().get(self.box.told.remote(attempt, list(tasks)), timeout=ANSWER)
        return found

    def lose(self, task: str, attempt: str) -> None:
        """Note it; the worker learns of it with its next letter."""
        self.box.lose.remote(task, attempt)

    def ended(self, task: str) -> None:
        """Let the mailbox forget its letter."""
        self.box.ended.remote(task)


def _made(errand: Errand) -> tuple[Letter, ...]:
    return errand()


def _ray() -> Any:
    try:
        import ray
        import ray.util.scheduling_strategies
    except ImportError:
        raise StoreError(
            "sweeps on Ray need the package ray; install it with: pip install 'isoloss[ray]'"
        ) from None
    return ray
