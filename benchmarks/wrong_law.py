"""Wrong law: truth with an outer exponent kappa = 0.27, fitted with laws that have none.

The intervals of the allocation exponent fail then, whatever law of the family is taken; what must
not fail is the warning. Printed are the coverage of the single law and of the average over the
family, how often the warning comes, and, under a right law, how often it comes in vain.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import polars as pl

from benchmarks.timing import repeats, share, table
from isoloss.fits import compare, draw_runs
from isoloss.fits.warning import kinds
from isoloss.laws import Law, preset
from isoloss.runs import Runs

TRUTH = {"A": 1.52e5, "alpha": 0.589, "B": 5.25e5, "beta": 0.544, "E": 1.35, "kappa": 0.27}
NOISE = 0.003


def design(rows: int) -> Runs:
    """6 x 12 or 12 x 24 runs over 30M to 800M params and 5 to 1600 tokens per param."""
    sizes, lengths = {72: (6, 12), 288: (12, 24)}[rows]
    n, ratio = (
        v.ravel()
        for v in np.meshgrid(np.geomspace(3e7, 8e8, sizes), np.geomspace(5, 1600, lengths))
    )
    frame = {"params": n, "tokens": n * ratio, "precision": ["bf16"] * rows, "loss": np.ones(rows)}
    return Runs.from_frame(pl.DataFrame(frame))


def family() -> list[Law]:
    """Laws without an outer exponent."""
    no_floor = replace(preset("chinchilla").fix(E=0.0), name="chinchilla_no_floor")
    return [preset("chinchilla"), preset("chinchilla_tied"), no_floor]


def case(truth: Law, exponent: float, rows: int, seed: int) -> tuple[bool, bool, bool, bool]:
    """Single covered, single warned, average covered, average warned."""
    runs = draw_runs(truth, design(rows), NOISE, seed)
    average = compare(family(), runs, draws=100, starts=6, seed=seed)
    single = next(e.fit for e in average.entries if e.fit.law.name == "chinchilla")
    (_, low, high), (_, least, most) = single.exponent, average.exponent()
    warned = bool(kinds(average.warnings) & {"lack_of_fit", "laws_disagree"})
    return low <= exponent <= high, single.withheld is not None, least <= exponent <= most, warned


def main() -> None:
    count = repeats(200)
    wrong = preset("busbridge2025").at(**TRUTH)
    right = preset("epoch2024")
    rows = []
    for name, law in (("kappa = 0.27", wrong), ("kappa = 1, a law of the family", right)):
        a = law.values["beta"] / (law.values["alpha"] + law.values["beta"])
        for size in (72, 288):
            found = np.array([case(law, a, size, seed) for seed in range(count)])
            covered, warned, averaged, doubted = found.T
            rows.append(
                [
                    name,
                    size,
                    share(covered),
                    share(warned),
                    share(covered | warned),
                    share(averaged),
                    share(doubted),
                    share(averaged | doubted),
                ]
            )
            print(f"{name}, {size} runs: done", file=sys.stderr, flush=True)
    print(
        f"### Wrong law: {100 * NOISE:g}% noise, 90% intervals of the allocation exponent, {count} "
        "repeats (bar: covered or warned >= 80%)\n"
    )
    print(
        table(
            [
                "truth",
                "runs",
                "single covered",
                "single warned",
                "covered or warned",
                "average covered",
                "average warned",
                "covered or warned",
            ],
            rows,
        )
    )


if __name__ == "__main__":
    main()
