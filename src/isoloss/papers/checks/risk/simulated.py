"""Simulated risks beside the exact ones and between the bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from isoloss.linear import SGD, Regression, Replicates, excess_risks, risk_bound, sample_risks
from isoloss.papers.checking import check
from isoloss.papers.checks.risk.points import ALL, READINGS, RISK, Point, Reading, rounded
from isoloss.papers.claim import Finding, Ours
from isoloss.papers.findings import drawn
from isoloss.papers.laboratory import Laboratory

STEP_SIZE, LEVEL = 0.1, 0.01
#: What is rounded in each group: ideal noise on all parts, real formats on data, and on all parts.
GROUPS = {
    "ideal noise": [
        rounded(ALL, noise, LEVEL) for noise in ("additive", "shared factor", "factor by element")
    ],
    "real data": ["d:int6~sr", "d:int6", "d:e4m2~sr"],
    "real formats": [rounded(ALL, each, 0) for each in ("int6~sr", "e4m2~sr")],
}


@check
def simulated_risks(laboratory: Laboratory, replicates: int, dim: int, steps: int) -> Finding:
    """How many standard errors simulated risks are off the exact ones, by group of formats."""
    ours: dict[str, Ours] = {}
    rows: list[dict[str, Any]] = []
    largest = 0.0
    for group, precisions in GROUPS.items():
        off = []
        for reading in READINGS:
            points = [(Regression(dim), SGD(steps, 1, STEP_SIZE), each) for each in precisions]
            known = [each.value for each in excess_risks(points, inputs=reading)]
            for spelled, exact, each in zip(
                precisions, known, _drawn(laboratory, points, reading, replicates), strict=True
            ):
                error = each.risk.standard_error
                off.append((each.risk.value - exact) / error)
                largest = max(largest, error / exact)
                name = f"{group}: {spelled.split()[0]}"
                rows += [
                    {"x": exact, "y": exact, "y_se": 0.0, "series": "exact", "panel": reading},
                    {
                        "x": exact, "y": each.risk.value, "y_se": error, "series": name,
                        "panel": reading,
                    },
                ]  # fmt: skip
        ours[f"rms z, {group}"] = Ours(float(np.sqrt(np.mean(np.square(off)))))
        ours[f"largest z, {group}"] = Ours(float(np.max(np.abs(off))))
    ours["largest standard error over the risk"] = Ours(largest)
    says = ", ".join(f"{group} rms z {ours[f'rms z, {group}'].value:.2f}" for group in GROUPS)
    figure = drawn(
        "simulated risks", f"Do simulations lie on the exact risk? d = {dim}, {steps} steps.",
        rows, ("exact risk", RISK), says,
    )  # fmt: skip
    rests = ("exact risk", f"{replicates} simulated replicates, seed {laboratory.seed}")
    return Finding(ours, f"Simulated against exact: {says}.", rests, figure)


def _drawn(
    laboratory: Laboratory, points: Sequence[Point], reading: Reading, replicates: int
) -> list[Replicates]:
    """Replicates of points, drawn once."""
    key = ("drawn", *points, reading, replicates)
    return laboratory.once(
        key,
        lambda: sample_risks(
            points,
            inputs=reading,
            replicates=replicates,
            seed=laboratory.seed,
        ),
    )


@check
def simulated_between_bounds(laboratory: Laboratory, replicates: int) -> Finding:
    """Simulated risks over the lower and the upper bound, with their standard errors."""
    ours: dict[str, Ours] = {}
    rows: list[dict[str, Any]] = []
    for noise in ("additive", "shared factor"):
        for reading in READINGS:
            points = [(Regression(50), SGD(1000, 1, 0.05), rounded(ALL, noise, LEVEL))]
            bound = risk_bound(*points[0], reading)
            risk = _drawn(laboratory, points, reading, replicates)[0].risk
            for name, value in (("lower", bound.lower), ("upper", bound.upper)):
                ours[f"{noise}, {reading}, over the {name} bound"] = Ours(
                    risk.value / value, risk.standard_error / value
                )
                place = {"series": f"{name} bound", "panel": noise}
                rows.append({"x": 1 + READINGS.index(reading), "y": value, "y_se": 0.0, **place})
            place = {"series": "simulated", "panel": noise}
            rows.append(
                {
                    "x": 1 + READINGS.index(reading), "y": risk.value, "y_se": risk.standard_error,
                    **place,
                }
            )  # fmt: skip
    low, high = (
        [each.value for name, each in ours.items() if f"{side} bound" in name]
        for side in ("lower", "upper")
    )
    says = (
        f"Simulated risks are {min(low):.2f} to {max(low):.2f} times the lower and "
        f"{min(high):.2f} to {max(high):.2f} times the upper bound."
    )
    question = "Where do simulated risks lie between the bounds? 1 clean inputs, 2 in use."
    figure = drawn("between bounds", question, rows, ("reading", RISK), says)
    rests = ("risk bounds", f"{replicates} simulated replicates, seed {laboratory.seed}")
    return Finding(ours, says, rests, figure)
