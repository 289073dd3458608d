"""Recovery: 465 runs drawn from Kumar's law with offsets; do 90% intervals of the gammas and offsets cover?"""

from __future__ import annotations

import sys

import numpy as np

from benchmarks.simulated2024 import design
from benchmarks.timing import repeats, share, table
from isoloss.fits import as_sample, draw_runs
from isoloss.fits.fitting import optimum_of
from isoloss.fits.objective import as_objective
from isoloss.fits.uncertainty import resample
from isoloss.laws import preset

NAMES = ("gamma_w", "n_w", "gamma_a", "n_a", "gamma_kv", "n_kv")
NOISE, LEVEL, DRAWS = 0.02, 0.9, 200


def study(objective: str, count: int) -> str:
    """The table of one objective."""
    law, cells = preset("kumar2024"), design()
    covered, ends, at_bound, width = [], [], [], []
    for seed in range(count):
        sample = as_sample(draw_runs(law, cells, NOISE, seed=10_000 + seed))
        # The law as given carries the truth as values; starts are drawn from the ranges of its constants alone.
        optimum = optimum_of(law, sample, as_objective(objective), starts=12, seed=seed)
        drawn = optimum.problem.coordinates.table(resample(sample, optimum, DRAWS, "runs", seed).theta)
        free = {k.name: i for i, k in enumerate(optimum.problem.coordinates.free)}
        columns = [free[name] for name in NAMES]
        low, high = np.quantile(drawn[:, columns], [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
        truth = np.array([law.values[name] for name in NAMES])
        lower = np.array([optimum.problem.coordinates.free[i].lower for i in columns])
        upper = np.array([optimum.problem.coordinates.free[i].upper for i in columns])
        found = np.array([optimum.law.values[name] for name in NAMES])
        covered.append((low <= truth) & (truth <= high))
        ends.append([(low <= lower * (1 + 1e-9)), (high >= upper * (1 - 1e-9))])
        at_bound.append((found <= lower * (1 + 1e-9)) | (found >= upper * (1 - 1e-9)))
        width.append((high - low) / truth)
        if sys.stderr.isatty():
            print(f"\r{seed + 1} of {count}", end="", file=sys.stderr)
    hits, stops, stuck = np.array(covered), np.array(ends), np.array(at_bound)
    pooled = hits.mean(axis=1)
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
        for i, name in enumerate(NAMES)
    ]
    head = [
        "constant",
        "truth",
        "covered",
        "median width / truth",
        "interval ends at a bound",
        "estimates at a bound",
    ]
    summary = f"{objective}: pooled {100 * pooled.mean():.1f}% (se {100 * error:.1f}; bar 87-93%), {count} repeats, {DRAWS} refits each, gammas at a bound: {int(stuck[:, ::2].sum())}"
    return f"{table(head, rows)}\n\n{summary}"


def main() -> None:
    count = repeats(200)
    print(
        f"### Recovery of Kumar's constants: 465 runs, {100 * NOISE:g}% noise, {100 * LEVEL:g}% percentile intervals\n"
    )
    for objective in ("huber", "squares"):
        print(study(objective, count), "\n", flush=True)


if __name__ == "__main__":
    main()
