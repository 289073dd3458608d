"""A study: a question about quantised SGD, the table that answers it, and how it is to be drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoloss.files import displayed
from isoloss.runs import Runs, save_frame

Array = NDArray[np.float64]
#: What the rows of a table must have to be runs.
_OF_RUNS = ("params", "tokens", "precision", "loss", "metric")


@dataclass(frozen=True)
class Reference:
    """What theory expects, drawn as a thin line: points (x, y), or a place on one axis.

    Attributes
    ----------
    label : str
        The law, as "1/B".
    x, y : tuple of float
        Its points; without y the line stands at the first x, without x it lies at the first y.
    panel : str
        The panel that it belongs to; empty for all.
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    panel: str = ""


@displayed
@dataclass(frozen=True, eq=False, repr=False)
class Study:
    """A question, the table that answers it, and how it is to be drawn.

    Attributes
    ----------
    name : str
        Its name in `STUDIES`.
    question : str
        What was asked, with the setting; its first sentence is the title of the figure.
    table : polars.DataFrame
        The figures; rows are runs where y is a risk. A column '<y>_se' is the standard error of y.
    x, y : str
        Columns that are drawn against each other.
    series, panel : str
        Columns that tell lines, and panels, apart.
    labels : (str, str)
        Names of x and y with their units.
    answer : tuple of str
        What the table shows in sentences, numbers included.
    theory : tuple of Reference
        What theory expects of the figures.
    against : str
        The series to which the column 'ratio' compares the others, which is drawn below; empty for
        none.
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
    theory: tuple[Reference, ...] = ()
    against: str = ""

    @property
    def runs(self) -> Runs:
        """The rows as runs, which laws can be fitted to. Raises ValueError where the rows are
        none.
        """
        if not all(name in self.table.columns for name in _OF_RUNS):
            raise ValueError(
                f"the rows of the study '{self.name}' are no runs: its {self.y} is not a risk of "
                "one run each"
            )
        return Runs.from_frame(self.table)

    @property
    def title(self) -> str:
        """The question without the setting: its first sentence."""
        return self._parts[0]

    @property
    def setting(self) -> str:
        """What the question says after its first sentence."""
        return self._parts[1]

    @property
    def _parts(self) -> tuple[str, str]:
        head, mark, rest = self.question.partition("?")
        return (head + mark, rest.strip()) if mark else (self.name, self.question)

    def save(self, path: str | Path, force: bool = False) -> Path:
        """Write the table, whole or not at all, and return its path.

        Parameters
        ----------
        path
            The file: .parquet, .csv, .tsv, .json or .jsonl.
        force
            Replace a file that exists.

        Raises
        ------
        ValueError
            Another ending, a file that exists and no `force`, or a path that cannot be written.
        """
        return save_frame(self.table, path, force)

    def lines(self, y: str = "") -> Iterator[tuple[str, str, Array, Array]]:
        """Panel, series, x and y of each line, x ascending, in order of first appearance.

        `y` names another column, such as 'ratio'; rows without a value are left out.
        """
        y = y or self.y
        for (panel, series), rows in self.table.group_by(
            [self.panel, self.series], maintain_order=True
        ):
            ordered = rows.drop_nulls(y).sort(self.x)
            yield str(panel), str(series), ordered[self.x].to_numpy(), ordered[y].to_numpy()

    @property
    def panels(self) -> list[str]:
        """Names of the panels, in order of first appearance."""
        return [str(each) for each in self.table[self.panel].unique(maintain_order=True)]

    def errors(self, panel: str, series: str, y: str = "") -> Array | None:
        """Standard errors of the points of a line, 0 where exact; None where none is sampled."""
        y = y or self.y
        if f"{y}_se" not in self.table.columns:
            return None
        rows = self.table.filter(
            (pl.col(self.panel) == panel) & (pl.col(self.series) == series)
        ).drop_nulls(y)
        found: Array = rows.sort(self.x)[f"{y}_se"].cast(pl.Float64).fill_null(0.0).to_numpy()
        return found if (found > 0).any() else None

    def at(self, panel: str, series: str, y: str = "") -> tuple[Array, Array]:
        """x and y of one line. Raises KeyError where there is none."""
        for place, name, x, values in self.lines(y):
            if (place, name) == (panel, series):
                return x, values
        raise KeyError((panel, series))

    def __repr__(self) -> str:
        return "\n".join([f"{self.name}: {self.question}", *(f"  {line}" for line in self.answer)])


#: A study under its name, made when it is asked for; its keywords are what may be changed.
Maker = Callable[..., Study]
