"""What checks on the exact risk share: precisions in words, slopes, gaps, and drawn tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from isoloss.linear import SGD, Regression, Study, excess_risk, excess_risks, stability_limit
from isoloss.papers.claim import Ours

Reading = Literal["clean", "in use"]
#: The noises of the papers in words. Two points, plus and minus one deviation, are the generator of
#: the notes whose numbers stand in the claims; a slope or verdict does not depend on it.
NOISES = {
    "additive": "add_two_point",
    "shared factor": "vec_two_point",
    "factor by element": "coord_two_point",
}
PARTS = {
    "data": "d",
    "labels": "l",
    "parameter": "w",
    "activations": "a",
    "output gradients": "g",
}
ALL = "".join(PARTS.values())
READINGS: tuple[Reading, ...] = ("clean", "in use")
EXACT = ("exact risk",)
RISK = "excess risk"
GAP = "risk less that of full precision"

Point = tuple[Regression, SGD, str]


def rounded(parts: str, noise: str, eps: float) -> str:
    """The precision with a noise in words, or a format, on some parts; no level is 'fp'."""
    if noise not in NOISES:
        return " ".join(f"{part}:{noise}" for part in parts)
    return " ".join(f"{part}:{NOISES[noise]}({eps!r})" for part in parts) if eps else "fp"


def values(
    points: Sequence[Point], iterate: str = "average", inputs: Reading = "clean"
) -> list[float]:
    """The exact risks of points."""
    return [each.value for each in excess_risks(points, iterate, inputs)]


def gaps(
    points: Sequence[Point], iterate: str = "average", inputs: Reading = "clean"
) -> list[float]:
    """What each point adds to the risk of the same problem and descent in full precision."""
    full = [(problem, sgd, "fp") for problem, sgd, _ in points]
    found = values([*points, *full], iterate, inputs)
    return [a - b for a, b in zip(found[: len(points)], found[len(points) :], strict=True)]


def gap(point: Point, iterate: str = "average", inputs: Reading = "clean", **more: Any) -> float:
    """What one point adds to the risk of full precision, with the options of `excess_risk`."""
    problem, sgd, precision = point
    each = [
        excess_risk(problem, sgd, spelled, iterate, inputs, **(more if spelled != "fp" else {}))
        for spelled in (precision, "fp")
    ]
    return each[0].value - each[1].value


def share_of_limit(problem: Regression, share: float) -> float:
    """A share of the largest stable step size of full precision: one step size for all formats."""
    return share * stability_limit(problem, SGD(1))


def slope(x: ArrayLike, y: ArrayLike) -> float:
    """The least-squares slope of log y against log x; not a number where y is not above 0."""
    if np.min(y) <= 0:
        return float("nan")
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def exact(found: Mapping[str, float]) -> dict[str, Ours]:
    """Figures without an error."""
    return {name: Ours(float(value)) for name, value in found.items()}


def drawn(
    name: str, question: str, rows: Iterable[Mapping[str, Any]], labels: tuple[str, str], says: str
) -> Study:
    """The figure of rows with x, y, series, and where there are several, panel."""
    table = pl.DataFrame([{"panel": "", **row} for row in rows], infer_schema_length=None)
    return Study(name, question, table, "x", "y", "series", "panel", labels, (says,))
