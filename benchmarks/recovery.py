"""Recovery: 465 runs drawn from Kumar's law with offsets; do 90% intervals of the gammas and
offsets cover?
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.simulated2024 import design
from benchmarks.timing import repeats, share, table
from isoloss.fits import as_sample, draw_runs
from isoloss.fits.doubt.resampling import Resample
from isoloss.fits.doubt.uncertainty import resample
from isoloss.fits.solve.objective import as_objective
from isoloss.fits.solving import optimum_of
from isoloss.laws import Array, preset
from isoloss.runs import Runs

NAMES = ("gamma_w", "n_w", "gamma_a", "n_a", "gamma_kv", "n_kv")
OTHERS = ("A", "alpha", "B", "E")
NOISE, LEVEL, DRAWS = 0.02, 0.9, 200
#: Objectives and ways of resampling: whole runs are the default of both.
STUDIES: tuple[tuple[str, Resample], ...] = (
    ("huber", "wild"),
    ("squares", "runs"),
    ("huber", "runs"),
)


@dataclass(frozen=True)
class Repeat:
    """What one table gave, an entry a constant: covered, ends at a bound, estimate at a bound,
    width over truth.
    """

    covered: Array
    ends: Array
    stuck: Array
    width: Array


def repeat(objective: str, how: Resample, cells: Runs, seed: int) -> Repeat:
    """One table drawn from the law, fitted and resampled.

    The law carries the truth as values, but starts are drawn from the ranges of its constants
    alone.
    """
    law = preset("kumar2024")
    sample = as_sample(draw_runs(law, cells, NOISE, seed=10_000 + seed))
    optimum = optimum_of(law, sample, as_objective(objective), starts=12, seed=seed)
    coordinates = optimum.problem.coordinates
    free = {k.name: i for i, k in enumerate(coordinates.free)}
    columns = [free[name] for name in NAMES + OTHERS]
    drawn = coordinates.table(resample(sample, optimum, DRAWS, how, seed).theta)[:, columns]
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    truth = np.array([law.values[name] for name in NAMES + OTHERS])
    found = np.array([optimum.law.values[name] for name in NAMES + OTHERS])
    least = np.array([coordinates.free[i].lower for i in columns]) * (1 + 1e-9)
    most = np.array([coordinates.free[i].upper for i in columns]) * (1 - 1e-9)
    ends = 0.5 * ((low <= least).astype(float) + (high >= most))
    return Repeat(
        (low <= truth) & (truth <= high),
        ends,
        (found <= least) | (found >= most),
        (high - low) / truth,
    )


def study(objective: str, how: Resample, count: int) -> str:
    """The table of one objective and way of resampling."""
    cells = design()
    found = [repeat(objective, how, cells, seed) for seed in range(count)]
    hits, ends, stuck, width = (
        np.array([getattr(r, k) for r in found]) for k in ("covered", "ends", "stuck", "width")
    )
    pooled = hits[:, : len(NAMES)].mean(axis=1)
    truth = preset("kumar2024").values
    rows = [
        [
            name,
            f"{truth[name]:g}",
            share(hits[:, i]),
            f"{np.median(width[:, i]):.2f}",
            f"{100 * ends[:, i].mean():.1f}%",
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
    summary = (
        f"{objective}, {how}: gammas and offsets pooled {100 * pooled.mean():.1f}% "
        f"(se {100 * pooled.std() / np.sqrt(count):.1f}; bar 87-93%), {count} repeats, {DRAWS} "
        "replicates each, "
        f"gammas at a bound: {int(stuck[:, : len(NAMES) : 2].sum())} of {3 * count}"
    )
    return f"{table(head, rows)}\n\n{summary}"


def main() -> None:
    count = repeats(200)
    print(
        f"### Recovery of Kumar's constants: 465 runs, {100 * NOISE:g}% noise, {100 * LEVEL:g}% "
        "percentile intervals\n"
    )
    for objective, how in STUDIES:
        print(study(objective, how, count), "\n", flush=True)


if __name__ == "__main__":
    main()
