"""Which mechanisms of the linear theory survive in two-layer ReLU networks: a number with its 90%
interval, the exact linear prediction and a verdict each, and the figures of docs/regression.md.

Names of some studies run just those.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

import isoloss as il
from benchmarks.timing import table
from isoloss.linear.studies.on_networks import verdicts_of

FIGURES = Path(__file__).parents[1] / "docs" / "images"
HEADS = ["mechanism", "quantity", "networks", "90% interval", "linear", "tolerance", "verdict"]
#: Minutes of two cores that all may take, and replicates at the least.
BAR = 20
#: Tolerances were written after runs of seed 0, so these have another.
SEED = 1


def main(names: tuple[str, ...] = ()) -> None:
    chosen = names or tuple(name for name in il.linear.STUDIES if name.startswith("network-"))
    print("### Non-linear networks: which mechanisms of the theory survive\n")
    words: Counter[str] = Counter()
    wall, processor = time.perf_counter(), time.process_time()
    for name in chosen:
        print(f"study {name} ...", file=sys.stderr, flush=True)
        words += _one(name)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    counts = ", ".join(f"{count} {word}" for word, count in words.most_common())
    print(f"Verdicts: {counts}.\n")
    print(
        f"All studies: {wall / 60:.1f} minutes, {processor / 60:.1f} of processor "
        f"(bar: {BAR} minutes on 2 cores)."
    )


def _one(name: str) -> Counter[str]:
    """Run, draw and print one study; the count of its verdicts."""
    wall, processor = time.perf_counter(), time.process_time()
    found = il.linear.study(name, seed=SEED)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    il.plot(found, FIGURES / f"study_{name}.png", force=True)
    print(f"**{name}**: {found.question}\n")
    verdicts = verdicts_of(found)
    rows = [
        [
            each["mechanism"],
            each["quantity"],
            *_numbers(each["measured"], each["low"], each["high"]),
            f"{each['linear']:+.2f}",
            f"{each['tolerance']:.2f}",
            each["verdict"],
        ]
        for each in verdicts.iter_rows(named=True)
    ]
    print(table(HEADS, rows))
    print(f"\n{wall:.0f} s, {processor:.0f} s of processor.\n")
    return Counter(verdicts["verdict"].to_list())


def _numbers(measured: float, low: float, high: float) -> tuple[str, str]:
    if measured != measured:
        return "below its noise", "-"
    return f"{measured:+.2f}", f"{low:+.2f} to {high:+.2f}"


if __name__ == "__main__":
    main(tuple(sys.argv[1:]))
