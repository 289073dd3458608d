"""Learned steps ('@lsq') beside rounding to nearest in training, at several rates of the steps.

``python -m benchmarks.learned_steps [SIZE [TOKENS [SEEDS]]]``: pairs share batches and weights; the
rate is that of steps over that of the matrix that they round (`STEP_RATE`, .1 unless changed
here). AdamW makes the paper's scale of a step's gradient count for nothing, so that this ratio is
what is left of it.
"""

from __future__ import annotations

import sys
from unittest import mock

import numpy as np

from benchmarks.timing import asked, table
from isoloss.lm import Language, Recipe, model, model_of, train_one

RATES = (1.0, 0.1, 0.01, 0.001)
PRECISION = "w3"


def main(size: str = "20k", tokens: str = "1M", seeds: int = 3) -> None:
    """The losses of each rate, less those of plain rounding."""
    plain = _losses(size, tokens, PRECISION, seeds)
    whole = _losses(size, tokens, "fp", seeds)
    rows = [_row(PRECISION, plain, plain, whole)]
    for rate in RATES:
        with mock.patch.object(model, "STEP_RATE", rate):
            found = _losses(size, tokens, f"{PRECISION}@lsq", seeds)
        rows.append(_row(f"{PRECISION}@lsq, rate {rate:g}", found, plain, whole))
    print(f"### Learned steps, {size} params on {tokens} tokens, {seeds} seeds\n")
    print(table(["", "loss", f"less {PRECISION}", "less fp"], rows), "\n")


def _losses(size: str, tokens: str, precision: str, seeds: int) -> np.ndarray:
    return np.array([
        train_one(model_of(size), tokens, precision, corpus=Language(), recipe=Recipe(), seed=seed)
        .run.loss
        for seed in range(seeds)
    ])  # fmt: skip


def _row(name: str, found: np.ndarray, *beside: np.ndarray) -> list[str]:
    apart = [found - other for other in beside]
    return [
        name,
        f"{found.mean():.4f}",
        *(f"{d.mean():+.4f} +- {d.std(ddof=1) / np.sqrt(len(d)):.4f}" for d in apart),
    ]


if __name__ == "__main__":
    main(*asked(__doc__, sys.argv[1:], str, str, int))
