"""Risk against samples: at several noise levels, and its gap to full precision at several
dimensions.

The figure of Zhang, Su, Zou 2025 (arXiv 2510.18259). Step sizes, grids of samples and which parts
are rounded were not seen in the paper and are choices of ours, named in each question.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import polars as pl

from isoloss.linear.descent import SGD
from isoloss.linear.regression import Regression
from isoloss.linear.studies.points import grid_point
from isoloss.linear.studies.question import Reference, Study
from isoloss.linear.studies.tables import (
    GAP,
    RISK,
    all_parts,
    compared,
    comparing,
    gapped,
    noise_name,
    power,
    reading_name,
    shared,
)
from isoloss.linear.studies.work import Work

SAMPLES = tuple(round(n) for n in np.geomspace(100, 100_000, 13))


def samples_study(
    *,
    dim: int = 200,
    decay: float = 2.0,
    noise_var: float = 1.0,
    noise: tuple[str, ...] = ("add", "vec"),
    eps: tuple[float, ...] = (0.0, 1e-3, 5e-3, 1e-2),
    samples: tuple[int, ...] = SAMPLES,
    batch: int = 1,
    step_size: float | str = 0.1,
    schedule: str = "constant",
    iterate: str = "average",
    inputs: str = "clean",
    work: Work | None = None,
) -> Study:
    """Risk against samples at several noise levels."""
    problem, sgd = Regression(dim, decay, noise_var), SGD(1, batch, step_size, schedule)
    levels = tuple(dict.fromkeys((0.0, *eps)))
    points = [
        grid_point(
            problem,
            {"precision": all_parts(each, level), "samples": samples},
            sgd,
            {"eps": f"eps {level:g}", "noise": noise_name(each), "level": level},
            iterate=iterate,
            inputs=inputs,
        )
        for each in noise
        for level in levels
    ]
    study = Study(
        "samples",
        f"How does rounding change the risk as samples grow? d = {dim}, eigenvalues i^-{decay:g}, "
        f"w* = 1, noise {noise_var:g}, batch {batch}, step {step_size}, {iterate} iterate, "
        f"{reading_name(inputs)}; the same noise on all five quantisers.",
        (work or Work()).table(points),
        "tokens", "loss", "eps", "noise", ("samples", RISK), (), against="eps 0",
    )  # fmt: skip
    return replace(
        compared(study),
        answer=tuple(_costs(study, levels)),
        theory=tuple(_expected(study, decay, inputs)),
    )


def _costs(study: Study, levels: tuple[float, ...]) -> Iterator[str]:
    worst = f"eps {max(levels):g}"
    for panel in study.panels:
        x, exact, rounded = shared(study, panel, "eps 0", worst)
        if len(x):
            yield (
                f"at {x[-1]:.0f} samples and {worst} {panel} noise costs "
                f"{rounded[-1] / exact[-1]:.4g} times the risk of full precision"
            )


def _expected(study: Study, decay: float, inputs: str) -> Iterator[Reference]:
    """The slope of bias and variance, and floors that scale as eps^(1 - 1/a) from the largest."""
    slope, floor = -(1 - 1 / decay), "asymptotic_bias" if inputs == "clean" else "floor"
    for panel in study.panels:
        label = "$N^{-(a-1)/a}$"
        yield from power(study, panel, "eps 0", slope, label, span=(0.1, 0.6), lift=0.6)
    # Only noise added to the data leaves a floor that the theory has a power for.
    if floor not in study.table.columns:
        return  # every row diverged
    rows = study.table.filter(noise="additive").filter(pl.col("level") > 0).unique("level")
    rows = rows.sort("level").drop_nulls(floor)
    for level in rows["level"]:
        top, largest = rows[floor][-1], rows["level"][-1]
        height = top * (level / largest) ** (1 - 1 / decay)
        yield Reference("floor, $\\epsilon^{1-1/a}$", (), (height,), "additive")


def dims_study(
    *,
    dim: tuple[int, ...] = (50, 100, 200, 400),
    decay: float = 2.0,
    noise_var: float = 1.0,
    noise: tuple[str, ...] = ("add", "vec"),
    eps: float = 0.01,
    samples: tuple[int, ...] = SAMPLES,
    batch: int = 1,
    step_size: float | str = 0.1,
    schedule: str = "constant",
    iterate: str = "average",
    inputs: tuple[str, ...] = ("clean", "in use"),
    work: Work | None = None,
) -> Study:
    """The gap to full precision against samples, at several dimensions."""
    problem, sgd = Regression(dim[0], decay, noise_var), SGD(1, batch, step_size, schedule)
    points = [
        grid_point(
            problem,
            {"dim": dim, "precision": ["fp", all_parts(each, eps)], "samples": samples},
            sgd,
            {"noise": f"{noise_name(each)}, {reading_name(reading)}"},
            iterate=iterate,
            inputs=reading,
        )
        for each in noise
        for reading in inputs
    ]
    table = gapped((work or Work()).table(points), ["dim", "tokens", "inputs"])
    study = Study(
        "dims",
        f"Does the cost of rounding grow with the dimension? eps {eps:g} on all five quantisers, "
        f"eigenvalues i^-{decay:g}, batch {batch}, step {step_size}, {iterate} iterate; the risk "
        "less that of full precision, on clean inputs and with features rounded in use too.",
        table.with_columns(pl.format("d = {}", "dim").alias("size")),
        "tokens", "gap", "size", "noise", ("samples", GAP), (), against=f"d = {min(dim)}",
    )  # fmt: skip
    answer = comparing(_growth(study, min(dim), max(dim)), "dim")
    return replace(compared(study), answer=answer)


def _growth(study: Study, least: int, most: int) -> Iterator[str]:
    for panel in study.panels:
        x, small, large = shared(study, panel, f"d = {least}", f"d = {most}")
        if len(x) and least != most:
            at = len(x) // 3
            yield (
                f"{panel}: from d = {least} to {most} the gap at {x[at]:.0f} samples grows "
                f"{large[at] / small[at]:.2f} times"
            )
