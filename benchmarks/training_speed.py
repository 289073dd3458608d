"""Speed of quantised training: the step of each precision over the unquantised step, tokens a
second, share of the matmul peak.

On a GPU where there is one, else on one thread of the processor.
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

SIZES = {"cpu": ("80k", "10M"), "cuda": ("3M", "30M")}
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
    device, where = at_hand()
    peak = _peak(device)
    print(f"### Training steps in each precision, {where}\n")
    print(f"Matmul peak: {peak / 1e9:.0f} Gflop/s (float32, 2048 x 2048).\n")
    for size in SIZES[device]:
        _ladder(size, peak, device)


def at_hand() -> tuple[str, str]:
    """The device that speed is measured on, as torch and as people name it."""
    if torch.cuda.is_available():
        return "cuda", torch.cuda.get_device_name()
    return "cpu", "one thread"


def step_seconds(trainer: Trainer, steps: int) -> float:
    """Seconds a step: of the processor, which other work on it does not disturb, or on the clock
    for a device.
    """
    clock = time.process_time if trainer.device.type == "cpu" else time.perf_counter
    start = clock()
    trainer.advance(trainer.step + steps, LONG, trainer.jobs[0].recipe)
    _wait(trainer.device.type)
    return (clock() - start) / steps


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def _ladder(size: str, peak: float, device: str) -> None:
    shape, language, recipe = model_of(size), Language(), Recipe(device=device)
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


def _peak(device: str) -> float:
    a = torch.randn(2048, 2048, device=device)
    clock, best = time.process_time if device == "cpu" else time.perf_counter, np.inf
    for _ in range(6):  # the first one warms up
        start = clock()
        a @ a
        _wait(device)
        best = min(best, clock() - start)
    return 2 * 2048**3 / best


if __name__ == "__main__":
    main()
