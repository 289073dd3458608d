"""Coverage of the gap table's intervals: known exponents, noise that the runs of a trajectory
share, few seeds.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from benchmarks.timing import repeats, share, table
from isoloss.fits import Growth, gap_table
from isoloss.runs import Runs

SIZES = (2e4, 4e4, 8e4)
RATIOS = (10, 25, 60, 150)
D, N = 0.5, 0.4
LEVEL = 0.9
#: Name, noise of the base loss shared along a trajectory, noise of a gap in nats, the same relative
#: to the gap, seeds.
NOISES = (
    ("after training: relative noise", 0.02, 0.0, 0.08, 3),
    ("in training: the noise of two runs", 0.02, 0.006, 0.05, 3),
    ("in training, faint: gaps below zero among them", 0.02, 0.015, 0.05, 3),
    ("two seeds", 0.02, 0.006, 0.05, 2),
)


def drawn(
    rng: np.random.Generator, base: float, additive: float, relative: float, seeds: int
) -> Runs:
    """A table of decayed and undecayed reference runs with one precision beside them; undecayed
    gaps grow by D - 0.1.
    """
    rows = []
    for n in SIZES:
        for seed in range(seeds):
            along = rng.normal(0, base), rng.normal(0, relative), rng.normal(0, additive / 2)
            for ratio in RATIOS:
                for schedule, d in (("wsd", D), ("constant", D - 0.1)):
                    loss = 2 + 30 * n**-0.4 + along[0] + 0.05 * (schedule == "constant")
                    gap = 0.03 * (ratio * n / 1e6) ** d * (n / 4e4) ** -N
                    gap *= np.exp(along[1] + rng.normal(0, relative / 2))
                    gap += along[2] + rng.normal(0, additive)
                    same = {"params": n, "tokens": ratio * n, "seed": seed, "schedule": schedule}
                    rows += [
                        same | {"precision": "fp", "loss": loss},
                        same | {"precision": "w3", "loss": loss + gap},
                    ]
    return Runs.from_frame(pl.DataFrame(rows))


def covered(runs: Runs) -> dict[str, bool | None]:
    """Which intervals hold the truth; None where the table gives none."""
    found = gap_table(runs, LEVEL)
    held: dict[str, bool | None] = {}
    grown = found.of("w3", "wsd").growth
    truths = {"d": ("tokens", D), "n": ("params", -N)}
    for name, (axis, truth) in truths.items():
        slope = grown.slopes.get(axis) if isinstance(grown, Growth) else None
        held[name] = (
            None
            if slope is None
            else bool(slope.interval(LEVEL)[0] <= truth <= slope.interval(LEVEL)[1])
        )
    less = found.differences.get(("w3", "tokens"))
    held["decay less none"] = (
        None if less is None else bool(less.interval(LEVEL)[0] <= 0.1 <= less.interval(LEVEL)[1])
    )
    return held


def main() -> None:
    times = min(400, 2 * repeats(200))
    rows = []
    for k, (name, *noise) in enumerate(NOISES):
        found = [covered(drawn(np.random.default_rng([k, each]), *noise)) for each in range(times)]
        kept = {what: [f[what] for f in found if f[what] is not None] for what in found[0]}
        rows.append([name, *(f"{share(v)} of {len(v)}" if v else "none" for v in kept.values())])
    print(f"### Intervals of the gap table at {LEVEL:.0%}, {times} tables each\n")
    print(table(["noise", *kept], rows))


if __name__ == "__main__":
    main()
