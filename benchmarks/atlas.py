"""Six checkpoints of one run quantised into one table by the command, killed and resumed, and how
what they lose grows with tokens.

``python -m benchmarks.atlas [KILLS [SECONDS]]``: kills with SIGKILL, each within so many seconds.
The checkpoints are those of one trajectory (a constant rate, whose shorter runs are its prefixes),
three seeds; the table is compared with that of an undisturbed command, number by number.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.timing import asked, table
from isoloss.fits import gap_table
from isoloss.runs import Runs, read

SIZE = "20k"
LENGTHS = ("40k", "80k", "160k", "320k", "640k", "1.28M")
SEEDS = 3
POST = "w4,w3,w3@gptq,w:e2m1"
#: Numbers of a row that a command measures.
MEASURED = ("loss", "loss_se", "gap", "gap_se", "kl", "kl_se")


def main(kills: int = 4, within: float = 6.0) -> None:
    """The checkpoints, the two tables, and the growth of gaps."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = folder / "models"
        _isoloss(
            "train", "--params", SIZE, "--tokens", ",".join(LENGTHS), "--seeds", str(SEEDS),
            "--schedule", "constant", "--store", str(folder / "train.db"), "--keep", str(models),
        )  # fmt: skip
        start = time.perf_counter()
        _isoloss(*_quantise(models, folder, "whole"))
        took = time.perf_counter() - start
        hits = _killed(_quantise(models, folder, "killed"), kills, within)
        whole, killed = (read(folder / f"{each}.csv") for each in ("whole", "killed"))
        _report(whole, killed, read(folder / "train.db"), hits, took)


def _quantise(models: Path, folder: Path, name: str) -> tuple[str, ...]:
    outputs = ("--store", str(folder / f"{name}.db"), "-o", str(folder / f"{name}.csv"), "--force")
    return ("quantise", str(models), "--post", POST, *outputs)


def _isoloss(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "isoloss", *words], check=True, capture_output=True)


def _killed(words: tuple[str, ...], kills: int, within: float) -> int:
    """Start the command again after each kill, at last undisturbed; how many hit it at work."""
    draw, hits = random.Random(0), 0
    for _ in range(kills):
        running = subprocess.Popen(
            [sys.executable, "-m", "isoloss", *words],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(1.0 + within * draw.random())
        hits += running.poll() is None
        running.send_signal(signal.SIGKILL)
        running.wait()
    _isoloss(*words)
    return hits


def _report(whole: Runs, killed: Runs, trained: Runs, hits: int, took: float) -> None:
    columns = ["params", "tokens", "seed", "precision", *MEASURED]
    one, two = (each.frame().select(columns).sort(columns[:4]) for each in (whole, killed))
    same = one.equals(two)
    print("### An atlas of checkpoints, killed and resumed\n")
    print(
        f"{len(LENGTHS)} checkpoints of each of {SEEDS} seeds, {SIZE} params, in "
        f"{POST}: {len(whole)} rows in {took:.0f} s. {hits} kills hit the command at work; the "
        f"table of the killed one has {len(killed)} rows, "
        f"{'equal number by number' if same else 'NOT EQUAL'}.\n"
    )
    if not same:
        raise SystemExit("the tables differ")
    found = gap_table(trained + whole)
    rows = [
        [each.precision, f"{each.mean:.4f} +- {each.error:.4f}",
         *(f"{cell.mean:.4f} +- {cell.error:.4f}" for cell in found.cells
           if cell.precision == each.precision)]
        for each in found.precisions
    ]  # fmt: skip
    print("Gap in nats by tokens, errors over seeds:\n")
    print(table(["precision", "mean", *LENGTHS], rows), "\n")
    for each in found.precisions:
        if isinstance(each.growth, str):
            print(f"{each.precision}: {each.growth}")
        else:
            slope = each.growth.slopes["tokens"]
            low, high = slope.interval(0.9)
            print(
                f"{each.precision}: gap grows as tokens to the power {slope.value:.2f} "
                f"({low:.2f} to {high:.2f}, 90%)\n"
            )


if __name__ == "__main__":
    main(*asked(__doc__, sys.argv[1:], int, float))
