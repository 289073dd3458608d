"""Speed and digits of risks that are stepped through, beside plain stepping in numpy.

Times are seconds of processor. The plain loop is method 'steps' on the same problem, measured over
a few hundred steps of the same run and taken times the steps of the descent; loading is what the
first call of a process takes beyond the second: reading compiled code from disk, or compiling it.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from benchmarks.timing import table
from isoloss.linear import SGD, Regression, excess_risk

STEPS, DIM, REPEATS = 10**6, 10_000, 3
SHARED = "d:add(1e-4) w:vec(0.01) a:coord(0.1)"
DESCENTS = {
    "momentum 0.9": SGD(STEPS, momentum=0.9),
    "nesterov 0.9": SGD(STEPS, momentum=0.9, rule="nesterov"),
    "cosine": SGD(STEPS, schedule="cosine"),
    "cosine, momentum 0.9": SGD(STEPS, schedule="cosine", momentum=0.9),
}
CLOSED = {
    "w:int8": SGD(4_000),
    "w:int4": SGD(4_000),
    "w:int4 a:int6 g:int6": SGD(4_000, 4),
    "w:int8, cosine, momentum 0.9": SGD(4_000, 1, "0.5 limit", "cosine", 0.9),
    "w:e4m3": SGD(4_000),
}


def processor(
    problem: Regression, sgd: SGD, precision: str, method: str = "exact", repeats: int = 1
) -> float:
    """Least seconds of processor that a risk takes."""
    times = []
    for _ in range(repeats):
        begun = time.process_time()
        excess_risk(problem, sgd, precision, method=method)
        times.append(time.process_time() - begun)
    return min(times)


def long_walks() -> list[list[object]]:
    """A million steps at d = 10,000, on modes; digits at d = 300 over 20,000 steps."""
    rows: list[list[object]] = []
    problem, small = Regression(DIM), Regression(300)
    start = 0.5 * float(np.sum(small.lam * small.target_squares))
    for name, sgd in DESCENTS.items():
        first = processor(problem, sgd, SHARED)
        taken = processor(problem, sgd, SHARED, repeats=REPEATS)
        loop = processor(problem, replace(sgd, steps=1000), SHARED, "steps") * STEPS / 1000
        digits = deviation(small, replace(sgd, steps=20_000), SHARED, start)
        loading = max(first - taken, 0)
        rows.append([name, f"{taken:.3g}", f"{loading:.2g}", f"{loop:.3g}", f"{digits:.1e}"])
    return rows


def deviation(problem: Regression, sgd: SGD, precision: str, start: float) -> float:
    """The largest difference of 'exact' and 'steps', of the larger of the risk and a thousandth of
    that at w_0.
    """
    worst = 0.0
    for iterate in ("last", "tail"):
        one, other = (
            excess_risk(problem, sgd, precision, iterate, method=way).value
            for way in ("exact", "steps")
        )
        worst = max(worst, abs(one - other) / max(other, 1e-3 * start))
    return worst


def closures() -> list[list[object]]:
    """Nearest rounding of the parameter in use, d = 100, all coordinates."""
    rows: list[list[object]] = []
    problem = Regression(100)
    start = 0.5 * float(np.sum(problem.lam * problem.target_squares))
    for name, sgd in CLOSED.items():
        precision = name.split(",")[0]
        excess_risk(problem, sgd, precision)  # loads
        new = processor(problem, sgd, precision, repeats=REPEATS) / sgd.steps
        old = processor(problem, replace(sgd, steps=200), precision, "steps", REPEATS) / 200
        digits = deviation(problem, replace(sgd, steps=500), precision, start)
        rows.append(
            [name, f"{old * 1e3:.2f}", f"{new * 1e3:.4f}", f"{old / new:.0f}", f"{digits:.1e}"]
        )
    return rows


def main() -> None:
    """Print both tables."""
    print(f"{STEPS:,} steps at d = {DIM:,}, half the stability limit, {SHARED}; bar 1.5 s.\n")
    head = ["descent", "seconds", "loading, once", "plain loop, all coordinates, s", "deviation"]
    print(table(head, long_walks()))
    print("\nClosures of nearest rounding at d = 100, T = 4,000; bar 50 times.\n")
    head = ["precision", "plain loop, ms a step", "ms a step", "times", "deviation"]
    print(table(head, closures()))
    print("\nDeviations from stepping in numpy are shares of max(risk, 1e-3 of the initial risk); ")
    print("their bar is 1e-10.")


if __name__ == "__main__":
    main()
