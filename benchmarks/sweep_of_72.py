"""The sweep of 72 runs from nothing: its time, the same command again, what its table says of each
precision.

``python -m benchmarks.sweep_of_72 FOLDER`` keeps the store, the table, the report and the figure
there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks.timing import table
from isoloss.fits import GapTable, gap_table
from isoloss.runs import Store, compact

LINE = (
    "train", "--params", "0.08M,0.4M", "--tokens", "0.5M,1M,2M", "--precision",
    "fp,w2,w3,w4,w8,w4 a4 kv4", "--seeds", "2",
    "--schedule", "wsd", "--post", "w2,w3,w4,w6,w8", "--store", "runs.db", "--law",
    "chinchilla,kumar2024", "--gaps",
    "--plot", "sweep.svg", "--force",
)  # fmt: skip
TRAINED = ("w2", "w3", "w4", "w8", "int4")
AFTER = tuple(f"fp -> w{bits}" for bits in (2, 3, 4, 6, 8))


def main(folder: str | None = None) -> None:
    with tempfile.TemporaryDirectory() as own:
        place = Path(folder or own)
        place.mkdir(exist_ok=True)
        print("### 72 runs on two cores, from nothing to fitted laws\n")
        print(f"    isoloss {' '.join(repr(w) if ' ' in w else w for w in LINE)}\n")
        first, said = _called(place)
        print(f"{first / 60:.1f} minutes: {said}.", flush=True)
        again, said = _called(place)
        print(f"The same command again, {again:.0f} s, nearly all of it for the laws: {said}.\n")
        _told(gap_table(Store(place / "runs.db").runs()))


def _called(place: Path) -> tuple[float, str]:
    """Seconds of the command, and the line in which the sweep sums itself up."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "isoloss.cli", *LINE],
        cwd=place,
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join(str(Path(p).absolute()) for p in sys.path if p)},
        capture_output=True,
        text=True,
        check=True,
    )
    took = time.perf_counter() - start
    (place / "report.txt").write_text(done.stdout)
    lines = [line for line in done.stderr.splitlines() if "runs.db" in line]
    return took, lines[-1].strip() if lines else "?"


def _told(found: GapTable) -> None:
    print(
        f"Equal runs differ by {found.noise:.4f} nats between seeds (reference runs, "
        f"{found.freedom} degrees of freedom).\n"
    )
    rows = []
    for name in (*TRAINED, *AFTER):
        gap = found.of(name)
        if isinstance(gap.growth, str):
            slope = gap.growth
        else:
            slope = ", ".join(
                f"{k} {s.value:+.2f} ({s.interval()[0]:+.2f} to {s.interval()[1]:+.2f})"
                for k, s in gap.growth.slopes.items()
            )
        rows.append(
            [name, gap.pairs, f"{gap.mean:+.4f}", f"{gap.error:.4f}", f"{gap.resolved:.4f}", slope]
        )
    head = [
        "precision",
        "pairs",
        "mean gap",
        "se over seeds",
        "one cell resolves",
        "exponents (90%)",
    ]
    print(table(head, rows))
    print(
        "\nGap after training, nats a token with its standard error over seeds, by params and "
        "tokens per param:\n"
    )
    cells = [c for c in found.cells if c.precision == AFTER[1]]
    order = sorted(cells, key=lambda c: (c.params, c.tokens))
    by = {(c.precision, c.params, c.tokens): c for c in found.cells}
    columns = [
        [
            f"{by[p, c.params, c.tokens].mean:+.4f} ({by[p, c.params, c.tokens].error:.4f})"
            for p in AFTER
        ]
        for c in order
    ]
    head = ["params", "tokens per param", *AFTER]
    print(
        table(
            head,
            [
                [compact(c.params), f"{c.tokens / c.params:.1f}", *row]
                for c, row in zip(order, columns, strict=True)
            ],
        )
    )
    each = {
        n: [c.mean for c in order if c.params == n] for n in dict.fromkeys(c.params for c in order)
    }
    rising = all(np.all(np.diff(line) > 0) for line in each.values())
    ratio = [c.tokens / c.params for c in order]
    rank = stats.spearmanr(ratio, [c.mean for c in order]).statistic
    falling = all(
        by[a, c.params, c.tokens].mean > by[b, c.params, c.tokens].mean
        for c in order
        for a, b in pairwise(AFTER[:4])
    )
    print(
        f"\nAt 3 bits it rises with tokens at every size: {rising}; rank correlation with tokens "
        f"per param over all cells: {rank:.2f}."
    )
    print(f"It falls with bits from 2 to 6 in every cell: {falling}.")


if __name__ == "__main__":
    main(*sys.argv[1:2])
