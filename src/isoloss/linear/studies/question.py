"""A study: a question about quantised SGD, the table that answers it, and how it is to be drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from isoloss.runs import Runs

#: What the rows of a table must have to be runs.
_OF_RUNS = ("params", "tokens", "precision", "loss", "metric")


@dataclass(frozen=True, eq=False, repr=False)
class Study:
    """A question, the table that answers it, and how it is to be drawn.

    Attributes
    ----------
    name : str
        Its name in `STUDIES`.
    question : str
        What was asked, with the setting.
    table : polars.DataFrame
        The figures; rows are runs where y is a risk.
    x, y : str
        Columns that are drawn against each other.
    series, panel : str
        Columns that tell lines, and panels, apart.
    labels : (str, str)
        Names of x and y with their units.
    answer : tuple of str
        What the table shows in sentences, numbers included.
    """

    name: str
    question: str
    table: pl.DataFrame
    x: str
    y: str
    series: str
    panel: str
    labels: tuple[str, str]
    answer: tuple[str, ...]

    @property
    def runs(self) -> Runs:
        """The rows as runs, which laws can be fitted to. Raises ValueError where the rows are
        none.
        """
        if not all(name in self.table.columns for name in _OF_RUNS):
            raise ValueError(
                f"the rows of the study '{self.name}' are no runs: its {self.y} is not a risk"
            )
        return Runs.from_frame(self.table)

    def lines(self) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
        """Panel, series, x and y of each line, x ascending, in order of first appearance."""
        for (panel, series), rows in self.table.group_by(
            [self.panel, self.series], maintain_order=True
        ):
            ordered = rows.drop_nulls(self.y).sort(self.x)
            yield str(panel), str(series), ordered[self.x].to_numpy(), ordered[self.y].to_numpy()

    def at(self, panel: str, series: str) -> tuple[np.ndarray, np.ndarray]:
        """x and y of one line."""
        return next((x, y) for p, s, x, y in self.lines() if (p, s) == (panel, series))

    def __repr__(self) -> str:
        return "\n".join([f"{self.name}: {self.question}", *(f"  {line}" for line in self.answer)])


#: A study under its name, made when it is asked for.
Maker = Callable[[], Study]


def all_parts(noise: str, eps: float) -> str:
    """The precision with the same ideal noise on all five quantisers; no noise is 'fp'."""
    return " ".join(f"{part}:{noise}({eps!r})" for part in "dlwag") if eps else "fp"


def with_gap(table: pl.DataFrame, y: str, alike: list[str]) -> pl.DataFrame:
    """The table with a column 'gap': y less that of the row 'fp' which is alike in some columns."""
    exact = (
        table.filter(pl.col("precision") == "fp")
        .unique(alike)
        .select(*alike, pl.col(y).alias("_exact"))
    )
    joined = table.join(exact, on=alike, how="left", maintain_order="left")
    return joined.with_columns((pl.col(y) - pl.col("_exact")).alias("gap")).drop("_exact")


def said(table: pl.DataFrame, **columns: str) -> pl.DataFrame:
    """The table with columns of one value each."""
    return table.with_columns(**{name: pl.lit(value) for name, value in columns.items()})


def answered(study: Study, answer: Sequence[str]) -> Study:
    """The study with what its table shows."""
    return replace(study, answer=tuple(answer))


def slope(x: np.ndarray, y: np.ndarray) -> float:
    """The least-squares slope of log y against log x."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])
