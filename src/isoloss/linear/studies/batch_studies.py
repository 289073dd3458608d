"""Whether batches average rounding away, and whether momentum makes it cost more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import polars as pl

from isoloss.linear.descent import SGD
from isoloss.linear.regression import Regression
from isoloss.linear.studies.points import grid_point
from isoloss.linear.studies.question import Reference, Study
from isoloss.linear.studies.tables import (
    GAP,
    compared,
    comparing,
    gapped,
    noise_name,
    power,
    shared,
    slope,
)
from isoloss.linear.studies.work import Work

BATCHES = tuple(2**k for k in range(11))
SHARED = noise_name("vec")
PART_NAMES = {
    "d": "data",
    "l": "labels",
    "w": "parameter",
    "a": "activations",
    "g": "output gradients",
}


def batch_study(
    *,
    dim: int = 100,
    decay: float = 2.0,
    noise_var: float = 1.0,
    noise: tuple[str, ...] = ("add", "vec", "coord"),
    eps: float = 0.1,
    part: tuple[str, ...] = tuple(PART_NAMES),
    batch: tuple[int, ...] = BATCHES,
    steps: int = 1000,
    step_size: float | str = 0.1,
    schedule: str = "constant",
    iterate: str = "last",
    inputs: str = "clean",
    work: Work | None = None,
) -> Study:
    """The gap to full precision against the batch, for each part and noise model."""
    problem, sgd = Regression(dim, decay, noise_var), SGD(steps, 1, step_size, schedule)
    points = []
    for each in noise:
        grid = {
            "precision": ["fp", *(f"{letter}:{each}({eps!r})" for letter in part)],
            "batch": batch,
        }
        columns = {"noise": noise_name(each)}
        points.append(grid_point(problem, grid, sgd, columns, iterate=iterate, inputs=inputs))
    table = gapped((work or Work()).table(points), ["batch_tokens", "noise"])
    named = pl.col("precision").str.slice(0, 1).replace_strict(PART_NAMES)
    study = Study(
        "batch",
        f"Does a larger batch average rounding away? eps {eps:g} on one quantiser, d = {dim}, "
        f"eigenvalues i^-{decay:g}, {steps} steps of {step_size}, {iterate} iterate; the risk less "
        "that of full precision at the same batch.",
        table.with_columns(named.alias("part")),
        "batch_tokens", "gap", "part", "noise", ("batch", GAP), (),
    )  # fmt: skip
    return replace(study, answer=comparing(_slopes(study), "batch"), theory=tuple(_averaged(study)))


def _averaged(study: Study) -> Iterator[Reference]:
    """1 / B, below the lowest of the parts that theory says a batch averages."""
    for panel in study.panels:
        # One factor for the whole batch is averaged away on no labels or activations.
        names = ("output gradients", "activations", "labels")[: 1 if panel == SHARED else None]
        for name in names:
            found = power(study, panel, name, -1, "$1/B$", span=(0.3, 0.9), lift=0.4)
            yield from found
            if found:
                break


def _slopes(study: Study) -> Iterator[str]:
    for panel, series, x, y in study.lines():
        x, y = x[y > 0][-5:], y[y > 0][-5:]
        if len(x) > 1:
            yield (
                f"{panel}, {series}: slope {slope(x, y):+.2f} from batch {x[0]:.0f} to {x[-1]:.0f}"
            )


def momentum_study(
    *,
    dim: int = 100,
    decay: float = 2.0,
    noise_var: float = 1.0,
    noise: tuple[str, ...] = ("add", "coord"),
    eps: float = 0.05,
    momentum: tuple[float, ...] = (0.0, 0.5, 0.9),
    steps: tuple[int, ...] = (100, 300, 1000, 3000, 10_000),
    batch: tuple[int, ...] = (1, 8),
    step_size: float = 0.1,
    schedule: str = "constant",
    iterate: str = "last",
    inputs: str = "clean",
    work: Work | None = None,
) -> Study:
    """Whether momentum makes rounding cost more."""
    problem, points = Regression(dim, decay, noise_var), []
    for heavy, each in product(momentum, noise):
        noisy = f"{each}({eps!r})"
        grid = {
            "precision": ["fp", f"w:{noisy} a:{noisy} g:{noisy}"],
            "steps": steps,
            "batch": batch,
        }
        sgd = SGD(1, 1, step_size * (1 - heavy), schedule, momentum=heavy)
        columns = {"way": f"momentum {heavy:g}", "noise": noise_name(each)}
        points.append(grid_point(problem, grid, sgd, columns, iterate=iterate, inputs=inputs))
    table = gapped((work or Work()).table(points), ["steps", "batch_tokens", "way", "noise"])
    panel = pl.format("{}, batch {}", pl.col("noise"), pl.col("batch_tokens").cast(pl.Int64))
    study = Study(
        "momentum",
        "Does momentum make rounding cost more? The same noise on parameter, activations and "
        f"output gradients, eps {eps:g}, d = {dim}, eigenvalues i^-{decay:g}, step size "
        f"{step_size:g} (1 - momentum), so that all learn at the same rate; {iterate} iterate, the "
        "risk less that of full precision.",
        table.with_columns(panel.alias("on")),
        "steps", "gap", "way", "on", ("steps", GAP), (),
        against=f"momentum {momentum[0]:g}",
    )  # fmt: skip
    answer = comparing(_heavier(study, momentum), "momentum")
    return replace(compared(study), answer=answer)


def _heavier(study: Study, momentum: tuple[float, ...]) -> Iterator[str]:
    least, most = f"{min(momentum):g}", f"{max(momentum):g}"
    for place in study.panels:
        x, plain, heavy = shared(study, place, f"momentum {least}", f"momentum {most}")
        if len(x) and least != most:
            yield (
                f"{place}: after {x[-1]:.0f} steps rounding costs {heavy[-1] / plain[-1]:.4g} "
                f"times as much with momentum {most} as with {least}"
            )
