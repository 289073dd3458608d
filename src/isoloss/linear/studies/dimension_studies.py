"""Risk against dimension at a fixed length of training: ideal noise and real integers, two ways of
using the model.

The claim of Zhang, Su, Zou 2025 (arXiv 2510.18259) that additive noise costs linearly in the
dimension; lengths and step sizes are choices of ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import product

import numpy as np

from isoloss.linear.descent import SGD
from isoloss.linear.quantisers import Scales
from isoloss.linear.regression import Regression
from isoloss.linear.risk import INPUT_WORDS
from isoloss.linear.studies.points import grid_point
from isoloss.linear.studies.question import Reference, Study
from isoloss.linear.studies.tables import RISK, compared, comparing, reading_name, shared
from isoloss.linear.studies.work import Work

DIMS = tuple(round(dim) for dim in np.geomspace(100, 300_000, 12))
NOISY, REAL = "additive noise", "real integers, stochastic"
LINEAR = "theory, linear in $d$"


def dimension_study(
    *,
    dim: tuple[int, ...] = DIMS,
    decay: float = 2.0,
    noise_var: float = 1.0,
    eps: float = 1e-4,
    factor: float = 0.02,
    samples: int = 10_000,
    batch: int = 1,
    step_size: float | str = 0.05,
    schedule: str = "constant",
    iterate: str = "average",
    inputs: tuple[str, ...] = ("clean", "in use"),
    work: Work | None = None,
) -> Study:
    """Risk against dimension at fixed samples, ideal noise and real integers, two ways of using the
    model.
    """
    problem = Regression(dim[0], decay, noise_var)
    sgd = SGD.samples(samples, batch, step_size=step_size, schedule=schedule)
    ways = {
        "full precision": ("fp", Scales()),
        NOISY: (f"d:add({eps!r})", Scales()),
        "shared factor": (f"d:vec({factor!r})", Scales()),
        REAL: ("d:int16~sr", _integers_of(eps)),
    }
    points = [
        grid_point(
            problem,
            {"dim": dim, "precision": precision},
            sgd,
            {"way": name, "on": reading_name(reading)},
            iterate=iterate,
            inputs=reading,
            scales=scales,
        )
        for reading in inputs
        for name, (precision, scales) in ways.items()
    ]
    study = Study(
        "dimension",
        f"At fixed samples, does the risk grow with the dimension? {samples} samples, eigenvalues "
        f"i^-{decay:g}, batch {batch}, step {step_size}, {iterate} iterate; data rounded: additive "
        f"noise {eps:g}, a shared factor {factor:g}, and a real grid whose step has step^2 / 6 = "
        f"{eps:g}.",
        (work or Work()).table(points),
        "params", "loss", "way", "on", ("dimension", RISK), (), against="full precision",
    )  # fmt: skip
    # What the variance of coordinates that noise lifts to the eigenvalue eps adds to an average.
    each = eps**2 * sgd.steps / batch / 6
    theory: Iterable[Reference] = ()
    if iterate == "average" and schedule == "constant" and not isinstance(step_size, str):
        theory = _linear(study, each * step_size**2, noise_var)
    answer = comparing(_grown(study, list(ways)), "dim")
    return replace(compared(study), answer=answer, theory=tuple(theory))


def _integers_of(eps: float) -> Scales:
    """The scale of integers whose stochastic rounding has the variance eps on large numbers."""
    return Scales(d=float(np.sqrt(6 * eps)))


def _linear(study: Study, slope: float, noise_var: float) -> Iterator[Reference]:
    """The straight line in d that the theory has for additive noise in use, where it is short of
    saturation: eps^2 gamma^2 T sigma^2 d / (6 B), with sigma^2 of labels on rounded features.
    """
    rows = study.table.filter(way=NOISY, inputs="in use").drop_nulls("loss").sort("params")
    if len(rows) < 2:
        return
    x, y = rows["params"].to_numpy(), rows["loss"].to_numpy()
    power = noise_var + 2 * rows["floor"].to_numpy()
    # From the middle of the axis, where the coordinates of full precision are all there.
    first = len(x) // 2
    line = y[first] + slope * power[first] * (x[first:] - x[first])
    yield Reference(LINEAR, tuple(x[first:]), tuple(line), INPUT_WORDS["in use"])


def _grown(study: Study, ways: list[str]) -> Iterator[str]:
    for name in ways:
        grown = []
        for panel in study.panels:
            x, y = study.at(panel, name)
            if len(x) > 1:
                first = len(x) // 4
                where = f"from d = {x[first]:.0f} to {x[-1]:.0f} the risk grows"
                grown.append(f"{y[-1] / y[first]:.3f} times with {panel}")
        if grown:
            yield f"{name}: {where} {', '.join(grown)}"


def divergence_study(
    *,
    dim: tuple[int, ...] = (100, 300, 1000, 3000, 10_000, 18_000),
    decay: float = 2.0,
    noise_var: float = 1.0,
    eps: float = 1e-3,
    steps: int = 10_000,
    batch: tuple[int, ...] = (1, 16),
    step_size: float | str = 0.05,
    schedule: str = "constant",
    iterate: str = "last",
    inputs: tuple[str, ...] = ("clean", "in use"),
    work: Work | None = None,
) -> Study:
    """Training that converges while the risk with rounded features in use grows with the
    dimension.
    """
    ways = {NOISY: (f"d:add({eps!r})", Scales()), REAL: ("d:int16~sr", _integers_of(eps))}
    points = [
        grid_point(
            Regression(dim[0], decay, noise_var),
            {"dim": dim, "precision": precision},
            SGD(steps, count, step_size, schedule),
            {"way": f"{name}, {reading}", "size": f"batch {count}"},
            iterate=iterate,
            inputs=reading,
            scales=scales,
        )
        for count, reading in product(batch, inputs)
        for name, (precision, scales) in ways.items()
    ]
    study = Study(
        "divergence",
        "Can training converge while the risk with rounded features in use diverges? "
        f"{steps} steps of {step_size}, eigenvalues i^-{decay:g}, {iterate} iterate, data rounded "
        f"with eps {eps:g} (integers with step^2 / 6 = {eps:g}).",
        (work or Work()).table(points),
        "params", "loss", "way", "size", ("dimension", RISK), (),
    )  # fmt: skip
    theory: list[Reference] = []
    if iterate == "last" and schedule == "constant" and not isinstance(step_size, str):
        learnt = -np.expm1(-2 * step_size * eps * steps)
        for count in batch:
            theory += _diverging(study, count, eps * step_size * learnt / 4 / count, noise_var)
    answer = comparing(_apart(study, list(ways)), "dim")
    return replace(study, answer=answer, theory=tuple(theory))


def _diverging(study: Study, batch: int, slope: float, noise_var: float) -> Iterator[Reference]:
    """What coordinates that noise lifts to the eigenvalue eps add to a last iterate: each eps gamma
    (1 - exp(-2 gamma eps T)) / (4 B) times the variance of a residual, noise + twice the risk.
    """
    panel = f"batch {batch}"
    x, y = shared(study, panel, f"{NOISY}, in use")
    first = len(x) // 2
    if len(x) > first + 1:
        # The risk stands on both sides, so the sum is that of a geometric series.
        d = np.geomspace(x[first], x[-1], 40)
        more = slope * (d - x[first])
        d, more = d[more < 0.45], more[more < 0.45]
        line = (y[first] + more * noise_var) / (1 - 2 * more)
        yield Reference(LINEAR, tuple(d), tuple(line), panel)


def _apart(study: Study, ways: list[str]) -> Iterator[str]:
    for name in ways:
        for panel in study.panels:
            names = [f"{name}, {each}" for each in INPUT_WORDS]
            x, clean, used = shared(study, panel, *names)
            if len(x) > 1:
                yield (
                    f"{name}, {panel}: from d = {x[0]:.0f} to {x[-1]:.0f} clean {clean[0]:.4f} to "
                    f"{clean[-1]:.4f}, in use {used[0]:.4f} to {used[-1]:.4f}"
                )
