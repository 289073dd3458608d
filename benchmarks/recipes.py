"""Recipes of training in four bits: which operand, rounded how, makes the gap grow with tokens; and
what a changed precision, and a decayed rate, do to it.

``python -m benchmarks.recipes [STORE [SEEDS [SIZE]]]``: trains what the store lacks (about 70 minutes of a
core a seed at 20k params), then reports. Every run is scored as trained and, where its forward pass is
rounded, in full precision too: the second is damage to training alone.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from benchmarks.timing import asked, table
from isoloss.fits import Growth, PrecisionGap, gap_table
from isoloss.formats import Precision
from isoloss.lm import train
from isoloss.runs import Grid, Runs, read

#: Tokens a param, on one trajectory at a constant rate, each with a branch that decays.
LENGTHS = (10, 40, 160)
SCHEDULES = ("constant", "wsd")
#: Scales from the largest number of 32, so that stochastic rounding has no bias: those of mxfp4 are
#: powers of two and clip that number.
FORMAT = "e2m1/32"
#: Below the default, at which losses of a held rate rise again on long runs.
RATE = 0.005
_FORWARD = "w:{f}{r} a:{f}{r} w.dx:fp a.dw:fp"
#: What is rounded, by name: the forward pass alone, one operand of one backward product alone, all.
RECIPES = {
    "forward, to nearest": _FORWARD.format(f=FORMAT, r=""),
    "forward, stochastic": _FORWARD.format(f=FORMAT, r="~sr"),
    "gradient of weights (g.dw), to nearest": f"g.dw:{FORMAT}",
    "gradient of weights (g.dw), stochastic": f"g.dw:{FORMAT}~sr",
    "gradient of inputs (g.dx), to nearest": f"g.dx:{FORMAT}",
    "gradient of inputs (g.dx), stochastic": f"g.dx:{FORMAT}~sr",
    "all, to nearest": f"w:{FORMAT} a:{FORMAT} g:{FORMAT}",
    "all, gradients stochastic": f"w:{FORMAT} a:{FORMAT} g:{FORMAT}~sr",
    "the same, Hadamard in dw": f"w:{FORMAT} a:{FORMAT} g.dx:{FORMAT}~sr g.dw:{FORMAT}+had~sr "
    f"a.dw:{FORMAT}+had",
}
#: Precision of the schedules, the percent from which the rest is trained in full precision, and
#: their length.
CHANGED, PERCENTS, CHANGED_LENGTHS = "w4 a4", (50, 70, 80, 90), (40, 160)


def main(store: str = "", seeds: int = 3, size: str = "20k") -> None:
    """Train what is missing, and report."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(store) if store else Path(folder) / "recipes.db"
        measured(path, seeds, size)
        runs = read(path)
    operands(runs)
    schedules(runs)


def measured(path: Path, seeds: int, size: str) -> None:
    """The runs of the study in a store, one seed after the other."""
    changed = [CHANGED, *(f"{CHANGED} then fp from {percent}%" for percent in PERCENTS)]
    for seed in range(seeds):
        for precisions, lengths in (
            (changed, CHANGED_LENGTHS),
            (["fp", *RECIPES.values()], LENGTHS),
        ):
            for spelled, post in _by_scoring(precisions):
                grid = Grid(
                    params=size, tokens_per_param=lengths, precision=spelled, seed=seed,
                    schedule=SCHEDULES, lr=RATE,
                )  # fmt: skip
                train(grid, post=post, store=path, workers=1)


def _by_scoring(precisions: Sequence[str]) -> Iterator[tuple[list[str], str]]:
    """Precisions that are scored once, and those scored in full precision too."""
    rounded = [each for each in precisions if set(Precision(each).stages[-1].train) & {"w", "a"}]
    if others := [each for each in precisions if each not in rounded]:
        yield others, ""
    if rounded:
        yield rounded, "fp"
