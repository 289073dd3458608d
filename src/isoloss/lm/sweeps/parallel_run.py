"""The work of one task on several ranks: one run, trained together, and what it is quantised to.

The first rank does this work in its sweep: the claim, the rows and the person are its business. The
others wait for its orders, and train what it trains. Whatever depends on the clock, on files or on
the store is decided by the first rank and told to all, so that no rank waits for one that does
something else. A rank that fails alone ends the whole command, which `torchrun` may start again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoloss.lm.parallel import (
    ParallelTrainer,
    Ranks,
    Stopped,
    forget_state,
    read_state,
    save_state,
)
from isoloss.lm.sweeps.kinds import kind_of
from isoloss.lm.sweeps.shared_prefix import SharedPrefix
from isoloss.lm.training import CheckpointError, Job, finished
from isoloss.runs import ClaimLost, Run, StoreError, Watch

#: The name of a run's state in its folder.
STATE = "state"


@dataclass(frozen=True)
class Order:
    """What the first rank has all ranks train.

    Attributes
    ----------
    key
        The key of the run.
    folder
        Where its state is kept, a folder that all ranks see.
    """

    key: str
    folder: Path


class Lost(StoreError):
    """The ranks are no longer at the same place, since one of them failed alone."""


class Company:
    """The ranks of a sweep; lost: why they can do nothing together any more."""

    def __init__(self, ranks: Ranks):
        self.ranks = ranks
        self.lost: str | None = None


@dataclass(frozen=True, eq=False)
class ParallelRun:
    """One job with what its model is quantised to; called with a watch by the first rank, and
    followed by the others.
    """

    prefix: SharedPrefix
    company: Company

    @property
    def job(self) -> Job:
        """The job."""
        job = self.prefix.jobs[0]
        assert isinstance(job, Job)
        return job

    def __call__(self, watch: Watch) -> None:
        """Train what is missing with the other ranks, and leave every row with the watch."""
        if self.company.lost is not None:
            raise Lost(f"the ranks lost each other before ({self.company.lost})")
        kept, extra = self.prefix.kept(self.job, watch), {}
        if kept is None:
            order = Order(self.job.key, watch.folder)
            self.company.ranks.told(order)
            try:
                trainer, run, model = self._trained(order, watch)
            except (Stopped, ClaimLost):
                raise ClaimLost(str(self.job)) from None
            except BaseException as error:
                self.company.lost = f"{type(error).__name__}: {error}"
                raise
            self.prefix.keep_model(self.job, run, model, watch)
            kept = run, model
            extra = {"ranks": ", then ".join(f"{n}" for n, _ in trainer.taken)}
        self._harvest(*kept, extra, watch)
        forget_state(watch.folder, STATE)

    def follow(self, order: Order) -> None:
        """Train with the first rank."""
        try:
            self._trained(order, None)
        except Stopped:
            return

    def _trained(self, order: Order, watch: Watch | None) -> tuple[ParallelTrainer, Run, Any]:
        """The trainer at the end of the run, its row, and the whole model where it is wanted."""
        ranks, job = self.company.ranks, self.job
        trainer = ParallelTrainer(job, ranks)
        try:
            read_state(order.folder, STATE, trainer)
        except CheckpointError as error:
            _say(watch, f"{error}; its steps are taken again")
            trainer = ParallelTrainer(job, ranks)
        trainer.advance(job.steps, job.steps, job.recipe, self._telling(trainer, order, watch))
        (ended,) = trainer.ended()
        run = finished(ended, job).run  # on all ranks, which gather weights together
        wanted = self.prefix.keep is not None or self.prefix.post
        return trainer, run, trainer.gathered() if wanted else None

    def _telling(
        self, trainer: ParallelTrainer, order: Order, watch: Watch | None
    ) -> Callable[[int, float], None]:
        """A callback after each step: do what the first rank wished for, and let it wish."""
        saved, mute = time.monotonic(), False

        def each(step: int, loss: float) -> None:
            nonlocal saved, mute
            if trainer.asked == "stop":
                raise Stopped
            if trainer.asked == "keep":
                try:
                    save_state(order.folder, STATE, trainer)
                except CheckpointError as error:
                    if not mute:  # once is enough: the training itself is well
                        _say(watch, f"{error}; training goes on without one")
                    mute = True
                saved = time.monotonic()
            if watch is None:
                return
            try:
                watch.tell(step / self.job.steps, loss)
            except ClaimLost:
                trainer.wish = "stop"
            else:
                due = watch.leaving or time.monotonic() - saved >= self.prefix.every
                trainer.wish = "keep" if due else ""

        return each

    def _harvest(self, run: Run, model: Any, extra: dict[str, Any], watch: Watch) -> None:
        """Add the rows that are missing, the run's own first; by the first rank alone."""
        job, kind = self.job, kind_of(self.job)
        if job.key in watch.missing:
            watch.add(run, **kind.columns(job), **extra)
        wanted = [post for key, post in self.prefix.afters(job) if key in watch.missing]
        if wanted:
            there = model.to(self.company.ranks.device)
            for row, more in kind.after(job, run, there, wanted):
                watch.add(row, **more)


def _say(watch: Watch | None, sentence: str) -> None:
    if watch is not None:
        watch.say(sentence)
