"""One run of a task from its end: the row, and the rows of its module rounded for serving."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from isoloss.formats import Precision
from isoloss.lm.after import (
    Calibration,
    Degradation,
    Options,
    draws_of,
    pooled,
    post_key,
    post_row,
    quantised,
    rounded_share,
    served,
)
from isoloss.lm.tasks.evaluating import Before, evaluated
from isoloss.lm.tasks.looking_over import LookedOver, Probing
from isoloss.lm.tasks.rounded_module import RoundedModule
from isoloss.lm.tasks.serving import as_served
from isoloss.lm.tasks.task_job import TaskJob
from isoloss.lm.tasks.task_trainer import TaskTrainer
from isoloss.lm.tasks.training_task import TrainingTask, check_task
from isoloss.lm.training import Ended, Evaluation, Recipe, divergence, ended_row, losses_of
from isoloss.runs import Run, Runs, number


@dataclass(frozen=True, eq=False)
class TrainedModule:
    """A finished run of a task with the module that it left.

    Attributes
    ----------
    run
        The row of the run, its loss and status filled in.
    module
        The module after its last step, its weights as the optimiser holds them, nothing rounded.
    losses
        Training loss of each step, nats a token, shape (steps,); NaN after the step at which it
        diverged.
    evaluation
        The held-out loss of the module as it was trained, with what that rounds.
    rounded_share
        The share of the weights outside embedding and head that training rounded, None for none.
    """

    run: Run
    module: nn.Module
    losses: np.ndarray
    evaluation: Evaluation
    rounded_share: float | None

    @property
    def runs(self) -> Runs:
        """The run as a table of one row."""
        return Runs([self.run])


def train_task(
    task: TrainingTask,
    tokens: float | str,
    precision: str | Precision = "fp",
    *,
    params: float | str | None = None,
    recipe: Recipe | None = None,
    seed: int = 0,
) -> TrainedModule:
    """Train one module of one's own and evaluate it on its held-out batches.

    Batches depend on seed and step alone, and so do the first weights: runs that differ in
    precision only are paired.

    Parameters
    ----------
    task
        The module, its batches and its loss.
    tokens
        Tokens seen, as 20_000 or "20k", rounded to whole batches; at least one.
    precision
        What is rounded in training: weights, activations, output gradients, as "w4 a8 g8".
    params
        What `build` is given, as 20_000 or "20k", where the task has several sizes.
    recipe
        Learning rate, schedule, batch and the like; the defaults of `Recipe` unless given.
    seed
        Of the first weights and the order of batches.

    Returns
    -------
    TrainedModule
        The run, its module and its losses.

    Raises
    ------
    ModelError
        An argument is of another kind, or task, precision or memory do not allow the training.
    ValueError
        The corpus has too few tokens, or a number cannot be read.
    """
    looked = LookedOver.of(check_task(task), None if params is None else number(params))
    job = TaskJob.of(looked, tokens, precision, recipe or Recipe(), seed)
    trainer = TaskTrainer(job)
    trainer.advance(job.steps, job.steps, job.recipe)
    (ended,) = trainer.ended()
    run, found = finished_run(ended, job)
    losses = losses_of(ended, job.steps)
    return TrainedModule(run, ended.model.bare(), losses, found, job.rounded_share)


def finished_run(ended: Ended[RoundedModule], job: TaskJob) -> tuple[Run, Evaluation]:
    """The run of a job whose training has ended, and its held-out losses."""
    with ended.model.as_trained() as module:
        found = evaluated(job.task, module, job.recipe)
    reason = f"{ended.broken} of {job.steps}" if ended.broken else None
    if reason is None and job.task.of_tokens is not None:
        reason = divergence(found.loss, job.task.of_tokens)
    if reason is None and not math.isfinite(found.loss):
        reason = f"the final loss is {found.loss}"
    return ended_row(job.row, found, reason, ended.seconds), found


def post_rows_of(
    job: TaskJob, run: Run, rounded: RoundedModule, wanted: Sequence[str | Precision]
) -> Iterator[tuple[Run, dict[str, Any]]]:
    """The rows of a trained module after each way of rounding it, which leaves the module bare."""
    task, recipe, calibration, options = job.task, job.recipe, Calibration(), Options()
    before = None
    if run.status != "diverged":
        with rounded.as_trained() as module:
            before = Before.of(task, module, recipe)
    module, probe = rounded.bare(), Probing(task)
    for post in wanted:
        whole = as_served(job.precision, post)

        def measured(whole: Precision = whole) -> Degradation:
            assert before is not None
            return pooled(
                before.beside(task, each, recipe) for each in _served(module, whole, task)
            )

        def share(whole: Precision = whole) -> float:
            return rounded_share(module, whole, probe=probe) if whole.serve else 0.0

        row, columns = post_row(
            run, served(job.precision, post), calibration, share, measured, options
        )
        # Of a loss that is none of predictions there is no divergence.
        yield row, {name: value for name, value in columns.items() if not math.isnan(value)}


def _served(module: nn.Module, whole: Precision, task: TrainingTask) -> Iterator[nn.Module]:
    """The module rounded as `whole` says, for each draw of calibration; itself where it says
    nothing.
    """
    if not whole.serve:
        yield module
        return
    corpus, asked = task.of_tokens, Precision(whole.serve)
    drawn = (None,) if corpus is None else draws_of(whole, Calibration(), corpus, None, Options())
    for k, each in enumerate(drawn):
        yield quantised(module, asked, each, draw=k, probe=Probing(task))


def post_key_of(job: TaskJob, post: str | Precision) -> str:
    """The key of a run's row after rounding, known before the run is trained."""
    return post_key(job.key, served(job.precision, post))
