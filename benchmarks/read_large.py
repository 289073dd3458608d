"""How fast a large table is read, beside polars alone: 1e6 runs of 10 columns as CSV and Parquet,
the memory that it takes, and how both grow with the columns. ``python -m benchmarks.read_large
[rows]``.

Every reading is in a process of its own, whose peak of memory is that of nothing else.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.timing import asked, table
from benchmarks.timing import memory as held
from isoloss.runs import read

#: Seconds of processor, and memory over the size of the file.
BAR, MOST = 2.0, 6.0
FILES = ("runs.csv", "quoted.csv", "runs.parquet")
WIDE, ROWS_OF_WIDE = (50, 100, 200), 10_000


def frame(rows: int, columns: int = 10) -> pl.DataFrame:
    """Runs of a smooth loss with columns that nobody asked for."""
    rng = np.random.default_rng(0)
    params, ratio = np.exp(rng.uniform(17, 23, rows)), np.exp(rng.uniform(2, 6, rows))
    tokens = params * ratio
    loss = 1.7 + 400 * params**-0.34 + 400 * tokens**-0.28 + 0.01 * rng.standard_normal(rows)
    known = {"params": params, "tokens": tokens, "loss": loss, "lr_peak": rng.random(rows)}
    other = {f"other_{k}": rng.random(rows) for k in range(columns - 6)}
    return pl.DataFrame(
        {**known, "precision": ["bf16"] * rows, "seed": rng.integers(0, 9, rows), **other}
    )


def write(made: pl.DataFrame, path: Path) -> None:
    if path.suffix == ".csv":
        made.write_csv(path, quote_style="always" if "quoted" in path.name else "necessary")
    else:
        made.write_parquet(path)


def measured(path: Path, who: str) -> tuple[float, float]:
    """Seconds of processor of a reading, and what memory grew by over the size of the file."""
    words = [sys.executable, "-m", "benchmarks.read_large", "one", str(path), who]
    here = Path(__file__).parents[1]
    told = subprocess.run(words, capture_output=True, text=True, check=True, cwd=here).stdout
    seconds, grown = json.loads(told.splitlines()[-1])
    return seconds, grown / path.stat().st_size


def one(path: Path, who: str) -> None:
    """Print what a reading takes, of a process in which everything is loaded already."""
    read(frame(3))
    before, start = held("VmRSS"), time.process_time()
    if who == "isoloss":
        read(path)
    elif path.suffix == ".csv":
        pl.read_csv(path)
    else:
        pl.read_parquet(path)
    print(json.dumps([time.process_time() - start, 1e6 * (held("VmHWM") - before)]))


def large(folder: Path, rows: int) -> list[list[object]]:
    made = frame(rows)
    out: list[list[object]] = []
    for name in FILES:
        path = folder / name
        write(made, path)
        (ours, memory), (alone, least) = measured(path, "isoloss"), measured(path, "polars")
        size = f"{path.stat().st_size / 1e6:.0f}"
        times = [f"{ours:.1f}", BAR, f"{alone:.1f}", f"{memory:.1f}", MOST, f"{least:.1f}"]
        out.append([name, size, *times])
        path.unlink()
    return out


def wide(folder: Path) -> list[list[object]]:
    out: list[list[object]] = []
    for name in FILES:
        took = []
        for columns in WIDE:
            write(frame(ROWS_OF_WIDE, columns), folder / name)
            took.append(min(_seconds(folder / name) for _ in range(3)))
        per = [f"{1e3 * t / columns:.2f}" for t, columns in zip(took, WIDE, strict=True)]
        out.append([name, *per])
    return out


def _seconds(path: Path) -> float:
    start = time.process_time()
    read(path)
    return time.process_time() - start


def main() -> None:
    if sys.argv[1:2] == ["one"]:
        one(Path(sys.argv[2]), sys.argv[3])
        return
    (rows,) = asked(__doc__, sys.argv[1:], int) or [1_000_000]
    with tempfile.TemporaryDirectory() as folder:
        print(f"### {rows:,} rows of 10 columns\n")
        head = ["file", "MB", "s of processor", "bar", "polars alone"]
        print(
            table([*head, "memory over the file", "bar", "polars alone"], large(Path(folder), rows))
        )
        print(f"\n### {ROWS_OF_WIDE:,} rows: milliseconds of processor a column\n")
        print(table(["file", *(f"{n} columns" for n in WIDE)], wide(Path(folder))))


if __name__ == "__main__":
    main()
