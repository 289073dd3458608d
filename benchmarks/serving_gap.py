"""The gap of a way to serve, whatever else is asked: one candidate alone and among random others.

``python -m benchmarks.serving_gap [count]`` draws that many lists (60 unless given).
"""

from __future__ import annotations

import sys

import numpy as np

from benchmarks.timing import table
from isoloss.plans import Budget, ServingChoice, rank_serving

MODEL = Budget(params="6.48B", tokens="2T")
ASKED = "w4/128"
#: What may stand beside it: wide, narrower, of other kinds and parts, and what no law sees.
OTHERS = (
    "bf16", "fp", "w2", "w3", "w4", "w4/32", "w8", "w:e2m1", "w:mxfp4", "w4@rtn", "w4@gptq", "kv4",
    "w4 kv8", "w6 q3", "w8 -> w4", "w.head:bf16", "w4+had", "a8",
)  # fmt: skip
BAR = 1e-9


def gap_of(asked: list[str]) -> ServingChoice:
    """What is said of the one candidate in a list."""
    found = rank_serving("published", MODEL, "h100", asked, draws=1)
    return next(c for c in found.choices if c.precision == f"fp -> {ASKED}")


def lists(count: int) -> list[list[str]]:
    """Lists that hold the candidate, in random order, each pair of two at least once."""
    rng = np.random.default_rng(0)
    found = [[name, ASKED] for name in OTHERS]
    while len(found) < count:
        some = rng.choice(OTHERS, size=int(rng.integers(2, 8)), replace=False)
        found.append([str(name) for name in rng.permutation([*some, ASKED])])
    return found[:count]


def main(count: int = 60) -> None:
    alone = gap_of([ASKED])
    asked = lists(count)
    apart = [abs(gap_of(each).gap - alone.gap) for each in asked]
    print(f"### The gap of '{ASKED}' behind 6.48B params on 2T tokens, by published laws\n")
    rows = [[law, f"{gap:.4f}"] for law, gap in alone.by_law.items()]
    rows += [
        ["plain mean of these", f"{np.mean(list(alone.by_law.values())):.4f}"],
        ["laws of one base counted once", f"{alone.gap:.4f}"],
    ]
    print(table(["law", "gap, nats"], rows), "\n")
    print(
        f"In {len(asked)} lists with 1 to 7 other candidates the gap moves by at most "
        f"{max(apart):.1e} (bar {BAR:.0e})."
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
