"""Tables made for tests of gaps: cells whose runs share a noise."""

from __future__ import annotations

import numpy as np
import polars as pl

from isoloss.runs import Runs


def cells_with_noise(cells: int, seed: int) -> Runs:
    """Pairs in a few token counts; log gap = level + 0.2 log tokens + noise of the cell."""
    rng = np.random.default_rng(seed)
    rows = []
    for d in np.geomspace(1e9, 1e11, cells):
        shared = rng.normal(0, 0.1)
        rows.append((1e8, d, "bf16", 3.0))
        for name, level in (("w4", -6.0), ("w3", -5.0), ("w8", -8.0)):
            gap = np.exp(level + 0.2 * np.log(d) + shared + rng.normal(0, 0.01))
            rows.append((1e8, d, name, 3.0 + gap))
    return Runs.from_frame(
        pl.DataFrame(rows, schema=["params", "tokens", "precision", "loss"], orient="row")
    )


def test_the_cells_are_pairs():
    assert len(cells_with_noise(3, 0)) == 12
