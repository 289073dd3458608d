"""A forecast: predictions that are written down before the runs, with a hash of all they say."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np

from isoloss.files import displayed, equal_by_content, fields_of, percent, save
from isoloss.fits import Section, loss_in_words, text
from isoloss.formats import Precision
from isoloss.laws import Array
from isoloss.runs import compact, metric_of
from isoloss.scores.distribution import PROBABILITIES
from isoloss.scores.ledger_files import check_new, hash_of, head_of
from isoloss.scores.problems import ScoreError

#: What is predicted: losses, or gaps to the same model without rounding.
Quantity = Literal["loss", "gap"]
#: Packages whose versions a forecast keeps.
PACKAGES = ("isoloss", "numpy", "scipy")


@equal_by_content
@displayed
@dataclass(frozen=True, repr=False)
class Forecast:
    """Predictions of runs that are not there yet. Prints itself; `save` freezes it.

    Attributes
    ----------
    quantity, metric
        "loss" or "gap", and what losses are.
    params, tokens
        The points, shape (n,).
    precision
        Their spellings.
    middle
        The central prediction, shape (n,).
    quantiles
        Of a new run, at `PROBABILITIES`, shape (n, q).
    by
        Laws and their weights.
    data
        The hash of the table that was fitted, "" where there is none.
    warnings
        What speaks against the predictions.
    versions
        Of isoloss, numpy, scipy and Python.
    made
        The time, UTC.
    note
        Anything that the reader should know.
    previous
        The hash of the forecast before it in its folder, "" for the first.
    hash
        The sha256 of all of the above, "" until it is saved.
    """

    quantity: Quantity
    metric: str
    params: Array
    tokens: Array
    precision: tuple[str, ...]
    middle: Array
    quantiles: Array
    by: Mapping[str, float]
    data: str
    warnings: tuple[str, ...]
    versions: Mapping[str, str]
    made: str
    note: str = ""
    previous: str = ""
    hash: str = ""

    def __len__(self) -> int:
        return len(self.middle)

    @property
    def level(self) -> float:
        """Coverage of the interval between the outermost quantiles."""
        return round(PROBABILITIES[-1] - PROBABILITIES[0], 9)

    @property
    def low(self) -> Array:
        """Low ends of that interval, shape (n,)."""
        return np.asarray(self.quantiles[:, 0])

    @property
    def high(self) -> Array:
        """High ends, shape (n,)."""
        return np.asarray(self.quantiles[:, -1])

    def sealed(self, previous: str) -> Forecast:
        """The forecast with the hash of the one before it and its own."""
        before = replace(self, previous=previous, hash="")
        return replace(before, hash=hash_of(fields_of(before)))

    def save(self, path: str | Path) -> Forecast:
        """Freeze the forecast in a JSON file, after the last one in the same folder.

        Parameters
        ----------
        path
            A file (.json) that does not exist.

        Returns
        -------
        Forecast
            As it was written: its `hash` is the new head of the folder. Publish it elsewhere: a
            change of this file or of any before it then shows.

        Raises
        ------
        FilesError
            The file exists, has another ending or cannot be written.
        ScoreError
            A forecast in the folder was changed, or is missing.
        """
        check_new(path)
        found = self.sealed(head_of(Path(path).parent))
        save(found, path)
        return found

    def sections(self) -> list[Section]:
        """The report: what is predicted, by what, and the hash."""
        unit = metric_of(self.metric).per_run
        by = ", ".join(f"{name} {weight:.2f}" for name, weight in self.by.items())
        lines = [
            f"{self.quantity} in {unit}; low to high is the {percent(self.level)} interval of a "
            "new run",
            f"by {by}; made {self.made}",
            f"hash {self.hash}" if self.hash else "not frozen yet",
        ]
        lines += [f"after {self.previous}"] if self.previous else []
        lines += [f"note: {self.note}"] if self.note else []
        head = ("params", "tokens", "precision", self.quantity, "low", "high")
        points = zip(self.params, self.tokens, self.precision, self.middle, self.low, self.high,
                     strict=True)  # fmt: skip
        rows = tuple(
            (compact(n), compact(d), p, *map(loss_in_words, ends)) for n, d, p, *ends in points
        )
        warned = [Section("Warnings", self.warnings)] if self.warnings else []
        return [Section("Forecast", tuple(lines), head, rows), *warned]

    def __str__(self) -> str:
        return text(self.sections())


def forecast_of_quantiles(
    params: Sequence[float] | Array,
    tokens: Sequence[float] | Array,
    precision: Sequence[str],
    middle: Sequence[float] | Array,
    quantiles: Sequence[Sequence[float]] | Array,
    by: Mapping[str, float],
    *,
    quantity: Quantity = "loss",
    metric: str = "nats",
    data: str = "",
    warnings: Sequence[str] = (),
    note: str = "",
) -> Forecast:
    """A forecast of any predictions, such as those of a method of one's own.

    Parameters
    ----------
    params, tokens, precision
        The points.
    middle
        Central predictions.
    quantiles
        At `PROBABILITIES`, one row a point.
    by
        What made them, with weights.
    quantity, metric
        "loss" or "gap", and what losses are.
    data
        The hash of the runs behind them (``runs.hash``).
    warnings, note
        What the reader should know.

    Returns
    -------
    Forecast
        Not frozen until it is saved.

    Raises
    ------
    ScoreError
        The columns are of different lengths, a point stands twice, or quantiles do not rise.
    """
    own = {name: version(name) for name in PACKAGES} | {"python": platform.python_version()}
    found = Forecast(
        quantity,
        metric,
        np.asarray(params, dtype=float),
        np.asarray(tokens, dtype=float),
        tuple(str(Precision.parse(each)) for each in precision),
        np.asarray(middle, dtype=float),
        np.asarray(quantiles, dtype=float),
        dict(by),
        data,
        tuple(warnings),
        own,
        datetime.now(UTC).isoformat(timespec="seconds"),
        note,
    )
    check_columns(found)
    _check_once(found)
    return found


def _check_once(found: Forecast) -> None:
    """Raise ScoreError for a point that stands twice: one run would count as several."""
    points = zip(found.params.tolist(), found.tokens.tolist(), found.precision, strict=True)
    (point, count), *_ = Counter(points).most_common(1)
    if count > 1:
        n, d, precision = point
        raise ScoreError(
            f"a forecast has {compact(n)} params on {compact(d)} tokens in '{precision}' {count} "
            "times; give each point once"
        )


def check_columns(found: Forecast) -> None:
    """Raise ScoreError where columns do not belong together or quantiles do not rise."""
    n = len(found.middle)
    if not n:
        raise ScoreError("a forecast has no points")
    shapes = found.params.shape, found.tokens.shape, (len(found.precision),), found.middle.shape
    if {*shapes} != {(n,)} or found.quantiles.shape != (n, len(PROBABILITIES)):
        raise ScoreError(f"a forecast of {n} points has columns of different lengths")
    whole = np.isfinite(found.quantiles).all() and np.isfinite(found.middle).all()
    if not whole or not (np.diff(found.quantiles, axis=1) > 0).all():
        raise ScoreError("quantiles of a forecast are no numbers that rise")
    if not ((found.params > 0) & (found.tokens > 0)).all():
        raise ScoreError("a forecast has params or tokens that are not above 0")
