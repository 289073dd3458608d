"""The work of one task of a sweep: runs that share their first steps, trained once.

A warm-up-stable-decay run equals the constant run until its decay begins. So the shared prefix is
trained once; where a run branches off, the state is copied, the branch decays, is evaluated and
quantised, and the prefix goes on. Every run has the same numbers, to the last bit, as if it had
been trained alone. A cosine run is a prefix of no steps with one branch. Prefixes that differ in
precision and seed may be trained side by side as one batched model, which adds sums up in another
order.

Work is written down as it is done: each row when it is known, the states of prefix and branch every
half a minute, and where the worker must leave. Whoever takes the work up again, in whatever state,
ends with the same rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from isoloss.formats import Precision
from isoloss.lm.after import PostMethod, know_methods
from isoloss.lm.rounding import GradientRule, know_rules
from isoloss.lm.sweeps.kinds import AnyJob, Kind, kind_of
from isoloss.lm.training import (
    CheckpointError,
    Ended,
    Trainer,
    read_checkpoint,
    save_checkpoint,
)
from isoloss.runs import Run, StoreError, Watch

#: Seconds of training between two states that are kept.
EVERY = 30.0
State = dict[str, Tensor]


@dataclass(frozen=True)
class SharedPrefix:
    """Jobs that share a prefix, or stand in one batched sweep, and what each model is quantised to.

    Attributes
    ----------
    jobs
        The jobs, each with the same `prefix` key, or the same `cell`.
    post
        What each model is quantised to after training.
    keep
        A folder for the models; those that are there already are not trained again.
    every
        Seconds of training between two states that are kept.
    methods, rules
        Methods after training and gradient rules of a user's own that precisions name: sent along,
        so that another process knows them too.
    """

    jobs: tuple[AnyJob, ...]
    post: tuple[str | Precision, ...] = ()
    keep: Path | None = None
    every: float = EVERY
    methods: tuple[PostMethod, ...] = ()
    rules: tuple[GradientRule, ...] = ()

    @property
    def key(self) -> str:
        """The key of the prefix or batched sweep, which its jobs have in common."""
        return self.jobs[0].cell or self.jobs[0].prefix

    @property
    def kind(self) -> Kind:
        """The kind of its jobs."""
        return kind_of(self.jobs[0])

    @property
    def branches(self) -> list[tuple[AnyJob, ...]]:
        """The jobs that end together, those that branch off first before the others: one each, or
        one of each member.
        """
        found: dict[str, list[AnyJob]] = {}
        for job in self.jobs:
            found.setdefault(job.apart if job.cell else job.key, []).append(job)
        return sorted(
            map(tuple, found.values()), key=lambda branch: (branch[0].shared, branch[0].steps)
        )

    @property
    def steps(self) -> int:
        """Steps in all: those shared once, and those of each branch."""
        return _steps(self.branches)

    @property
    def members(self) -> int:
        """Models that are trained at once."""
        return len(self.branches[0])

    @property
    def flops(self) -> float:
        """FLOPs of training in all."""
        return self.members * self.jobs[0].flops(self.steps)

    @property
    def memory(self) -> float:
        """About the bytes that training takes."""
        return self.kind.memory(self.jobs[0], self.members)

    def rows(self, job: AnyJob) -> tuple[str, ...]:
        """The keys of the rows that a job yields."""
        return job.key, *(after for after, _ in self.afters(job))

    def afters(self, job: AnyJob) -> list[tuple[str, str | Precision]]:
        """The key of each row after training, and what the model is quantised to for it."""
        return [(self.kind.key(job, post), post) for post in self.post]

    def kept(self, job: AnyJob, watch: Watch) -> tuple[Run, Any] | None:
        """The run and the model of a job where an earlier sweep kept it, on the job's device."""
        path = self._file(job)
        if path is None or not path.exists():
            return None
        try:
            return self.kind.read(path, job)
        except CheckpointError as error:
            watch.say(f"{error}; it is trained again")
            return None

    def keep_model(self, job: AnyJob, run: Run, model: Any, watch: Watch) -> None:
        """Keep a trained model where models are kept."""
        path = self._file(job)
        if path is None:
            return
        try:
            self.kind.save(path, job, run, model)
        except CheckpointError as error:
            watch.say(f"{error}; the run itself is kept")

    def _file(self, job: AnyJob) -> Path | None:
        return None if self.keep is None else self.keep / f"{job.key}.safetensors"

    def __call__(self, watch: Watch) -> None:
        """Train what is missing, and leave every row with the watch."""
        torch.set_num_threads(1)
        know_methods(self.methods)
        know_rules(self.rules)
        _Training(self, watch).run()


