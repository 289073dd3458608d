"""How fast a plan is: one law over 40 precisions, and 1000 replicates of it, each planned again,
on a cost model and at rates that are drawn.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from benchmarks.timing import seconds, table
from isoloss.fits import fit
from isoloss.laws import preset
from isoloss.plans import Budget, plan
from isoloss.runs import read

PRECISIONS = [f"w{w} a{a} kv8" for w in (3, 4, 5, 6, 7, 8, 10, 12) for a in (4, 5, 6, 8, 12)]
BUDGET = Budget("1e20 flop")


def main() -> None:
    fitted = fit("kumar2024", read("simulated2024"), draws=100)
    rng = np.random.default_rng(0)
    many = replace(fitted, draws=fitted.draws[rng.integers(0, len(fitted.draws), 1000)])
    rows = []
    for name, thing, machine, bar in (
        ("a law", preset("kumar2024"), "linear-bits", 50),
        ("1000 replicates", many, "linear-bits", 1000),
        ("1000 replicates, rates drawn", many, "h100", 1000),
    ):

        def call(thing=thing, machine=machine) -> object:
            options = {"precision": PRECISIONS, "extrapolate": True, "draws": 1000}
            return plan(thing, BUDGET, machine, **options)

        once, _ = seconds(call, 5, time.process_time)
        rows.append([name, machine, len(PRECISIONS), f"{1000 * once:.0f}", bar])
    print("### A plan over params, tokens and 40 precisions\n")
    print(
        table(
            ["what is planned", "machine", "precisions", "ms of processor, best of 5", "bar, ms"],
            rows,
        )
    )


if __name__ == "__main__":
    main()
