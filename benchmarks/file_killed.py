"""`-o FILE --force` killed with SIGKILL at random moments: the old file or the new one, whole.

Two tables take turns in one file; after each kill the file must be one of them to the last byte.
``python -m benchmarks.file_killed [KILLS]``.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.timing import asked, repeats, table

ROWS = 20_000
PATIENCE = 120.0
#: Files that are not finished.
PARTS = ".isoloss-*.part"


@dataclass(frozen=True)
class Report:
    """What stood in the file after the kills, and what lay beside it."""

    kills: int
    whole: Counter[str]
    broken: int
    left_over: int
    left_after: int


def killed(folder: Path, kills: int, seed: int = 0, rows: int = ROWS) -> Report:
    """What became of one file that a command replaces again and again, and is killed."""
    rng = random.Random(seed)
    wanted = {}
    for index in range(2):
        _table(folder / f"{index}.csv", rows, index)
        _start(folder, index, f"wanted{index}.parquet").wait()
        wanted[(folder / f"wanted{index}.parquet").read_bytes()] = "old" if index else "new"
    took = _seconds(folder)
    found: Counter[str] = Counter()
    broken, index, left = 0, 0, 0
    (folder / "out.parquet").write_bytes(next(iter(wanted)))
    for _ in range(kills):
        before, index = (folder / "out.parquet").read_bytes(), 1 - index
        process = _start(folder, index, "out.parquet")
        # Half of the moments lie where the file is written: from the first sign of it on.
        if rng.random() < 0.5:
            _wait_for_part(folder, process)
            time.sleep(rng.uniform(0.0, 0.1))
        else:
            time.sleep(rng.uniform(0.0, took))
        process.kill()
        process.wait()
        after = (folder / "out.parquet").read_bytes()
        broken += after not in wanted
        left += any(folder.glob(PARTS))
        found["the old one" if after == before else "the new one"] += 1
    _start(folder, 0, "next.parquet").wait()
    return Report(kills, found, broken, left, len(list(folder.glob(PARTS))))


def _table(path: Path, rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    params, tokens = np.exp(rng.uniform(13.0, 20.0, rows)), np.exp(rng.uniform(20.0, 25.0, rows))
    loss = 1.69 + 406.0 / params**0.34 + 411.0 / tokens**0.28
    lines = (f"{n:.6g},{d:.6g},w4,{x:.8g}" for n, d, x in zip(params, tokens, loss, strict=True))
    path.write_text("params,tokens,precision,loss\n" + "\n".join(lines) + "\n", encoding="utf-8")


def _start(folder: Path, index: int, name: str) -> subprocess.Popen[bytes]:
    words = ["-m", "isoloss", "runs", f"{index}.csv", "-o", name, "--force"]
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _seconds(folder: Path) -> float:
    began = time.perf_counter()
    _start(folder, 0, "timed.parquet").wait()
    return time.perf_counter() - began


def _wait_for_part(folder: Path, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE
    known = set(folder.glob(PARTS))
    while process.poll() is None and time.monotonic() < until:
        if set(folder.glob(PARTS)) - known:
            return
        time.sleep(0.0005)


def main(kills: int = 0) -> None:
    with tempfile.TemporaryDirectory() as folder:
        report = killed(Path(folder), kills or min(30, repeats(30)))
    print(f"### `isoloss runs -o out.parquet --force` killed {report.kills} times with SIGKILL\n")
    rows = [
        ["the old file, whole", report.whole["the old one"]],
        ["the new file, whole", report.whole["the new one"] - report.broken],
        ["neither", report.broken],
        ["an unfinished file beside it, which nobody reads", report.left_over],
        ["unfinished files after the next command", report.left_after],
    ]
    print(table(["after the kill", "times"], rows), "\n")
    if report.broken or report.left_after:
        raise SystemExit("a file is broken, or what was not finished stays")


if __name__ == "__main__":
    main(*asked(__doc__, sys.argv[1:], int))
