"""Tables of studies: points that make rows, gaps, ratios and differences of pairs between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from isoloss.linear.risk import INPUT_WORDS
from isoloss.linear.studies.question import Array, Reference, Study

#: What the noise models of the papers are called in figures.
NOISES = {"add": "additive", "vec": "shared factor", "coord": "factor by element"}
RISK, GAP = "excess risk", "risk less that of full precision"


def noise_name(noise: str) -> str:
    """The name of a noise model in figures: the papers' in words, others as they are spelled."""
    return NOISES.get(noise, noise)


def reading_name(inputs: str) -> str:
    """What the risk is read on, in words; an unknown word is left for its check to refuse."""
    return INPUT_WORDS.get(inputs, inputs)


def all_parts(noise: str, eps: float) -> str:
    """The precision with the same ideal noise on all five quantisers; no noise is 'fp'."""
    return " ".join(f"{part}:{noise}({eps!r})" for part in "dlwag") if eps else "fp"


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


def comparing(said: Iterable[str], parameter: str) -> tuple[str, ...]:
    """Sentences that compare values of a parameter, or the one that says why there are none."""
    nothing = f"no comparison: that takes a result at two values of {parameter} or more"
    return tuple(said) or (nothing,)


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
