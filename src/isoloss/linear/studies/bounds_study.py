"""How loose the bounds are: the upper in the form of Zou et al. 2021, the lower derived here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import polars as pl

from isoloss.linear.studies.question import Reference, Study
from isoloss.linear.studies.tables import noise_name, reading_name
from isoloss.linear.studies.work import Point, Work
from isoloss.linear.theory import Tightness, bound_tightness

_SCHEMA = {"steps": pl.Int64, "ratio": pl.Float64, "bound": pl.String, "on": pl.String}


def bounds_study(
    *,
    dim: int = 200,
    decay: float = 2.0,
    noise: tuple[str, ...] = ("add", "vec"),
    eps: float = 0.01,
    steps: tuple[int, ...] = (100, 300, 1000, 3000, 10_000, 30_000, 100_000),
    batch: int = 1,
    step_size: float | str = 0.05,
    inputs: tuple[str, ...] = ("clean", "in use"),
    work: Work | None = None,
) -> Study:
    """How loose the bounds are, above and below."""

    def point(reading: str, levels: tuple[float, ...], count: tuple[int, ...]) -> Point:
        return lambda: _rows(
            bound_tightness(
                (dim,), levels, count, (batch,), noise, step_size=step_size, decay=decay,
                inputs=reading,  # type: ignore[arg-type]
            ),
            reading,
        )  # fmt: skip

    # One descent of one step checks every value; what it finds is not used.
    for reading in inputs:
        point(reading, (0.0, eps), (1,))()
    study = Study(
        "bounds",
        "How loose are the bounds? Upper bound in the form of Zou et al. 2021 carried over to "
        "rounded data with our constants, and a lower bound derived here, over the exact risk; eps "
        f"{eps:g} on all parts, d = {dim}, eigenvalues i^-{decay:g}, batch {batch}, step size "
        f"{step_size}.",
        (work or Work()).table([point(reading, (0.0, eps), steps) for reading in inputs]),
        "steps", "ratio", "bound", "on", ("steps", "bound / exact risk"), (),
        (Reference("exact risk", (), (1.0,)),),
    )  # fmt: skip
    return replace(study, answer=tuple(_ranges(study)))


def _rows(found: list[Tightness], reading: str) -> pl.DataFrame:
    """A row for each side of each bound; a bound that says nothing has no ratio."""
    rows = []
    for each in found:
        name = "full precision" if each.noise == "none" else noise_name(each.noise)
        for side, ratio in (("upper", each.looseness), ("lower", each.reach)):
            finite = ratio if np.isfinite(ratio) and ratio > 0 else None
            rows.append((each.steps, finite, f"{name}, {side}", reading_name(reading)))
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _ranges(study: Study) -> Iterator[str]:
    for place, name, _, ratios in study.lines():
        if len(ratios):
            yield f"{place}, {name}: {ratios.min():.3g} to {ratios.max():.3g} of the exact risk"
