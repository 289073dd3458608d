"""What checks are made of: figures without error, slopes in logarithms, and rows as a drawing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from isoloss.linear import Study
from isoloss.papers.claim import Ours


def exact(found: Mapping[str, float]) -> dict[str, Ours]:
    """Figures without an error, by name."""
    return {name: Ours(float(value)) for name, value in found.items()}


def slope(x: ArrayLike, y: ArrayLike) -> float:
    """The slope of log y against log x by least squares; NaN where an x or y is not positive."""
    if np.min(x) <= 0 or np.min(y) <= 0:
        return float("nan")
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def drawn(
    name: str,
    question: str,
    rows: Iterable[Mapping[str, Any]],
    labels: tuple[str, str],
    says: str = "",
    *,
    x: str = "x",
    y: str = "y",
) -> Study:
    """What `plot` draws of rows.

    Parameters
    ----------
    name, question
        What the figure is called and asks; the first sentence is its title.
    rows
        Each with an x, a y, a series, and a panel where there are several; '<y>_se' is an error.
    labels
        Names of x and y with their units.
    says
        The answer, a sentence.
    x, y
        The columns that are drawn against each other.
    """
    table = pl.DataFrame([{"panel": "", **row} for row in rows], infer_schema_length=None)
    answer = (says,) if says else ()
    return Study(name, question, table, x, y, "series", "panel", labels, answer)
