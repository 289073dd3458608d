"""Recovery: 465 runs drawn from Kumar's law with offsets; do 90% intervals of the gammas and offsets cover?"""

from __future__ import annotations

import sys

import numpy as np

from benchmarks.simulated2024 import design
from benchmarks.timing import repeats, share, table
from isoloss.fits import as_sample, draw_runs
from isoloss.fits.fitting import optimum_of
from isoloss.fits.objective import as_objective
from isoloss.fits.resampling import Resample
from isoloss.fits.uncertainty import resample
from isoloss.laws import preset

NAMES = ("gamma_w", "n_w", "gamma_a", "n_a", "gamma_kv", "n_kv")
OTHERS = ("A", "alpha", "B", "E")
NOISE, LEVEL, DRAWS = 0.02, 0.9, 200
#: Objectives with the resampling that is their default, and Huber with whole runs beside it.
STUDIES: tuple[tuple[str, Resample], ...] = (("huber", "wild"), ("squares", "runs"), ("huber", "runs"))


def study(objective: str, how: Resample, count: int) -> str:
    """The table of one objective and way of resampling."""
    law, cells = preset("kumar2024"), design()
    covered, ends, at_bound, width = [], [], [], []
    for seed in range(count):
        sample = as_sample(draw_runs(law, cells, NOISE, seed=10_000 + seed))
        # The law as given carries the truth as values; starts are drawn from the ranges of its constants alone.
        optimum = optimum_of(law, sample, as_objective(objective), starts=12, seed=seed)
        drawn = optimum.problem.coordinates.table(resample(sample, optimum, DRAWS, how, seed).theta)
        free = {k.name: i for i, k in enumerate(optimum.problem.coordinates.free)}
        columns = [free[name] for name in NAMES + OTHERS]
        low, high = np.quantile(drawn[:, columns], [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
        truth = np.array([law.values[name] for name in NAMES + OTHERS])
        lower = np.array([optimum.problem.coordinates.free[i].lower for i in columns])
        upper = np.array([optimum.problem.coordinates.free[i].upper for i in columns])
        found = np.array([optimum.law.values[name] for name in NAMES + OTHERS])
        covered.append((low <= truth) & (truth <= high))
        ends.append([(low <= lower * (1 + 1e-9)), (high >= upper * (1 - 1e-9))])
        at_bound.append((found <= lower * (1 + 1e-9)) | (found >= upper * (1 - 1e-9)))
        width.append((high - low) / truth)
        if sys.stderr.isatty():
            print(f"\r{seed + 1} of {count}", end="", file=sys.stderr)
    hits, stops, stuck = np.array(covered), np.array(ends), np.array(at_bound)
    pooled = hits[:, : len(NAMES)].mean(axis=1)
    error = pooled.std() / np.sqrt(len(pooled))
    rows = [
        [
            name,
            f"{law.values[name]:g}",
            share(hits[:, i]),
            f"{np.median(np.array(width)[:, i]):.2f}",
            f"{100 * stops[:, :, i].mean():.1f}%",
            int(stuck[:, i].sum()),
        ]
        for i, name in enumerate(NAMES + OTHERS)
    ]
    head = [
        "constant",
        "truth",
        "covered",
        "median width / truth",
        "interval ends at a bound",
        "estimates at a bound",
    ]
    summary = f"{objective}, {how}: gammas and offsets pooled {100 * pooled.mean():.1f}% (se {100 * error:.1f}; bar 87-93%), {count} repeats, {DRAWS} refits each, gammas at a bound: {int(stuck[:, : len(NAMES) : 2].sum())}"
    return f"{table(head, rows)}\n\n{summary}"


def main() -> None:
    count = repeats(200)
    print(
        f"### Recovery of Kumar's constants: 465 runs, {100 * NOISE:g}% noise, {100 * LEVEL:g}% percentile intervals\n"
    )
    for objective, how in STUDIES:
        print(study(objective, how, count), "\n", flush=True)


if __name__ == "__main__":
    main()
