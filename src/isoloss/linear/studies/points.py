"""Points of studies: the exact risk of a grid, and sampled risks compared in pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import polars as pl

from isoloss.formats import Precision
from isoloss.linear.asked import check_reading
from isoloss.linear.checks import several
from isoloss.linear.descent import SGD
from isoloss.linear.quantisers import DEFAULT_SCALES, Scales, quantisers_of
from isoloss.linear.regression import Regression
from isoloss.linear.sampled import Replicates
from isoloss.linear.simulating import OF_PROBLEM, simulate
from isoloss.linear.studies.tables import said
from isoloss.linear.studies.work import Point

#: Words of the sentences that say that a step size is too large.
DIVERGED = ("unstable", "diverge")


def grid_point(
    problem: Regression,
    grid: Mapping[str, Any],
    sgd: SGD,
    columns: Mapping[str, Any],
    *,
    iterate: str = "average",
    inputs: str = "clean",
    scales: Scales = DEFAULT_SCALES,
) -> Point:
    """The exact risk of a grid as a point of a study; checked now, computed when it is called.

    `columns` are said of every row. Step sizes that diverge stay as rows with their reason.
    """
    grid = {name: list(each) if isinstance(each, tuple) else each for name, each in grid.items()}
    check_reading(iterate, inputs, scales)
    _check(problem, grid, sgd)

    def rows() -> pl.DataFrame:
        try:
            found = simulate(problem, grid, sgd, iterate=iterate, inputs=inputs, scales=scales)
        except ValueError as error:
            if not any(word in str(error) for word in DIVERGED):
                raise
            rows = _without_loss(problem, grid, sgd)
            return said(rows, inputs=inputs, reason=str(error), **columns)
        return said(found.frame(), **columns)

    return rows


def _without_loss(problem: Regression, grid: Mapping[str, Any], sgd: SGD) -> pl.DataFrame:
    """The rows of a grid of which every combination diverges."""
    rows = []
    for values in product(*map(_listed, grid.values())):
        cell = dict(zip(grid, values, strict=True))
        dim = cell.get("dim", problem.dim)
        batch = cell.get("batch", sgd.batch)
        steps = cell["samples"] // batch if "samples" in cell else cell.get("steps", sgd.steps)
        rows.append(
            {
                "params": float(cell.get("sketch") or problem.sketch or dim),
                "tokens": float(steps * batch),
                "precision": str(Precision.parse(cell.get("precision", "fp"))),
                "loss": None,
                "metric": "excess_risk",
                "seed": cell.get("seed", problem.seed),
                "status": "diverged",
                "batch_tokens": float(batch),
                "dim": dim,
                "steps": steps,
            }
        )
    return pl.DataFrame(rows, schema_overrides={"loss": pl.Float64})


def _check(problem: Regression, grid: Mapping[str, Any], sgd: SGD) -> None:
    """Raise ValueError for a value of a grid that its problem, descent or precision refuses."""
    for name, values in grid.items():
        for value in _listed(values):
            if name == "precision":
                quantisers_of(value)
            elif name == "samples":
                SGD.samples(value, sgd.batch)
            elif name in OF_PROBLEM:
                replace(problem, **{name: value})
            else:
                replace(sgd, **{name: value})


def _listed(values: object) -> list[Any]:
    return several(values)


def paired(found: Mapping[str, Replicates], against: str) -> list[dict[str, Any]]:
    """A row for each sampled risk: its standard error, and its difference from one of them and
    ratio to it, by pairs of replicates that share their random numbers.
    """
    base, rows = found[against], []
    for name, each in found.items():
        ratio = each.risk.value / base.risk.value
        apart = each.minus(base)
        # The delta method on pairs: the error of a ratio is that of y - ratio b, in units of b.
        scaled = each.minus(replace(base, values=ratio * base.values))
        rows.append(
            {
                "way": name,
                "risk": each.risk.value,
                "risk_se": each.risk.standard_error,
                "difference": apart.value,
                "difference_se": apart.standard_error,
                "ratio": ratio,
                "ratio_se": scaled.standard_error / base.risk.value,
            }
        )
    return rows


def or_diverged(
    sample: Callable[[], Replicates], name: str
) -> tuple[Replicates | None, dict[str, Any]]:
    """What is sampled, or the row that says why it diverges."""
    try:
        return sample(), {}
    except ValueError as error:
        if not any(word in str(error) for word in DIVERGED):
            raise
        return None, {"way": name, "reason": str(error)}
