"""What the work of a sweep asks of a job, for each kind: the decoder's, and those of a task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from isoloss.formats import Precision
from isoloss.lm.after import Predictions, post_key, post_precision, post_run
from isoloss.lm.model import Model
from isoloss.lm.shape import check_memory, training_bytes
from isoloss.lm.tasks import (
    RoundedModule,
    TaskJob,
    TaskTrainer,
    check_room,
    finished_run,
    post_key_of,
    post_rows_of,
    read_module,
    save_module,
)
from isoloss.lm.training import (
    Ended,
    Job,
    Trainer,
    device_of,
    finished,
    load_checkpoint,
    save_model,
    trainer_of,
)
from isoloss.runs import Run

Row = tuple[Run, dict[str, Any]]


class Kind(Protocol):
    """How jobs of one kind are trained, evaluated, quantised and kept."""

    def trainer(self, jobs: tuple[Any, ...]) -> Trainer:
        """The trainer of jobs that end together."""

    def row(self, ended: Ended[Any], job: Any) -> Run:
        """The row of a job whose training has ended."""

    def columns(self, job: Any) -> dict[str, Any]:
        """Further columns of that row."""

    def after(
        self, job: Any, run: Run, model: Any, wanted: Sequence[str | Precision]
    ) -> Iterator[Row]:
        """The rows of its model quantised."""

    def key(self, job: Any, post: str | Precision) -> str:
        """The key of such a row, known before training."""

    def memory(self, job: Any, members: int) -> float:
        """About the bytes that training takes."""

    def check_room(self, job: Any, workers: int, members: int) -> None:
        """Raise ModelError where so many workers at once need more memory than is free."""

    def save(self, path: Path, job: Any, run: Run, model: Any) -> None:
        """Keep a trained model in a file."""

    def read(self, path: Path, job: Any) -> tuple[Run, Any]:
        """The run and the model of such a file, on the job's device."""


@dataclass(frozen=True)
class OfDecoders:
    """Jobs of the decoder that isoloss has itself."""

    def trainer(self, jobs: tuple[Job, ...]) -> Trainer:
        """Of one, or of several as a batched model."""
        return trainer_of(jobs)

    def row(self, ended: Ended[Model], job: Job) -> Run:
        """Evaluated on the validation set of its corpus."""
        return finished(ended, job).run

    def columns(self, job: Job) -> dict[str, Any]:
        """The batched sweep that it was trained in, or how it was shared out among ranks."""
        if job.parallel is not None:
            return {"parallel": job.parallel.kind, "micro_batches": job.parallel.micro_batches}
        return {"cell": job.cell} if job.cell else {}

    def after(
        self, job: Job, run: Run, model: Model, wanted: Sequence[str | Precision]
    ) -> Iterator[Row]:
        """One by one, beside the predictions of the model before."""
        tokens = job.corpus.validation(job.recipe.validation)
        before = Predictions.of(model, tokens, job.recipe)
        for post in wanted:
            yield post_run(run, post, model, tokens, job.corpus, before=before, recipe=job.recipe)

    def key(self, job: Job, post: str | Precision) -> str:
        """Of the run and its precision, arrow and all."""
        return post_key(job.key, post_precision(job.precision, post))

    def memory(self, job: Job, members: int) -> float:
        """Weights, moments, and what a batch leaves."""
        return training_bytes(job.shape, job.batch, members, job.recipe.dtype)

    def check_room(self, job: Job, workers: int, members: int) -> None:
        """On the job's device."""
        device, dtype = job.recipe.device, job.recipe.dtype
        check_memory(job.shape, job.batch, workers, members, device=device, dtype=dtype)

    def save(self, path: Path, job: Job, run: Run, model: Model) -> None:
        """As a checkpoint that `quantise` takes."""
        save_model(path, model, job, run)

    def read(self, path: Path, job: Job) -> tuple[Run, Model]:
        """As `save` left it."""
        found = load_checkpoint(path)
        return found.run, found.model.to(device_of(job.recipe.device))


@dataclass(frozen=True)
class OfTasks:
    """Jobs of a module of one's own."""

    def trainer(self, jobs: tuple[TaskJob, ...]) -> Trainer:
        """Of one."""
        return TaskTrainer(*jobs)

    def row(self, ended: Ended[RoundedModule], job: TaskJob) -> Run:
        """Evaluated on the batches that the task holds out."""
        return finished_run(ended, job)[0]

    def columns(self, job: TaskJob) -> dict[str, Any]:
        """Which share of its matrices training rounded."""
        return {} if job.rounded_share is None else {"rounded_share": job.rounded_share}

    def after(
        self, job: TaskJob, run: Run, model: RoundedModule, wanted: Sequence[str | Precision]
    ) -> Iterator[Row]:
        """One by one, beside the module as it was trained."""
        return post_rows_of(job, run, model, wanted)

    def key(self, job: TaskJob, post: str | Precision) -> str:
        """As that of a decoder."""
        return post_key_of(job, post)

    def memory(self, job: TaskJob, members: int) -> float:
        """Weights and moments."""
        return job.memory

    def check_room(self, job: TaskJob, workers: int, members: int) -> None:
        """For weights and moments."""
        check_room(job, workers)

    def save(self, path: Path, job: TaskJob, run: Run, model: RoundedModule) -> None:
        """Its weights and buffers, which its own sweep reads."""
        save_module(path, model, job, run)

    def read(self, path: Path, job: TaskJob) -> tuple[Run, RoundedModule]:
        """As `save` left it."""
        return read_module(path, job)


#: A job of the decoder or of a task; those of one prefix are of one kind.
AnyJob = Job | TaskJob


def kind_of(job: AnyJob) -> Kind:
    """The kind of a job."""
    return OfTasks() if isinstance(job, TaskJob) else OfDecoders()
