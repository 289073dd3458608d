"""When real integers are not the additive noise that theory makes of them.

Stochastic rounding of numbers far below the step has a variance of step |x|, not step^2 / 6 (theory
notes, section 1.2), and nearest rounding is biased.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from isoloss.linear.descent import SGD
from isoloss.linear.quantisers import Scales
from isoloss.linear.regression import Regression
from isoloss.linear.studies.points import grid_point
from isoloss.linear.studies.question import Reference, Study
from isoloss.linear.studies.tables import RISK, compared, power, reading_name, shared
from isoloss.linear.studies.work import Work

STEPS = tuple(np.geomspace(0.02, 1.0, 12).tolist())
MODEL, STOCHASTIC, NEAREST = (
    "additive noise of step^2 / 6",
    "real integers, stochastic",
    "real integers, nearest",
)


def integers_study(
    *,
    dim: int = 200,
    decay: float = 2.0,
    noise_var: float = 1.0,
    grid_step: tuple[float, ...] = STEPS,
    samples: int = 50_000,
    batch: int = 1,
    step_size: float | str = 0.02,
    schedule: str = "constant",
    iterate: str = "average",
    inputs: tuple[str, ...] = ("clean", "in use"),
    work: Work | None = None,
) -> Study:
    """When real integers with stochastic rounding are not additive noise."""
    problem = Regression(dim, decay, noise_var)
    sgd = SGD.samples(samples, batch, step_size=step_size, schedule=schedule)
    points = [
        grid_point(
            problem,
            {"precision": precision},
            sgd,
            {"way": name, "on": reading_name(reading), "step": step},
            iterate=iterate,
            inputs=reading,
            scales=scales,
        )
        for reading in inputs
        for step in grid_step
        for name, precision, scales in (
            (MODEL, f"d:add({step**2 / 6!r})", Scales()),
            (STOCHASTIC, "d:int16~sr", Scales(d=step)),
            (NEAREST, "d:int16", Scales(d=step)),
        )
    ]
    study = Study(
        "integers",
        "When is rounding data to integers not additive noise? The step of the grid against the "
        f"standard deviation 1 of the largest feature; d = {dim}, variances i^-{decay:g}, "
        f"{samples} samples, step size {step_size}, {iterate} iterate.",
        (work or Work()).table(points),
        "step", "loss", "way", "on", ("step of the grid / largest deviation", RISK), (),
        against=STOCHASTIC,
    )  # fmt: skip
    return replace(compared(study), answer=tuple(_off(study)), theory=tuple(_floor(study, decay)))


def _floor(study: Study, decay: float) -> Iterator[Reference]:
    """The floor eps^(1 - 1/a) of additive noise, eps = step^2 / 6, where it rules the risk."""
    for panel in study.panels:
        exponent = 2 * (1 - 1 / decay)
        yield from power(
            study, panel, MODEL, exponent, "$\\epsilon^{1-1/a}$", span=(0.5, 0.95), lift=1.5
        )


def _off(study: Study) -> Iterator[str]:
    for panel in study.panels:
        x, model, real, nearest = shared(study, panel, MODEL, STOCHASTIC, NEAREST)
        if not len(x):
            continue
        chosen = slice(1, None, 4) if len(x) > 4 else slice(None)
        off = [
            f"{100 * (m / r - 1):+.0f}% at step {s:.2g}"
            for s, m, r in zip(x[chosen], model[chosen], real[chosen], strict=True)
        ]
        yield f"{panel}: the model is off stochastic integers by {', '.join(off)}"
        yield (
            f"{panel}: nearest integers cost {nearest[-1] / real[-1]:.2f} times stochastic ones "
            f"at step {x[-1]:.2g}"
        )
