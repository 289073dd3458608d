"""Speed and digits of the exact risk: two bars of the design beside plain stepping in numpy,
sweeps, and cost by size.

Times are wall seconds of one run on this machine, imports and the first call excluded: read them as
ratios.
"""

from __future__ import annotations

import os
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import seconds, table
from isoloss.linear import SGD, Regression, Risk, excess_risk, excess_risks

Array = NDArray[np.float64]
EPS = 1e-6
PRECISION = " ".join(f"{part}:add({EPS})" for part in "dlwag")
STEP_SIZE = 0.1
#: Measured in a loop; longer descents are its time for a step times their steps.
LOOP_STEPS = 200


def loop(dim: int, steps: int) -> float:
    """What a researcher writes: the recursion of the second moments with additive noise, average
    iterate, B = 1.
    """
    lam = np.arange(1.0, dim + 1) ** -2.0
    h = lam + EPS
    c = lam / h
    noise = 1.0 + np.sum(lam - h * c * c) + 3 * EPS
    mean, square = -c.copy(), c * c
    cross, total, summed = np.zeros(dim), np.zeros(dim), np.zeros(dim)
    for _ in range(steps):
        total += 2 * cross + square
        summed += mean
        cross = (1 - STEP_SIZE * h) * (cross + square)
        seen = square + EPS
        spread = 2 * h * h * seen + h * (h @ seen) + h * noise
        square = square - 2 * STEP_SIZE * h * square + STEP_SIZE**2 * spread
        mean = mean - STEP_SIZE * h * mean
    shift = c - 1
    return float(0.5 * lam @ (total / steps**2 + 2 * summed / steps * shift + shift**2))


def risk(dim: int, steps: int, method: str) -> Risk:
    return excess_risk(Regression(dim), SGD(steps, 1, STEP_SIZE), PRECISION, method=method)


def bars(dim: int = 100_000, steps: int = 10**9) -> list[list[object]]:
    """The two bars, and the loop for as many steps as it takes."""
    a_step = seconds(lambda: loop(dim, LOOP_STEPS))[0] / LOOP_STEPS
    rows: list[list[object]] = []
    for name, method, bar in (
        ("compressed", "contour", "<= 1 ms"),
        ("in full", "full", "<= 50 ms"),
    ):
        risk(dim, steps, method)
        took, found = seconds(partial(risk, dim, steps, method), 20)
        rows.append(
            [
                name,
                f"{1e3 * took:.2f} ms",
                bar,
                f"{found.value:.12g}",
                f"{a_step * steps / took:.1e}",
            ]
        )
    years = a_step * steps / 3600
    rows.append(
        [f"numpy loop, {1e3 * a_step:.2f} ms a step, extrapolated", f"{years:.0f} h", "", "", "1"]
    )
    return rows


def digits() -> list[list[object]]:
    """Against the loop, where that can be waited for: in units of max(risk, 1e-3 of the risk at
    w_0).
    """
    rows: list[list[object]] = []
    for dim, steps in ((1000, 100), (1000, 10_000), (10_000, 5000)):
        start = 0.5 * float(np.sum(Regression(dim).lam))
        took, known = seconds(partial(loop, dim, steps))
        off = []
        for method in ("contour", "full", "steps"):
            found = risk(dim, steps, method).value
            off.append(f"{abs(found - known) / max(known, 1e-3 * start):.0e}")
        ours = seconds(partial(risk, dim, steps, "exact"), 5)[0]
        rows.append([dim, steps, *off, f"{took:.3f} s", f"{1e3 * ours:.2f} ms"])
    return rows


def sweeps(count: int = 10_000) -> list[list[object]]:
    """One call for many points."""
    rng = np.random.default_rng(0)
    steps = (10 ** rng.uniform(2, 9, count)).astype(int)
    batches = rng.choice([1, 4, 16, 64, 256], count)
    levels = rng.choice(["fp", "d:add(1e-6)", "d:add(1e-5)", "d:vec(1e-3)", PRECISION], count)
    one = Regression(100_000)
    problems = [
        Regression(int(dim), decay)
        for dim, decay in zip(10 ** rng.uniform(2, 6, 200), rng.uniform(1.1, 3, 200), strict=True)
    ]
    picked = rng.integers(0, len(problems), count)
    sets = {
        "steps, batch and noise differ (d = 1e5)": [
            (one, SGD(int(t), int(b), 0.01), str(p))
            for t, b, p in zip(steps, batches, levels, strict=True)
        ],
        "and the step size is half its limit": [
            (one, SGD(int(t), int(b), "0.5 limit"), str(p))
            for t, b, p in zip(steps, batches, levels, strict=True)
        ],
        "and 200 problems differ (d = 1e2..1e6)": [
            (problems[k], SGD(int(t), int(b), "0.5 limit"), str(p))
            for k, t, b, p in zip(picked, steps, batches, levels, strict=True)
        ],
        "and the schedule is geometric, last iterate": [
            (one, SGD(int(t), int(b), "0.5 limit", "geometric"), str(p))
            for t, b, p in zip(steps, batches, levels, strict=True)
        ],
    }  # fmt: skip
    rows: list[list[object]] = []
    for name, points in sets.items():
        iterate = "last" if "geometric" in name else "average"
        took, _ = seconds(lambda points=points, iterate=iterate: excess_risks(points, iterate))
        bar = "<= 2" if "geometric" not in name else ""
        rows.append([name, count, f"{took:.2f}", bar, f"{1e6 * took / count:.0f}"])
    return rows


def sizes() -> list[list[object]]:
    """Seconds of a call by dimension and steps."""
    rows: list[list[object]] = []
    for dim in (10**2, 10**3, 10**4, 10**5, 10**6):
        for steps in (10**2, 10**4, 10**6, 10**9):
            cells = []
            for method in ("contour", "full"):
                risk(dim, steps, method)
                cells.append(f"{1e3 * seconds(partial(risk, dim, steps, method), 3)[0]:.2f}")
            a_loop = seconds(partial(loop, dim, 50))[0] / 50 * steps
            rows.append([f"{dim:.0e}", f"{steps:.0e}", *cells, f"{1e3 * a_loop:.3g}"])
    return rows


def main() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    print("### Exact risk, d = 1e5, T = 1e9, averaged, all five quantisers additive\n")
    print(table(["how", "time", "bar", "risk", "times the loop"], bars()), "\n")
    print(
        "### Digits against the loop, in units of max(risk, 1e-3 of the risk at w_0) (bar 1e-10)\n"
    )
    print(table(["d", "steps", "contour", "full", "steps", "loop", "ours"], digits()), "\n")
    print("### Many points in one call, seconds\n")
    print(table(["points", "count", "seconds", "bar", "us a point"], sweeps()), "\n")
    print(
        "### Milliseconds by dimension and steps (the loop: its time for a step times the steps)\n"
    )
    print(table(["d", "steps", "compressed", "in full", "numpy loop"], sizes()))


if __name__ == "__main__":
    main()
