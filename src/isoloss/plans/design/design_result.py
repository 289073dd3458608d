"""The next runs as a value: what to train, what it costs, and how much surer the plan is expected to be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from isoloss.fits import ResultWarning, Section, text
from isoloss.runs import compact, save_frame


@dataclass(frozen=True)
class NextRun:
    """Runs of one size, length and precision, which differ in the seed; ``flop`` of bf16 for each of them."""

    params: float
    tokens: float
    precision: str
    seeds: int
    flop: float


@dataclass(frozen=True)
class Width:
    """The interval of the optimal params as a factor, most over least: now, and expected after runs."""

    now: float
    after: float
    grid: float | None


@dataclass(frozen=True)
class NextRuns:
    """The runs that shrink the interval of a plan's params most for their cost. Prints itself.

    Iterating gives one dictionary a run (params, tokens, precision, seed, flops as 6ND), as a Grid does; seeds count
    from 0 in every cell, so give others where you have trained that cell before. ``params`` is the
    interval of the optimal params at ``target`` as it is now; ``width`` what becomes of it, ``width.grid`` with a
    regular grid of the same cost, of ``grid_runs`` runs.
    """

    runs: tuple[NextRun, ...]
    budget: str
    target: str
    hardware: str
    flop: float
    most_flop: float
    params: tuple[float, float, float]
    width: Width
    grid_runs: int
    noise: float
    level: float
    cautions: tuple[ResultWarning, ...]

    def __len__(self) -> int:
        return sum(run.seeds for run in self.runs)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for run in self.runs:
            for seed in range(run.seeds):
                yield {
                    "params": run.params, "tokens": run.tokens, "precision": run.precision, "seed": seed,
                    "flops": 6.0 * run.params * run.tokens,
                }  # fmt: skip

    def frame(self) -> pl.DataFrame:
        """One row a run to train, with the columns of a table of runs; the loss is what is missing."""
        return pl.DataFrame(list(self))

    def save(self, path: str | Path, force: bool = False) -> Path:
        """The path, after the frame was written there (.csv .tsv .parquet .json .jsonl).

        Raises RunsError where it exists and ``force`` is not given.
        """
        return save_frame(self.frame(), Path(path), force)

    def sections(self) -> list[Section]:
        """The report as titled sections, for whoever prints it."""
        head = ("params", "tokens", "precision", "seeds", "flop each", "share of the cost")
        rows = tuple(
            (
                compact(r.params), compact(r.tokens), r.precision, str(r.seeds), f"{r.flop:.3g}",
                f"{100 * r.seeds * r.flop / self.flop:.1f}%",
            )
            for r in self.runs
        )  # fmt: skip
        return [
            Section("Next runs", tuple(self._headline())),
            Section("What to train", (), head, rows),
            Section("Warnings", tuple(map(str, self.cautions)) or ("none",)),
        ]

    def _headline(self) -> list[str]:
        middle, low, high = self.params
        share = f"{100 * self.level:g}%"
        now = f"{compact(middle)} ({share}: {compact(low)} to {compact(high)}, a factor of {self.width.now:.3g})"
        after = f"expected after these {len(self)} runs: a factor of {self.width.after:.3g}"
        if self.width.grid is not None:
            after += f"; after a regular grid of {self.grid_runs} runs of the same cost: {self.width.grid:.3g}"
        return [
            f"budget: {self.budget}; used: {self.flop:.3g} of {self.most_flop:.3g} flop (bf16)",
            f"to learn: the params of a plan for {self.target}",
            f"hardware: {self.hardware}",
            f"now: {now}",
            after,
        ]

    def __str__(self) -> str:
        return text(self.sections())
