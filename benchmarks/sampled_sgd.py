"""Sampled SGD with real rounding beside the numpy loop a researcher would write, one replicate at a
time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np

from benchmarks.timing import table
from isoloss.linear import SGD, Regression, Scales, excess_risk, sample_risks

DIM, STEPS, BATCH, SIZE = 1024, 500, 8, 0.05
STEP = 0.1
PROBLEM, DESCENT = Regression(DIM, 2.0, 1.0), SGD(STEPS, BATCH, SIZE)
ROUNDS = 5


def naive(seed: int) -> float:
    """The risk of the last iterate of one replicate: features rounded at random to multiples of
    STEP.
    """
    rng = np.random.default_rng(seed)
    lam = np.arange(1.0, DIM + 1) ** -2.0
    target, w = np.ones(DIM), np.zeros(DIM)
    for _ in range(STEPS):
        x = rng.standard_normal((BATCH, DIM)) * np.sqrt(lam)
        y = x @ target + rng.standard_normal(BATCH)
        scaled = x / STEP
        down = np.floor(scaled)
        u = np.clip(down + (rng.random(x.shape) < scaled - down), -127, 127) * STEP
        w += SIZE / BATCH * u.T @ (y - u @ w)
    return float(0.5 * lam @ (w - target) ** 2)


def timed(call: Callable[[], np.ndarray]) -> tuple[float, float, np.ndarray]:
    """Wall and processor seconds a replicate, and the risks."""
    wall, processor = time.perf_counter(), time.process_time()
    risks = call()
    return (
        (time.perf_counter() - wall) / len(risks),
        (time.process_time() - processor) / len(risks),
        risks,
    )


def main() -> None:
    def sampled(count: int, seed: int) -> np.ndarray:
        return sample_risks(
            [(PROBLEM, DESCENT, "d:int8~sr")],
            "last",
            replicates=count,
            seed=seed,
            scales=Scales(d=STEP),
        )[0].values

    sampled(4, 0)  # compiled here, or read from the cache
    rounds = []
    for k in range(ROUNDS):  # in turns, so that both meet the same neighbours on the machine
        loop = timed(lambda k=k: np.array([naive(4 * k + j) for j in range(4)]))
        rounds.append((loop, timed(lambda k=k: sampled(64, k + 1))))
    exact = excess_risk(PROBLEM, DESCENT, "d:int8~sr", "last", scales=Scales(d=STEP)).value
    rows = []
    for name, at in (("numpy, one replicate at a time", 0), ("isoloss, sample_risks", 1)):
        wall, processor = (min(each[at][k] for each in rounds) * 1e3 for k in (0, 1))
        risks = np.concatenate([each[at][2] for each in rounds])
        z = (risks.mean() - exact) / (risks.std() / np.sqrt(len(risks)))
        rows.append(
            [
                name,
                f"{wall:.2f}",
                f"{processor:.2f}",
                f"{DIM * BATCH * STEPS / wall * 1e3:.2e}",
                f"{z:+.1f}",
            ]
        )
    threads = os.environ.get("NUMBA_NUM_THREADS", "all")
    print(
        f"### Sampled SGD, INT stochastic data, d = {DIM}, B = {BATCH}, T = {STEPS} ({threads} "
        "threads)\n"
    )
    head = [
        "way",
        "ms a replicate",
        "ms of processor",
        "coordinate-samples a second",
        "z against exact",
    ]
    print(table(head, rows), "\n")
    ratios = [loop[0] / ours[0] for loop, ours in rounds]
    work = [loop[1] / ours[1] for loop, ours in rounds]
    print(
        f"Faster by {np.median(ratios):.1f} (bar 15; {min(ratios):.1f} to {max(ratios):.1f} in "
        f"{ROUNDS} rounds); "
        f"on one core by {np.median(work):.1f} (processor seconds).\n"
    )


if __name__ == "__main__":
    main()
