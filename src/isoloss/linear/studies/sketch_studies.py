"""Risk against the rows of a sketch: effective model sizes, and factors by element after a dense
sketch.

The setting of Zhang, Tang, Liang, Zou 2026 (arXiv 2602.19241); rows, samples and step sizes are
choices of ours. Real floats have factors by element, which the paper's multiplicative model, one
factor a vector, is not (theory notes, section 4.3).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from isoloss.linear.descent import SGD
from isoloss.linear.regression import Regression
from isoloss.linear.studies.points import grid_point
from isoloss.linear.studies.question import Reference, Study
from isoloss.linear.studies.tables import (
    RISK,
    compared,
    comparing,
    over_seeds,
    power,
    reading_name,
    shared,
    slope,
)
from isoloss.linear.studies.work import Work

ROWS = (16, 32, 64, 128, 256, 512)
FULL = "full precision"
#: What tells the rows of a table apart, but for the seed of the sketch.
ALIKE = ("way", "on", "params")


def sketch_study(
    *,
    dim: int = 2000,
    decay: float = 1.5,
    noise_var: float = 1.0,
    sketch: tuple[int, ...] = ROWS,
    eps: tuple[float, ...] = (1e-3, 1e-2),
    factor: float = 0.02,
    samples: int = 10**7,
    batch: int = 1,
    step_size: float | str = "0.1 limit",
    schedule: str = "constant",
    iterate: str = "average",
    inputs: tuple[str, ...] = ("clean", "in use"),
    seed: tuple[int, ...] = (0,),
    work: Work | None = None,
) -> Study:
    """Risk against the rows of a sketch: effective model size."""
    problem = Regression(dim, decay, noise_var)
    sgd = SGD.samples(samples, batch, step_size=step_size, schedule=schedule)
    ways = {
        FULL: "fp",
        f"shared factor {factor:g}": f"d:vec({factor!r})",
        **{f"additive {each:g}": f"d:add({each!r})" for each in eps},
        f"factor by element {factor:g}": f"d:coord({factor!r})",
    }
    points = [
        grid_point(
            problem,
            {"sketch": sketch, "precision": precision, "seed": seed},
            sgd,
            {"way": name, "on": reading_name(reading)},
            iterate=iterate,
            inputs=reading,
        )
        for reading in inputs
        for name, precision in ways.items()
    ]
    drawn = "" if len(seed) == 1 else f" {len(seed)} sketches, mean and standard error."
    study = Study(
        "sketch",
        "How large is a model in effect when its data are rounded? A Gaussian sketch of M rows, d "
        f"= {dim}, eigenvalues i^-{decay:g}, data rounded after the sketch, {samples:.3g} samples, "
        f"step {step_size}, {iterate} iterate.{drawn}",
        over_seeds((work or Work()).table(points), ALIKE),
        "params", "loss", "way", "on", ("rows of the sketch M", RISK), (), against=FULL,
    )  # fmt: skip
    return replace(
        compared(study),
        answer=comparing(_gains(study, list(ways)[1:]), "sketch"),
        theory=tuple(_sizes(study, decay, eps, sketch)),
    )


def _sizes(
    study: Study, decay: float, eps: tuple[float, ...], sketch: tuple[int, ...]
) -> Iterator[Reference]:
    """The exponent of full precision, and the sizes beyond which additive noise hides the rest."""
    for panel in study.panels:
        yield from power(study, panel, FULL, 1 - decay, "$M^{-(a-1)}$", span=(0.05, 0.6), lift=0.65)
        for each in eps:
            size = each ** (-1 / decay)
            if min(sketch) < size < max(sketch):
                name = f"$\\epsilon^{{-1/a}}$, {each:g}"
                yield Reference(name, (size,), (), panel)


def _gains(study: Study, names: list[str]) -> Iterator[str]:
    for panel in study.panels:
        for name in names:
            x, full, risk = shared(study, panel, FULL, name)
            if len(x) > 1:
                yield (
                    f"{name}, {panel}: from M = {x[-2]:.0f} to {x[-1]:.0f} it gains "
                    f"{(risk[-2] - risk[-1]) / (full[-2] - full[-1]):.2f} of what full precision "
                    "gains"
                )


def elementwise_study(
    *,
    dim: int = 2000,
    decay: float = 2.0,
    noise_var: float = 1.0,
    sketch: tuple[int, ...] = ROWS,
    factor: float = 0.02,
    samples: int = 10**8,
    batch: int = 1,
    step_size: float | str = "0.1 limit",
    schedule: str = "constant",
    iterate: str = "average",
    inputs: str = "in use",
    seed: tuple[int, ...] = (0,),
    work: Work | None = None,
) -> Study:
    """What factors by element, as real floats have them, do after a dense sketch."""
    trace = float(np.sum(Regression(dim, decay).lam))
    ways = {
        FULL: "fp",
        f"shared factor {factor:g}": f"d:vec({factor!r})",
        f"factor by element {factor:g}": f"d:coord({factor!r})",
        f"additive {factor:g} tr H / M": None,
    }
    sgd = SGD.samples(samples, batch, step_size=step_size, schedule=schedule)
    points = [
        grid_point(
            Regression(dim, decay, noise_var, sketch=rows),
            {"precision": precision or f"d:add({factor * trace / rows!r})", "seed": seed},
            sgd,
            {"way": name, "on": reading_name(inputs)},
            iterate=iterate,
            inputs=inputs,
        )
        for name, precision in ways.items()
        for rows in sketch
    ]
    study = Study(
        "elementwise",
        f"Are floats multiplicative after a dense sketch? M rows, d = {dim}, eigenvalues "
        f"i^-{decay:g}, data rounded after the sketch, {samples:.3g} samples, step {step_size}. "
        "Every coordinate of a sketched vector has the variance tr H / M, so a factor by element "
        "adds about eps tr H / M to every eigenvalue.",
        over_seeds((work or Work()).table(points), ALIKE),
        "params", "loss", "way", "on", ("rows of the sketch M", RISK), (), against=FULL,
    )  # fmt: skip
    panel = reading_name(inputs)
    theory = (
        *power(study, panel, FULL, 1 - decay, "$M^{-(a-1)}$", span=(0.1, 0.7), lift=0.6),
        # Not derived: (M / (eps tr H))^(1/a) directions above the floor, taken as a size.
        *power(
            study, panel, f"factor by element {factor:g}", -(1 - 1 / decay),
            "$M^{-(a-1)/a}$ (heuristic)", span=(0.5, 1.0), lift=3.2,
        ),
    )  # fmt: skip
    answer = comparing(_falls(study), "sketch")
    return replace(compared(study), answer=answer, theory=theory)


def _falls(study: Study) -> Iterator[str]:
    for _, series, x, y in study.lines():
        if len(x) > 1:
            last = slice(-3, None)
            yield (
                f"{series}: risk falls as M^{slope(x[last], y[last]):.2f} from M = "
                f"{x[last][0]:.0f} to {x[-1]:.0f}"
            )
