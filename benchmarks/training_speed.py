"""Speed of quantised training: the step of each precision over the unquantised step, tokens a
second, share of the matmul peak.

On one thread of the processor; on_gpu.py has that of a GPU.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch

from benchmarks.timing import repeats, table
from isoloss.lm import Language, Recipe, model_of
from isoloss.lm.training.job import Job
from isoloss.lm.training.trainer import Trainer

SIZES = ("80k", "10M")
PRECISIONS = (
    "fp",
    "w4",
    "a4",
    "kv4",
    "w4 a4 kv4",
    "w8 a8 kv8",
    "e4m3",
    "w:mxfp4 a:mxfp4",
    "w:nvfp4 a:nvfp4",
    "w8 a8 g8",
)
STEPS = 3
LONG = 10**6


def main() -> None:
    torch.set_num_threads(1)
    peak = _peak()
    print("### Training steps in each precision, one thread\n")
    print(f"Matmul peak: {peak / 1e9:.0f} Gflop/s (float32, 2048 x 2048).\n")
    for size in SIZES:
        _ladder(size, peak)


def step_seconds(trainer: Trainer, steps: int) -> float:
    """Seconds a step, of the processor, which other work on it does not disturb."""
    start = time.process_time()
    trainer.advance(trainer.step + steps, LONG, trainer.jobs[0].recipe)
    return (time.process_time() - start) / steps


def _ladder(size: str, peak: float) -> None:
    shape, language, recipe = model_of(size), Language(), Recipe()
    batch = recipe.sequences * language.context
    trainers = [Trainer(Job.of(shape, LONG * batch, p, language, recipe)) for p in PRECISIONS]
    took = np.array(
        [_round(trainers, k, size) for k in range(max(5, repeats(9)))][1:]
    )  # the first one compiles
    ratio = took / took[:, :1]
    flops = shape.training_flops(batch, language.context)
    rows = [
        [
            p,
            f"{np.median(ratio[:, k]):.2f}",
            f"{np.ptp(np.quantile(ratio[:, k], [0.25, 0.75])):.2f}",
            f"{batch / np.median(took[:, k]):.0f}",
            f"{100 * flops / np.median(took[:, k]) / peak:.0f}%",
        ]
        for k, p in enumerate(PRECISIONS)
    ]
    print(f"{size} params, batches of {batch} tokens, {len(took)} rounds:\n")
    print(
        table(
            ["precision", "step over fp", "between quartiles", "tokens a second", "of the peak"],
            rows,
        ),
        "\n",
    )


def _round(trainers: list[Trainer], k: int, size: str) -> list[float]:
    """Seconds a step of each trainer, one after the other, so that all meet the same machine."""
    seconds = [step_seconds(trainer, STEPS) for trainer in trainers]
    print(f"{size}: round {k + 1}", file=sys.stderr, flush=True)
    return seconds


def _peak() -> float:
    a, best = torch.randn(2048, 2048), np.inf
    for _ in range(6):  # the first one warms up
        start = time.process_time()
        a @ a
        best = min(best, time.process_time() - start)
    return 2 * 2048**3 / best


if __name__ == "__main__":
    main()
