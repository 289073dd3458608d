"""Recipes of training in four bits: which operand, rounded how, makes the gap grow with tokens; and
what a decayed rate, and a change to full precision, do to it.

``python -m benchmarks.recipes`` reports on the bundled table recipes2026.
``... STORE SEEDS [SIZE [oscillating]]`` trains what a store lacks, then reports on it; three seeds
of 20k params take about two hours of a core, and go on where they were stopped. Every run is scored
as trained and, where its forward pass is rounded, in full precision too: the second is damage to
training alone. With `oscillating`, also the share of weights whose code leaves and comes back
within a few steps (Nagel et al. 2022). ``... STORE,STORE 0 20k write`` writes the bundled table.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import torch
from scipy import stats
from torch.nn import functional

from benchmarks.timing import asked, table
from isoloss.fits import Growth, PrecisionGap, as_sample, gap_table, schedule_effects
from isoloss.fits.paired_gaps.pairing import differences
from isoloss.formats import Precision
from isoloss.lm import Language, Recipe, model_of, train
from isoloss.lm.model import Linear
from isoloss.lm.training import Job, Trainer
from isoloss.lm.training.recipe import Schedule
from isoloss.runs import Grid, Runs, compact, read

TABLE = Path(__file__).parents[1] / "src/isoloss/runs/tables/recipes2026.parquet"
#: Tokens a param, on one trajectory at a constant rate, each with a branch that decays.
LENGTHS = (10, 40, 160)
SCHEDULES: tuple[Schedule, ...] = ("constant", "wsd")
#: Scales from the largest number of 32, so that stochastic rounding has no bias: those of mxfp4 are
#: powers of two and clip that number.
FORMAT = "e2m1/32"
GROUP, LARGEST = 32, 6
#: Steps in which oscillation is looked for.
WATCHED = 64
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
#: Recipes whose growth is compared, to nearest and stochastic.
COMPARED = (
    ("forward, to nearest", "forward, stochastic"),
    ("all, to nearest", "all, gradients stochastic"),
)
#: Precision of the schedules, the percent from which the rest is trained in full precision, and
#: their length.
CHANGED, PERCENTS, CHANGED_LENGTHS = "w4 a4", (50, 70, 80, 90), (40, 160)


def main(store: str = TABLE.stem, seeds: int = 0, size: str = "20k", more: str = "") -> None:
    """Train what is missing, and report."""
    if more == "write":
        write(store)
        return
    if seeds:
        measured(Path(store), seeds, size)
    runs = read(store)
    for params in sorted(set(runs["params"]), reverse=True):
        own = runs.where(params=params)
        print(f"### {compact(params)} params: {len(own)} runs of {len(set(own['seed']))} seeds\n")
        operands(own)
        rounding_of_growth(own)
        schedules(own)
    if more == "oscillating":
        oscillating(size)


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


def write(stores: str) -> None:
    """The runs of some stores as the table that isoloss bundles, each once."""
    whole, *others = (read(store).usable for store in stores.split(","))
    for more in others:
        whole += more.take([key not in set(whole["key"]) for key in more["key"]])
    whole.with_columns(source=TABLE.stem).save(TABLE, force=True)
    print(f"wrote {len(whole)} rows to {TABLE.name}")


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
                        round(c.tokens / c.params): f"{c.mean:+.4f}"
                        + (f" +- {c.error:.4f}" if math.isfinite(c.error) else "")
                        for c in found.cells
                        if (c.precision, c.schedule) == (precision, each.schedule)
                    }
                    rows.append([name, each.schedule, scored,
                                 *(cells.get(k, "") for k in lengths), _grown(each)])  # fmt: skip
    if not rows:
        print("The recipes of single operands are not in the store.\n")
    else:
        print(f"### Gaps of recipes in {FORMAT}, one operand at a time\n")
        print(table(head, rows), "\n")


def rounding_of_growth(runs: Runs) -> None:
    """The exponent of tokens to nearest less that of stochastic rounding, paired by seed: what two
    gaps to one reference share in noise cancels.
    """
    gaps = {
        (precision, schedule, seed, tokens): gap
        for precision, schedule, seed, tokens, gap in _paired(runs)
    }
    rows = []
    for one, other in COMPARED:
        for schedule in SCHEDULES:
            for scored in ("", " -> w:fp a:fp"):
                names = [f"{Precision(RECIPES[each])}{scored}" for each in (one, other)]
                slopes = [
                    slope for seed in sorted(set(runs["seed"]))
                    if (slope := _slope_of_ratio(gaps, names, schedule, seed)) is not None
                ]  # fmt: skip
                if len(slopes) > 1:
                    mean, error = np.mean(slopes), np.std(slopes, ddof=1) / math.sqrt(len(slopes))
                    half = stats.t.ppf(0.95, len(slopes) - 1) * error
                    rows.append([one, other, schedule, "in full" if scored else "as trained",
                                 str(len(slopes)), f"{mean:+.2f} +- {half:.2f}"])  # fmt: skip
    if rows:
        print("### The exponent of tokens to nearest less stochastic, 90% over seeds\n")
        print(table(["one", "other", "rate", "scored", "seeds", "difference"], rows), "\n")


def _paired(runs: Runs) -> Iterator[tuple[str, str, int, float, float]]:
    """Precision, schedule, seed, tokens and gap of each run beside the reference."""
    sample = as_sample(runs, unread=True)
    found = differences(sample)
    for row, gap in zip(found.row.tolist(), found.gap.tolist(), strict=True):
        of = {name: sample.runs[name][row] for name in ("precision", "schedule", "seed", "tokens")}
        yield str(of["precision"]), str(of["schedule"]), int(of["seed"]), float(of["tokens"]), gap


def _slope_of_ratio(
    gaps: Mapping[tuple[str, str, int, float], float], names: Sequence[str], schedule: str,
    seed: int,
) -> float | None:  # fmt: skip
    """The slope of the log of two gaps' ratio in log tokens; None where a gap is not above zero or
    there are fewer than two lengths.
    """
    lengths = sorted({key[3] for key in gaps if key[:3] == (names[0], schedule, seed)})
    pairs = [[gaps.get((name, schedule, seed, d)) for name in names] for d in lengths]
    known = [(d, a, b) for d, (a, b) in zip(lengths, pairs, strict=True) if a and b]
    if len(known) < 2 or any(min(a, b) <= 0 for _, a, b in known):
        return None
    d, a, b = np.array(known).T
    return float(np.polyfit(np.log(d), np.log(a / b), 1)[0])


def schedules(runs: Runs) -> None:
    """What decay and changes do, pooled over trajectories."""
    kept = ["fp", CHANGED, f"{CHANGED} -> w:fp a:fp"]
    plain = pl.col("precision").is_in(kept) | pl.col("precision").str.contains("then")
    print(f"### Decay, and a change to full precision, of {CHANGED}\n")
    found = schedule_effects(runs.where(plain))
    print(f"```text\n{found}\n```\n")
    decayed = next(each.ratio for each in found.decays if each.precision == CHANGED)
    longest = [e for e in found.kept if (e.schedule, e.percent, e.then) == ("wsd", 80, "fp")]
    left = max(longest, key=lambda each: each.tokens).share
    print("### Beside NVFP4 at 12B params and 10T tokens (2509.25149)\n")
    rows = [
        ["gap decayed over held", "above 1.5", _within(decayed.value, decayed.interval())],
        ["left by the reference from 80% (82%)", "1/3", _within(left.value, left.interval())],
    ]
    print(table(["", "published (1%, 1.5%, .5% of the loss)", f"{CHANGED}, here"], rows), "\n")


def _within(value: float, interval: tuple[float, float]) -> str:
    known = all(map(math.isfinite, interval))
    return f"{value:.2f}" + (
        f" ({interval[0]:.2f} to {interval[1]:.2f})" if known else ", one seed"
    )


def oscillating(size: str) -> None:
    """The share of weights that oscillate, at a held rate and once it has decayed."""
    corpus, rows = Language(), []
    shape = model_of(size, corpus.vocab)
    for tokens_per_param in LENGTHS:
        shares = []
        for schedule in SCHEDULES:
            recipe = Recipe(schedule=schedule, lr=RATE)
            tokens = tokens_per_param * shape.non_embedding_params
            job = Job.of(shape, tokens, RECIPES["forward, to nearest"], corpus, recipe)
            shares.append(f"{_oscillates(Trainer(job), job):.1%}")
        rows.append([str(tokens_per_param), *shares])
    print(f"### Weights in {FORMAT} whose code leaves and comes back within {WATCHED} steps\n")
    print(table(["tokens a param", *SCHEDULES], rows), "\n")


def _oscillates(trainer: Trainer, job: Job) -> float:
    """The share of weights with a code that returns to one that it left, in the last steps."""
    trainer.advance(job.steps - WATCHED, job.steps, job.recipe)
    seen = [_codes(trainer)]
    for step in range(job.steps - WATCHED, job.steps):
        trainer.advance(step + 1, job.steps, job.recipe)
        seen.append(_codes(trainer))
    codes = torch.stack(seen)  # steps x weights
    back = torch.zeros(codes.shape[1], dtype=torch.bool)
    left = torch.zeros_like(back)
    for now in codes[1:]:  # of the code that stood first
        back |= left & (now == codes[0])
        left |= now != codes[0]
    return float(back.double().mean())


def _codes(trainer: Trainer) -> torch.Tensor:
    """The codes of all rounded weights: multiples of a half of the scale of their group."""
    found = []
    for matrix in trainer.model.modules():
        if isinstance(matrix, Linear) and matrix.w is not None:
            weight = matrix.weight.detach()
            short = (0, -weight.shape[1] % GROUP)  # zeros to whole groups
            groups, rounded = (
                functional.pad(each, short).reshape(-1, GROUP)
                for each in (weight, matrix.w(weight, None))
            )
            scale = groups.abs().amax(1, keepdim=True).clamp_min(1e-30) / LARGEST
            found.append((2 * rounded / scale).round().flatten())
    return torch.cat(found)


def _grown(found: PrecisionGap) -> str:
    """The exponent of tokens with its interval, or why there is none."""
    if not isinstance(found.growth, Growth):
        return found.growth
    slope = found.growth.slopes["tokens"]
    low, high = slope.interval()
    return f"{slope.value:+.2f} ({low:+.2f} to {high:+.2f})"


if __name__ == "__main__":
    main(*asked(__doc__, sys.argv[1:], str, int, str, str))
