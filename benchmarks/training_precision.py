"""Quantised training on the synthetic language: loss gaps of paired seeds, and processor seconds over the unquantised run's."""

from __future__ import annotations

import sys
import time

import numpy as np
import torch

from benchmarks.timing import repeats, table
from isoloss.lm import Recipe, Trained, model_of, train_one

SIZE, TOKENS = "20k", "0.25M"
PRECISIONS = ("w2", "w3", "w4", "w8", "a3", "a4", "a8", "kv3", "kv4", "q4", "w4 a4 kv4", "w8 a8 kv8", "w4 g4")


def main() -> None:
    torch.set_num_threads(1)
    seeds = min(repeats(2), 3)
    for precision in PRECISIONS:  # rounding is compiled once, before anything is timed
        _run(precision, 0, "4k")
    plain, plain_took = zip(*(_run("fp", seed) for seed in range(seeds)), strict=True)
    between = np.std([done.run.loss for done in plain], ddof=1)
    rows = []
    for precision in PRECISIONS:
        done, took = zip(*(_run(precision, seed) for seed in range(seeds)), strict=True)
        gaps = np.array([a.run.loss - b.run.loss for a, b in zip(done, plain, strict=True)])
        each = np.mean([a.evaluation.each - b.evaluation.each for a, b in zip(done, plain, strict=True)], 0)
        ratio = np.median([a / b for a, b in zip(took, plain_took, strict=True)])
        status = " ".join(sorted({one.run.status for one in done}))
        rows.append(
            [
                precision,
                f"{gaps.mean():+.4f}",
                f"{gaps.std(ddof=1) / np.sqrt(seeds):.4f}",
                f"{each.std(ddof=1) / np.sqrt(len(each)):.4f}",
                f"{ratio:.2f}",
                status,
            ]
        )
    print(f"### Quantised training, {SIZE} params, {TOKENS} tokens, {seeds} paired seeds\n")
    print(f"The losses of the unquantised runs have a standard deviation of {between:.4f} between seeds.\n")
    head = ["precision", "gap", "se over seeds", "se over validation", "processor seconds over fp", "status"]
    print(table(head, rows))


def _run(precision: str, seed: int, tokens: str = TOKENS) -> tuple[Trained, float]:
    """The run and the processor seconds it took: others may share the machine."""
    start = time.process_time()
    done = train_one(model_of(SIZE), tokens, precision, recipe=Recipe(), seed=seed)
    if tokens == TOKENS:
        print(f"{precision} {seed}: {done.run.loss:.4f}", file=sys.stderr, flush=True)
    return done, time.process_time() - start


if __name__ == "__main__":
    main()
