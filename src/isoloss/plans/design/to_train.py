"""Runs to train, as rows: one dictionary a run and seed, a frame, a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from isoloss.fits import Section
from isoloss.laws import Array
from isoloss.plans.design.candidates import Candidates
from isoloss.plans.design.exchange import Counts
from isoloss.runs import compact, save_frame

#: The columns of a table of runs to train.
HEAD = ("params", "tokens", "precision", "seeds", "FLOPs each", "share of the cost")


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


def bought_runs(bought: Candidates, counts: Array | Counts) -> tuple[NextRun, ...]:
    """Candidates with so many seeds each, in their order."""
    spelled = [str(bought.precisions[k]) for k in bought.which]
    rows = zip(bought.params, bought.tokens, spelled, counts, bought.cost, strict=True)
    return tuple(
        NextRun(float(n), float(d), p, int(seeds), float(flop)) for n, d, p, seeds, flop in rows
    )


class ToTrain:
    """Some runs with their seeds, which iterate as a Grid does.

    Attributes
    ----------
    runs
        The runs.
    flop
        What they cost together, FLOPs of bf16.
    """

    runs: tuple[NextRun, ...]
    flop: float

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

    def table(self, title: str, *notes: str) -> Section:
        """The runs as a section of a report, each with its share of the cost."""
        rows = tuple(
            (
                compact(r.params), compact(r.tokens), r.precision, str(r.seeds), f"{r.flop:.3g}",
                f"{100 * r.seeds * r.flop / self.flop:.1f}%",
            )
            for r in self.runs
        )  # fmt: skip
        return Section(title, notes, HEAD, rows)

    def frame(self) -> pl.DataFrame:
        """One row a run to train, with the columns of a table of runs but the loss."""
        return pl.DataFrame(list(self))

    def save(self, path: str | Path, force: bool = False) -> Path:
        """Write the frame to a file (.csv .tsv .parquet .json .jsonl) and return its path.

        Raises RunsError where it exists and `force` is not given.
        """
        return save_frame(self.frame(), Path(path), force)
