"""A batched sweep: 16 precisions as one batched model against one by one: how alike, operations a
step, time a step.

Models of 80k params on one thread of the processor; on_gpu.py times 3M on a GPU.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.timing import repeats, table
from benchmarks.training_speed import LONG, step_seconds
from isoloss.lm import Language, Recipe, model_of
from isoloss.lm.training.batched_trainer import BatchedTrainer
from isoloss.lm.training.job import Job
from isoloss.lm.training.one_run import finished
from isoloss.lm.training.trainer import Trainer

PRECISIONS = (
    "fp", "w2", "w3", "w4", "w6", "w8", "a3", "a4", "a6", "a8", "kv3", "kv4", "w:e2m1", "w:e4m3",
    "w4 a4 kv4", "w8 a8 kv8",
)  # fmt: skip
SIZE = "80k"
#: Steps that are compared, and those of one timing.
COMPARED, STEPS = 200, 2
WITHIN = 1e-5
#: What only looks at memory in another way, and starts nothing on a device.
VIEWS = {
    "view", "_unsafe_view", "reshape", "transpose", "t", "permute", "expand", "slice", "select",
    "split", "split_with_sizes",
    "unbind", "unsqueeze", "squeeze", "detach", "alias", "as_strided", "lift_fresh",
    "promote_types",
}  # fmt: skip


class Operations(TorchDispatchMode):
    """Counts the operations that torch starts."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """The operation's result."""
        self.count += func.__name__.partition(".")[0] not in VIEWS
        return func(*args, **(kwargs or {}))


def main() -> None:
    torch.set_num_threads(1)
    print(f"### {len(PRECISIONS)} precisions at once, {SIZE} params, one thread\n")
    print(_alike(_jobs(COMPARED, compiled=False)), "\n")
    cell, alone = _operations(_jobs(LONG, compiled=False))
    print(
        f"Operations that torch starts in a step, rounding not fused: {cell} batched, {alone} "
        f"one by one: {alone / cell:.1f} times.\n"
    )
    ratio = _times(_jobs(LONG, compiled=True))
    low, middle, high = np.quantile(ratio, [0.25, 0.5, 0.75])
    print(
        f"Runs an hour over those one by one, rounding fused: {middle:.2f} times ({low:.2f} to "
        f"{high:.2f} between quartiles of {len(ratio)})."
    )


def _jobs(steps: int, compiled: bool) -> list[Job]:
    language, recipe = Language(), Recipe(compiled=compiled)
    tokens = steps * recipe.sequences * language.context
    return [Job.of(model_of(SIZE), tokens, p, language, recipe) for p in PRECISIONS]


def _alike(jobs: Sequence[Job]) -> str:
    """How far each member is from its run alone, and how far another seed is."""
    cell, rows, apart = BatchedTrainer(*jobs), [], []
    cell.advance(COMPARED, COMPARED, jobs[0].recipe)
    together = np.array(cell.losses)
    for k, (job, ended) in enumerate(zip(jobs, cell.ended(), strict=True)):
        alone, other = Trainer(job), Trainer(replace(job, seed=1))
        for trainer in (alone, other):
            trainer.advance(COMPARED, COMPARED, job.recipe)
        beyond = np.abs(together[:, k] - np.array(alone.losses)[:, 0]) > WITHIN
        equal = int(np.argmax(beyond)) if beyond.any() else COMPARED
        member, one, two = (
            finished(e, job).evaluation.loss for e in (ended, *alone.ended(), *other.ended())
        )
        apart.append([member - one, two - one])
        rows.append(
            [job.precision, equal, f"{one:.4f}", f"{member - one:+.1e}", f"{two - one:+.1e}"]
        )
        print(f"compared {job.precision}", file=sys.stderr, flush=True)
    of_order, of_seed = np.sqrt(np.mean(np.square(apart), axis=0))
    head = [
        "precision",
        f"steps of {COMPARED} with losses within {WITHIN:g}",
        "loss alone",
        "batched less that",
        "other seed less that",
    ]
    return (
        f"Members against their runs alone, {COMPARED} steps, float32, validation loss in nats a "
        f"token:\n\n{table(head, rows)}\n\n"
        f"Root mean square over precisions: {of_order:.1e} by the order of sums, {of_seed:.1e} by "
        "the seed."
    )


def _operations(jobs: Sequence[Job]) -> tuple[int, int]:
    """Of a step: those of the cell, and those of all jobs one by one."""
    counts = []
    for trainer in (BatchedTrainer(*jobs), *(Trainer(job) for job in jobs)):
        trainer.advance(1, LONG, jobs[0].recipe)
        with Operations() as operations:
            trainer.advance(2, LONG, jobs[0].recipe)
        counts.append(operations.count)
    return counts[0], sum(counts[1:])


def _times(jobs: Sequence[Job]) -> np.ndarray:
    """The time of a step of all one by one over that of the cell, shape (rounds,)."""
    trainers = [BatchedTrainer(*jobs), *(Trainer(job) for job in jobs)]
    rounds = [
        [step_seconds(trainer, STEPS) for trainer in trainers] for _ in range(max(5, repeats(9)))
    ]
    took = np.array(rounds[1:])  # the first one compiles
    return np.asarray(took[:, 1:].sum(1) / took[:, 0])


if __name__ == "__main__":
    main()