def _steps(branches: Sequence[Sequence[AnyJob]]) -> int:
    jobs = [branch[0] for branch in branches]
    return max(job.shared for job in jobs) + sum(job.steps - job.shared for job in jobs)


class _Training:
    """A shared prefix in training: how far it is, and what it tells the watch."""

    def __init__(self, prefix: SharedPrefix, watch: Watch):
        self.prefix, self.watch, self.kind = prefix, watch, prefix.kind
        self.done = 0  # steps of branches that have ended
        self.saved = time.monotonic()
        self.mute = False
        self.branches = [
            branch
            for branch in prefix.branches
            if not watch.missing.isdisjoint(key for job in branch for key in prefix.rows(job))
        ]

    def run(self) -> None:
        """Train and record every branch; a member that fails stops no other, and is raised at the
        end.
        """
        stem: State | None = None
        problems: list[Exception] = []
        for branch in self.branches:
            kept = [self.prefix.kept(job, self.watch) for job in branch]
            ends: list[Ended[Any] | None] = [None] * len(branch)
            if None in kept:
                trainer, stem = self._trained(branch, stem)
                ends = list(trainer.ended())
            for job, there, ended in zip(branch, kept, ends, strict=True):
                try:
                    self._harvest(job, *(there or self._finished(ended, job)))
                except StoreError:
                    raise
                except Exception as error:
                    problems.append(error)
            if not problems:
                self._path(branch[0].key).unlink(missing_ok=True)
            self.done += branch[0].steps - branch[0].shared
        if problems:
            raise problems[0]

    def _trained(
        self, branch: tuple[AnyJob, ...], stem: State | None
    ) -> tuple[Trainer, State | None]:
        """The trainer at the end of a branch, and the state of the prefix where it branched off, if
        known.
        """
        trainer, job = self.kind.trainer(branch), branch[0]
        state = self._read(self._path(job.key), trainer)
        if state is not None:
            trainer.restore(state)
        else:
            state = stem if stem is not None else self._read(self._path("trunk"), trainer)
            if state is not None and len(state["losses"]) <= job.shared:
                trainer.restore(state)
            constant = replace(job.recipe, schedule="constant")
            trainer.advance(
                job.shared, job.steps, constant, self._telling(trainer, "trunk", self.done)
            )
            stem = trainer.tensors()
        trainer.advance(
            job.steps, job.steps, job.recipe, self._telling(trainer, job.key, self.done)
        )
        return trainer, stem

    def _finished(self, ended: Ended[Any] | None, job: AnyJob) -> tuple[Run, Any]:
        """The run and the model of a job, kept in a file where models are."""
        assert ended is not None  # trained, since it was not kept
        run = self.kind.row(ended, job)
        self.prefix.keep_model(job, run, ended.model, self.watch)
        return run, ended.model

    def _harvest(self, job: AnyJob, run: Run, model: Any) -> None:
        """Keep the rows of a trained model that are missing, its own first."""
        if job.key in self.watch.missing:
            self.watch.add(run, **self.kind.columns(job))
        wanted = [post for key, post in self.prefix.afters(job) if key in self.watch.missing]
        for row, extra in self.kind.after(job, run, model, wanted) if wanted else ():
            self.watch.add(row, **extra)

    # ---- states in files; "trunk" is the file name of the prefix, as older sweeps left it
    def _path(self, name: str) -> Path:
        return self.watch.folder / f"{name}.safetensors"

    def _telling(self, trainer: Trainer, name: str, before: int) -> Callable[[int, float], None]:
        """A callback after each step: tell how far it is, and keep the state now and then."""
        total = _steps(self.branches)

        def each(step: int, loss: float) -> None:
            self.watch.tell(min(1.0, (before + step) / total), loss)
            if self.watch.leaving or time.monotonic() - self.saved >= self.prefix.every:
                self._save(trainer, name)

        return each

    def _save(self, trainer: Trainer, name: str) -> None:
        try:
            save_checkpoint(self._path(name), trainer.tensors(), {"kind": "state", "of": name})
        except CheckpointError as error:
            if not self.mute:  # once is enough: the training itself is well
                self.watch.say(f"{error}; training goes on without one")
            self.mute = True
        self.saved = time.monotonic()

    def _read(self, path: Path, trainer: Trainer) -> State | None:
        """The state in a file; None if there is none, or none that can be used, which is said."""
        if not path.exists():
            return None
        try:
            return read_checkpoint(path, trainer.tensors())[0]
        except CheckpointError as error:
            self.watch.say(f"{error}; its steps are taken again")
            path.unlink(missing_ok=True)
            return None
