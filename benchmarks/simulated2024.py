"""Writes the bundled table: 465 runs drawn from Kumar's law on the paper's design (python -m
benchmarks.simulated2024).

The design follows section 4 of the facts about 2411.04330: 4 sizes x 5 token counts without the two
largest cells of 26B tokens (18 cells), 8 weight precisions from 3 to 12 bits, activations and KV
from 4 (lower ones diverged in the paper), a bf16 run in every cell and random mixes up to 465 runs.
The runs of the paper were never published.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import polars as pl

from isoloss.fits.simulating import draw_runs
from isoloss.runs import Runs

SIZES = (30e6, 60e6, 110e6, 220e6)
STEPS = (6_250, 12_500, 25_000, 50_000, 100_000)
BATCH_TOKENS = 262_144
BITS = (3, 4, 5, 6, 7, 8, 10, 12)
ROWS = 465


def design(seed: int = 0) -> Runs:
    """The 465 cells without losses that mean anything (the loss column holds ones)."""
    rng = np.random.default_rng(seed)
    cells = [
        (n, s * BATCH_TOKENS) for n in SIZES for s in STEPS if not (s == STEPS[-1] and n > 60e6)
    ]
    alone = [
        "bf16",
        *(f"w{b}" for b in BITS),
        *(f"a{b}" for b in BITS[1:]),
        *(f"kv{b}" for b in BITS[1:]),
    ]
    rows = [(n, d, p) for n, d in cells for p in alone]
    while len(rows) < ROWS:
        n, d = cells[len(rows) % len(cells)]
        rows.append((n, d, f"w{rng.choice(BITS)} a{rng.choice(BITS[1:])} kv{rng.choice(BITS[1:])}"))
    columns = list(zip(*rows, strict=True))
    frame = {
        "params": columns[0],
        "tokens": columns[1],
        "precision": columns[2],
        "loss": [1.0] * ROWS,
    }
    return Runs.from_frame(pl.DataFrame(frame))


def main() -> None:
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "src/isoloss/runs/tables/simulated2024.csv")
    draw_runs("kumar2024", design(), noise=0.01, seed=2024, source="simulated2024").save(
        path, force=True
    )
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
