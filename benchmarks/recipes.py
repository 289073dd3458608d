"""Recipes of training in four bits: which operand, rounded how, makes the gap grow with tokens; and
what a decayed rate, and a change to full precision, do to it.

``python -m benchmarks.recipes [STORE [SEEDS [SIZE]]]``: trains what the store lacks, then reports;
three seeds of 20k params take about two hours of a core, and go on where they were stopped. Every
run is scored as trained and, where its forward pass is rounded, in full precision too: the second
is damage to training alone.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from benchmarks.timing import asked, table
from isoloss.fits import Growth, PrecisionGap, gap_table, schedule_effects
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
    """The runs of the study in a store: schedules, then recipes, one seed after the other."""
    changed = [CHANGED, *(f"{CHANGED} then fp from {percent}%" for percent in PERCENTS)]
    kinds = ((["fp", *changed], CHANGED_LENGTHS), (["fp", *RECIPES.values()], LENGTHS))
    for precisions, lengths in kinds:
        for seed in range(seeds):
            for spelled, post in _by_scoring(precisions):
                grid = Grid(
                    params=size, tokens_per_param=lengths, precision=spelled, seed=seed,
                    schedule=SCHEDULES, lr=RATE,
                )  # fmt: skip
                train(grid, post=post, store=path, workers=1)


def _by_scoring(precisions: Sequence[str]) -> Iterator[tuple[list[str], tuple[str, ...]]]:
    """Precisions that are scored once, and those scored in full precision too."""
    rounded = [each for each in precisions if set(Precision(each).stages[-1].train) & {"w", "a"}]
    if others := [each for each in precisions if each not in rounded]:
        yield others, ()
    if rounded:
        yield rounded, ("fp",)


def operands(runs: Runs) -> None:
    """How the gap of each recipe grows with tokens, as trained and scored in full precision."""
    lengths = sorted({round(d / n) for n, d in runs.frame().select("params", "tokens").rows()})
    head = ["rounded", "rate", "scored", *(f"{each} tokens a param" for each in lengths),
            "exponent of tokens (90%)"]  # fmt: skip
    found = gap_table(runs)
    rows = []
    for name, spelled in RECIPES.items():
        whole = str(Precision(spelled))
        for scored, precision in (("as trained", whole), ("in full", f"{whole} -> w:fp a:fp")):
            for each in found.precisions:
                if each.precision == precision:
                    cells = {
                        round(c.tokens / c.params): f"{c.mean:+.4f} +- {c.error:.4f}"
                        for c in found.cells
                        if (c.precision, c.schedule) == (precision, each.schedule)
                    }
                    rows.append([name, each.schedule, scored,
                                 *(cells.get(k, "") for k in lengths), _grown(each)])  # fmt: skip
    print(f"### Gaps of recipes in {FORMAT}, one operand at a time\n")
    print(table(head, rows), "\n")


def schedules(runs: Runs) -> None:
    """What decay and changes do, pooled over trajectories."""
    plain = pl.col("precision").is_in(["fp", CHANGED]) | pl.col("precision").str.contains("then")
    print(f"### Decay, and a change to full precision, of {CHANGED}\n")
    print(schedule_effects(runs.where(plain)), "\n")


def _grown(found: PrecisionGap) -> str:
    """The exponent of tokens with its interval, or why there is none."""
    if not isinstance(found.growth, Growth):
        return found.growth
    slope = found.growth.slopes["tokens"]
    low, high = slope.interval()
    return f"{slope.value:+.2f} ({low:+.2f} to {high:+.2f})"


if __name__ == "__main__":
    main(*asked(__doc__, sys.argv[1:], str, int, str))
