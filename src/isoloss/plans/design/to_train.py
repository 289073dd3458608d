"""Runs to train, as rows: one dictionary a run and seed, a frame, a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from isoloss.runs import save_frame


@dataclass(frozen=True)
class NextRun:
    """Runs of one size, length and precision, which differ in the seed.

    Attributes
    ----------
    params, tokens, precision
        The run.
    seeds
        How many of them.
    flop
        Of each, counted as FLOPs of bf16.
    """

    params: float
    tokens: float
    precision: str
    seeds: int
    flop: float


class ToTrain:
    """Some runs with their seeds, which iterate as a Grid does."""

    runs: tuple[NextRun, ...]

    def __len__(self) -> int:
        return sum(run.seeds for run in self.runs)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for run in self.runs:
            for seed in range(run.seeds):
                yield {
                    "params": run.params,
                    "tokens": run.tokens,
                    "precision": run.precision,
                    "seed": seed,
                    "flops": 6.0 * run.params * run.tokens,
                }

    def frame(self) -> pl.DataFrame:
        """One row a run to train, with the columns of a table of runs but the loss."""
        return pl.DataFrame(list(self))

    def save(self, path: str | Path, force: bool = False) -> Path:
        """Write the frame to a file (.csv .tsv .parquet .json .jsonl) and return its path.

        Raises RunsError where it exists and `force` is not given.
        """
        return save_frame(self.frame(), Path(path), force)
