"""How fast a large table is read: 1e6 runs of 10 columns, as Parquet and CSV, and the memory
that it takes. ``python -m benchmarks.read_large [rows]``.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.timing import table
from isoloss.runs import read

BAR, MOST = 2.0, 6.0


def frame(rows: int) -> pl.DataFrame:
    """Runs of a smooth loss with columns that nobody asked for."""
    rng = np.random.default_rng(0)
    params, ratio = np.exp(rng.uniform(17, 23, rows)), np.exp(rng.uniform(2, 6, rows))
    tokens = params * ratio
    loss = 1.7 + 400 * params**-0.34 + 400 * tokens**-0.28 + 0.01 * rng.standard_normal(rows)
    columns = {"params": params, "tokens": tokens, "loss": loss, "lr_peak": rng.random(rows)}
    other = {f"other_{k}": rng.random(rows) for k in range(4)}
    return pl.DataFrame(
        {**columns, "precision": ["bf16"] * rows, "seed": rng.integers(0, 9, rows), **other}
    )


def main() -> None:
    rows = next((int(word) for word in sys.argv[1:] if word.isdigit()), 1_000_000)
    made, out = frame(rows), []
    with tempfile.TemporaryDirectory() as folder:
        for name in ("runs.parquet", "runs.csv"):  # the peak of memory only grows
            path = Path(folder) / name
            (made.write_csv if name.endswith("csv") else made.write_parquet)(path)
            size = path.stat().st_size / 1e6
            before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
            found = read(path)
            used = time.process_time() - start
            grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / 1e6
            times = f"{grown / size:.1f}"
            out.append([name, len(found), f"{size:.0f}", f"{used:.1f}", BAR, times, MOST])
    print(f"### {rows:,} rows of 10 columns\n")
    head = ["file", "usable rows", "MB", "s of processor", "bar", "memory over the file", "bar"]
    print(table(head, out))


if __name__ == "__main__":
    main()
