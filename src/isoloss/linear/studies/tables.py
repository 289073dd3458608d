"""Tables of studies: points that make rows, gaps, ratios and differences of pairs between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import polars as pl

from isoloss.formats import Precision
from isoloss.linear.asked import check_reading
from isoloss.linear.checks import several
from isoloss.linear.descent import SGD
from isoloss.linear.quantisers import DEFAULT_SCALES, Scales, quantisers_of
from isoloss.linear.regression import Regression
from isoloss.linear.sampled import Replicates
from isoloss.linear.simulating import OF_PROBLEM, simulate
from isoloss.linear.studies.question import Array, Reference, Study
from isoloss.linear.studies.work import Point

#: What the noise models of the papers are called in figures.
NOISES = {"add": "additive", "vec": "shared factor", "coord": "factor by element"}
#: What a figure says of the inputs that a risk is taken on.
INPUTS = {"clean": "clean inputs", "in use": "features rounded in use"}
RISK, GAP = "excess risk", "risk less that of full precision"
#: Words of the sentences that say that a step size is too large.
DIVERGED = ("unstable", "diverge")


def noise_name(noise: str) -> str:
    """The name of a noise model in figures: the papers' in words, others as they are spelled."""
    return NOISES.get(noise, noise)


def all_parts(noise: str, eps: float) -> str:
    """The precision with the same ideal noise on all five quantisers; no noise is 'fp'."""
    return " ".join(f"{part}:{noise}({eps!r})" for part in "dlwag") if eps else "fp"


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
    for values in product(*(several(each) for each in grid.values())):
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
        for value in several(values):
            if name == "precision":
                quantisers_of(value)  # type: ignore[arg-type]
            elif name == "samples":
                SGD.samples(value, sgd.batch)  # type: ignore[arg-type]
            elif name in OF_PROBLEM:
                replace(problem, **{name: value})
            else:
                replace(sgd, **{name: value})


def said(table: pl.DataFrame, **columns: Any) -> pl.DataFrame:
    """The table with columns of one value each."""
    return table.with_columns(**{name: pl.lit(value) for name, value in columns.items()})


def with_gap(table: pl.DataFrame, y: str, alike: list[str]) -> pl.DataFrame:
    """The table with a column 'gap': y less that of the row 'fp' which is alike in some columns."""
    exact = (
        table.filter(pl.col("precision") == "fp")
        .unique(alike)
        .select(*alike, pl.col(y).alias("_exact"))
    )
    joined = table.join(exact, on=alike, how="left", maintain_order="left")
    return joined.with_columns((pl.col(y) - pl.col("_exact")).alias("gap")).drop("_exact")


def gapped(table: pl.DataFrame, alike: list[str]) -> pl.DataFrame:
    """The rounded rows alone, with the column 'gap' of their losses."""
    return with_gap(table, "loss", alike).filter(pl.col("precision") != "fp")


def compared(study: Study) -> Study:
    """The study with a column 'ratio' of its table: y over that of `against` at the same x."""
    alike = [study.panel, study.x]
    base = (
        study.table.filter(pl.col(study.series) == study.against)
        .unique(alike)
        .select(*alike, pl.col(study.y).alias("_base"))
    )
    table = study.table.join(base, on=alike, how="left", maintain_order="left")
    ratio = (pl.col(study.y) / pl.col("_base")).alias("ratio")
    return replace(study, table=table.with_columns(ratio).drop("_base"))


def over_seeds(table: pl.DataFrame, alike: Sequence[str]) -> pl.DataFrame:
    """One row for all seeds of what is alike: the mean loss, and its standard error over seeds."""
    if table["seed"].n_unique() < 2:
        return table
    kept = [pl.col(name).first() for name in table.columns if name not in (*alike, "loss")]
    error = pl.col("loss").std() / pl.col("loss").count().sqrt()
    summed = table.drop("loss_se", strict=False).group_by(list(alike), maintain_order=True)
    return summed.agg(
        *[each for each in kept if each.meta.output_name() != "loss_se"],
        pl.col("loss").mean(),
        error.alias("loss_se"),
        pl.col("loss").count().alias("seeds"),
    )


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


def slope(x: Array, y: Array) -> float:
    """The least-squares slope of log y against log x."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def shared(study: Study, panel: str, *series: str) -> list[Array]:
    """x, and y of each series, at the x that all of them have; empty arrays where there is none."""
    try:
        lines = [study.at(panel, name) for name in series]
    except KeyError:
        return [np.array([])] * (1 + len(series))
    common = [x for x in lines[0][0] if all(x in other for other, _ in lines)]
    return [np.array(common)] + [
        np.array([y[list(x).index(each)] for each in common]) for x, y in lines
    ]


def power(
    study: Study,
    panel: str,
    series: str,
    exponent: float,
    label: str,
    *,
    span: tuple[float, float] = (0.0, 1.0),
    lift: float = 1.0,
) -> tuple[Reference, ...]:
    """A power law through the middle of a part of a line: `span` of its x, `lift` times its y.

    Nothing where the line has fewer than two points there.
    """
    try:
        x, y = study.at(panel, series)
    except KeyError:
        return ()
    keep = (x > 0) & (y > 0)
    x, y = x[keep], y[keep]
    if len(x) < 2:
        return ()
    low, high = (float(np.exp(np.interp(s, (0, 1), np.log(x[[0, -1]])))) for s in span)
    middle = float(np.sqrt(low * high))
    at = float(np.exp(np.interp(np.log(middle), np.log(x), np.log(y)))) * lift
    points = tuple(at * (each / middle) ** exponent for each in (low, high))
    return (Reference(label, (low, high), points, panel),)
