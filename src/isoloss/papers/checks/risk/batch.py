"""Whether batches average rounding away: Zhang et al. 2025, corollaries 4.1 and 4.2."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from isoloss.linear import SGD, Regression, Scales
from isoloss.papers.checking import check
from isoloss.papers.checks.risk.points import (
    EXACT,
    GAP,
    NOISES,
    PARTS,
    REPLICATES,
    Reading,
    gaps,
    rounded,
    simulated_gaps,
)
from isoloss.papers.claim import Finding
from isoloss.papers.findings import drawn, exact, slope
from isoloss.papers.laboratory import Laboratory

PROBLEM, STEP_SIZE, STEPS = Regression(100), 0.1, 1000
SMALL, LARGE = (1, 2, 4, 16, 64, 256), (64, 256, 1024)
LEVEL = 0.1
#: Real formats in words. The integers have the steps of int4 at four deviations and 16 times its
#: range, so that they round and nothing is cut off, which int4 itself does.
FORMATS = {
    "stochastic integers": "int8~sr",
    "int4 of 4 deviations": "int4~sr",
    "stochastic floats": "e8m1~sr",
}
SIGNAL = float(sum(PROBLEM.lam))
STEPS_OF_INT4 = Scales(
    w=8 / 15, a=8 / 15 * SIGNAL**0.5, g=8 / 15 * (SIGNAL + PROBLEM.noise_var) ** 0.5
)
#: The reading behind the last word of a name: the iterate and the inputs.
WAYS: dict[str, tuple[str, Reading]] = {
    "last": ("last", "clean"),
    "average": ("average", "clean"),
    "in use": ("last", "in use"),
}


@check
def gap_over_batches(laboratory: Laboratory) -> Finding:
    """What noise 0.3 on activations and gradients adds to the risk of the average, by batch."""
    found: dict[str, float] = {}
    rows: list[dict[str, Any]] = []
    for noise in NOISES:
        points = [
            (PROBLEM, SGD(STEPS, batch, STEP_SIZE), rounded("ag", noise, 0.3)) for batch in SMALL
        ]
        for batch, value in zip(SMALL, gaps(points), strict=True):
            found[f"{noise}, batch {batch}"] = value
            rows.append({"x": batch, "y": value, "y_se": 0.0, "series": noise})
        rows += [
            {
                "x": sgd.batch, "y": each.value, "y_se": each.standard_error,
                "series": f"{noise}, simulated",
            }
            for (_, sgd, _), each in zip(
                points[:3:2], simulated_gaps(laboratory, points[:3:2]), strict=True
            )
        ]  # fmt: skip
    falls = {noise: found[f"{noise}, batch 1"] / found[f"{noise}, batch 256"] for noise in NOISES}
    says = "From batch 1 to 256 the cost falls " + ", ".join(
        f"{value:.0f} times ({noise})" for noise, value in falls.items()
    )
    question = "Does a larger batch average rounding away? Activations and output gradients."
    rests = (*EXACT, f"{REPLICATES} simulated replicates, seed {laboratory.seed}")
    figure = drawn("batch", question, rows, ("batch", GAP), says)
    return Finding(exact(found), f"{says}.", rests, figure)


@check
def additive_batch_slopes(laboratory: Laboratory) -> Finding:
    """Slopes in the batch of what additive noise and integers add."""
    parts = ("activations", "output gradients")
    asked = [f"{part}, additive, {way}" for way in WAYS for part in parts]
    asked += [f"{part}, stochastic integers, last" for part in parts]
    asked += ["activations, int4 of 4 deviations, last"]
    return _slopes([*asked, "labels, additive, last"])


@check
def multiplicative_batch_slopes(laboratory: Laboratory) -> Finding:
    """Slopes in the batch of what factors and floats add."""
    parts = ("activations", "output gradients")
    asked = [f"{part}, shared factor, {way}" for way in ("last", "average") for part in parts]
    asked += [f"{part}, factor by element, last" for part in parts]
    return _slopes([*asked, "activations, stochastic floats, last"])


@check
def parameter_batch_slopes(laboratory: Laboratory) -> Finding:
    """Slopes in the batch of what errors of the parameter in use add."""
    return _slopes([f"parameter, {each}, last" for each in (*NOISES, "stochastic integers")])


def _slopes(asked: Iterable[str]) -> Finding:
    """Slopes of cases that are called 'part, noise, way'."""
    found: dict[str, float] = {}
    rows: list[dict[str, Any]] = []
    for name in asked:
        part, noise, way = name.split(", ")
        precision = rounded(PARTS[part], FORMATS.get(noise, noise), LEVEL)
        points = [(PROBLEM, SGD(STEPS, batch, STEP_SIZE), precision) for batch in LARGE]
        scales = STEPS_OF_INT4 if noise == "stochastic integers" else None
        costs = gaps(points, *WAYS[way], scales)
        found[name] = slope(LARGE, costs)
        rows += [
            {"x": batch, "y": cost, "series": f"{part}, {way}", "panel": noise}
            for batch, cost in zip(LARGE, costs, strict=True)
        ]
    says = "Slopes from batch 64 to 1024: " + ", ".join(
        f"{name} {value:+.2f}" for name, value in found.items()
    )
    question = f"Does a larger batch average rounding away? d = 100, {STEPS} steps of {STEP_SIZE}."
    return Finding(
        exact(found), f"{says}.", EXACT, drawn("batch", question, rows, ("batch", GAP), says)
    )


@check
def batch_at_fixed_samples(laboratory: Laboratory) -> Finding:
    """Slopes in the batch at as many steps, and at as many samples."""
    batches, samples = (16, 64, 256), 256_000
    precision = rounded("ag", "additive", LEVEL)
    steps = {
        "at fixed steps": [1000] * len(batches),
        "at fixed samples": [samples // each for each in batches],
    }
    found: dict[str, float] = {}
    rows: list[dict[str, Any]] = []
    for name, counts in steps.items():
        points = [
            (PROBLEM, SGD(count, batch, STEP_SIZE), precision)
            for count, batch in zip(counts, batches, strict=True)
        ]
        costs = gaps(points)
        found[name] = slope(batches, costs)
        rows += [{"x": b, "y": y, "series": name} for b, y in zip(batches, costs, strict=True)]
    says = (
        f"The slope is {found['at fixed steps']:+.2f} at fixed steps and "
        f"{found['at fixed samples']:+.2f} at fixed samples, where larger batches take fewer steps."
    )
    question = "Does a larger batch average rounding away at fixed samples?"
    return Finding(exact(found), says, EXACT, drawn("batch", question, rows, ("batch", GAP), says))
