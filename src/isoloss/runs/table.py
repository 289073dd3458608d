"""A table of runs: one row a run, the rows that cannot be used kept with their reasons."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache, reduce
from pathlib import Path
from typing import Any, overload

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from isoloss.files import shown_value
from isoloss.formats import Precision
from isoloss.runs.choosing import matching
from isoloss.runs.columns import BY_NAME, NUMERIC
from isoloss.runs.describe import as_html, as_text
from isoloss.runs.intake import Origin, Understood, checked, frame_of, notes_of
from isoloss.runs.problems import RunsError
from isoloss.runs.provenance import Provenance
from isoloss.runs.run import Run
from isoloss.runs.saving import save_frame

REQUIRED_HERE = ("params", "tokens", "precision", "loss", "metric", "status")


@dataclass(frozen=True, init=False, repr=False, eq=False)
class Runs:
    """A table of runs, built from rows of `Run` or by `Runs.from_frame`; every method returns a new
    table.

    ``runs["loss"]`` is a column as an array, iterating gives a `Run` a row, ``one + other`` joins
    two tables.

    Parameters
    ----------
    rows
        One `Run` a row.
    provenance
        Licence and citation by source.

    Attributes
    ----------
    columns
        Names of the columns: those of `COLUMNS` that are present (metric, status and reason always
        are), then whatever else the table came with.
    provenance
        Licence and citation by source, of the sources that are known.
    understood
        How the table of one's own that the rows are from was read, which prints as one screen;
        None of other tables.
    precisions
        The precision of every row, parsed.
    usable
        The rows whose status is "ok".
    excluded
        The other rows, each with its reason.
    licence, citation
        The same as texts, by source.
    hash
        The sha256 of the rows' canonical columns, whatever their order.

    Raises
    ------
    RunsError
        A row has a value that its column does not accept.
    """

    _frame: pl.DataFrame
    provenance: Mapping[str, Provenance]
    understood: Understood | None

    def __init__(
        self, rows: Iterable[Run] = (), provenance: Mapping[str, Provenance] | None = None
    ) -> None:
        known = [asdict(row) for row in rows]
        names = [
            name
            for name in BY_NAME
            if name in REQUIRED_HERE or any(row[name] is not None for row in known)
        ]
        columns = {name: pl.Series([row[name] for row in known], strict=False) for name in names}
        self._set(checked(pl.DataFrame(columns), Origin("the list of runs")), provenance or {})

    def _set(
        self,
        frame: pl.DataFrame,
        provenance: Mapping[str, Provenance],
        how: Understood | None = None,
    ) -> None:
        object.__setattr__(self, "understood", how)
        object.__setattr__(self, "_frame", frame)
        object.__setattr__(self, "provenance", dict(provenance))

    @classmethod
    def from_frame(cls, frame: Any, provenance: Mapping[str, Provenance] | None = None) -> Runs:
        """The runs of any data frame (polars, pandas, arrow ...) that has the canonical columns."""
        return cls.from_checked(
            checked(frame_of(frame), Origin("the data frame")), provenance or {}
        )

    @classmethod
    def from_checked(
        cls,
        frame: pl.DataFrame,
        provenance: Mapping[str, Provenance],
        how: Understood | None = None,
    ) -> Runs:
        """The runs of a frame that isoloss.runs.check.checked returned, and how it was read."""
        runs = object.__new__(cls)
        runs._set(frame, provenance, how)
        return runs

    # ---- what is in it
    def __len__(self) -> int:
        return self._frame.height

    def __iter__(self) -> Iterator[Run]:
        return (Run.of(row) for row in self._frame.iter_rows(named=True))

    @overload
    def __getitem__(self, name: str) -> NDArray[Any]: ...
    @overload
    def __getitem__(self, name: slice) -> Runs: ...
    def __getitem__(self, name: str | slice) -> NDArray[Any] | Runs:
        """The column as an array: float64 (NaN where unknown) for numbers, objects (None) for
        text; of a slice (``runs[:10]``) those rows.
        """
        if isinstance(name, slice):
            return self.take(np.arange(len(self))[name])
        if not isinstance(name, str):
            raise RunsError(
                f"runs[{shown_value(name)}] is no column; give the name of one, a slice as "
                "runs[:10], or take(positions)"
            )
        if name in self._frame.columns:
            series = self._frame[name]
            if series.dtype.is_numeric():
                return series.cast(pl.Float64).fill_null(np.nan).to_numpy().copy()
            return np.array(series.to_list(), dtype=object)
        if name not in BY_NAME:
            raise RunsError(
                f"these runs have no column '{name}'; their columns are {', '.join(self.columns)}"
            )
        # A canonical column that is absent is unknown in every row.
        return (
            np.full(len(self), np.nan)
            if name in NUMERIC
            else np.full(len(self), None, dtype=object)
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns that are present."""
        return tuple(self._frame.columns)

    def frame(self) -> pl.DataFrame:
        """The table as a polars data frame (a copy)."""
        return self._frame.clone()

    @cached_property
    def precisions(self) -> list[Precision]:
        """The precision of every row, parsed; RunsError where a row's cannot be read (use
        .usable).
        """
        try:
            return [_parsed(text) for text in self._frame["precision"].to_list()]
        except ValueError as error:
            raise RunsError(f"{error}; leave such rows out with runs.usable") from None

    @property
    def usable(self) -> Runs:
        """The rows whose status is ok."""
        return self._filtered(pl.col("status") == "ok")

    @property
    def excluded(self) -> Runs:
        """The other rows, each with its reason."""
        return self._filtered(pl.col("status") != "ok")

    @property
    def licence(self) -> dict[str, str]:
        """The licence of each source, where known."""
        return {source: entry.licence for source, entry in self._present().items()}

    @property
    def citation(self) -> dict[str, str]:
        """What to cite for each source, where known."""
        return {source: entry.citation for source, entry in self._present().items()}

    def _present(self) -> dict[str, Provenance]:
        sources = set(self["source"])
        return {source: entry for source, entry in self.provenance.items() if source in sources}

    @cached_property
    def hash(self) -> str:
        """The sha256 of the rows' canonical columns, whatever their order; reasons do not count."""
        names = sorted(name for name in self.columns if name in BY_NAME and name != "reason")
        lines = []
        for row in self._frame.select(names).iter_rows(named=True):
            lines.append(
                json.dumps({k: v for k, v in row.items() if v is not None}, sort_keys=True)
            )
        return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()

    # ---- choosing and joining
    def where(self, *conditions: pl.Expr, **equals: Any) -> Runs:
        """Choose the rows for which every condition holds.

        Parameters
        ----------
        *conditions
            Polars expressions.
        **equals
            A condition on a column: a value to equal (any spelling of a precision, "1.3B" for a
            number, None for unknown), a list of them, a (low, high) tuple for numbers (both ends
            count, None leaves one open), or a callable that takes the column's array and returns a
            mask.

        Raises
        ------
        RunsError
            There is no such column, or the condition is none that it can meet.
        """
        mask = np.ones(len(self), dtype=bool)
        for name, wanted in equals.items():
            mask &= matching(name, self[name], wanted)
        runs = self.take(mask) if equals else self
        return reduce(lambda kept, condition: kept._filtered(condition), conditions, runs)

    def take(self, rows: ArrayLike) -> Runs:
        """The rows at these positions, in this order, or where a mask is true."""
        index = np.asarray(rows)
        if index.dtype == bool:
            if index.shape != (len(self),):
                raise RunsError(
                    f"a mask of shape {index.shape} cannot choose among {len(self)} runs"
                )
            index = np.flatnonzero(index)
        frame = self._frame[index.astype(np.int64)]
        return self.from_checked(frame, self.provenance, self.understood)

    def _filtered(self, condition: pl.Expr) -> Runs:
        frame = self._frame.filter(condition)
        return self.from_checked(frame, self.provenance, self.understood)

    def with_columns(self, **values: Any) -> Runs:
        """The runs with these columns set, each an array of one value a run or one value for
        all.
        """
        frame = self._frame
        for name, value in values.items():
            many = isinstance(value, np.ndarray | pl.Series | list | tuple)
            column = pl.Series(name, value if many else [value] * len(self), strict=False)
            if len(column) != len(self):
                raise RunsError(f"column '{name}' has {len(column)} values for {len(self)} runs")
            frame = frame.with_columns(column)
        return self.from_checked(checked(frame, Origin("the given columns")), self.provenance)

    def split(self, by: str = "source") -> dict[Any, Runs]:
        """The runs of each value of a column, in order of first appearance; None where unknown."""
        values = [None if value != value else value for value in self[by].tolist()]
        places: dict[Any, list[int]] = {}
        for index, value in enumerate(values):
            places.setdefault(value, []).append(index)
        return {value: self.take(np.array(rows)) for value, rows in places.items()}

    def __add__(self, other: Runs) -> Runs:
        if not isinstance(other, Runs):
            return NotImplemented
        metrics = sorted(set(self["metric"]) | set(other["metric"]))
        if len(metrics) > 1:
            raise RunsError(
                f"runs whose loss is {metrics[0]} and {metrics[1]} cannot be in one table"
            )
        frame = pl.concat(_alike(self._frame, other._frame), how="diagonal_relaxed")
        names = [name for name in BY_NAME if name in frame.columns]
        names += [name for name in frame.columns if name not in BY_NAME]
        return self.from_checked(frame.select(names), {**other.provenance, **self.provenance})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Runs) and self._frame.equals(other._frame)

    def __hash__(self) -> int:
        return hash(self.hash)

    # ---- showing and keeping
    def save(self, path: str | Path, force: bool = False) -> Path:
        """Write the table (.parquet .csv .tsv .json .jsonl), whole or not at all, and return its
        path.

        A Parquet file carries how the table was read (`understood`) in its metadata, from which it
        is known again when that file is read.

        Raises RunsError for another ending, for a file that exists unless `force`, and where it
        cannot be written.
        """
        note = "" if self.understood is None else notes_of(self.understood)
        return save_frame(self._frame, Path(path), force, note)

    def __str__(self) -> str:
        return as_text(self._frame, self._present())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(self._frame, self._present())


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Precision:
    return Precision.parse(text)


def _alike(one: pl.DataFrame, two: pl.DataFrame) -> list[pl.DataFrame]:
    """Both frames, with columns that they share under different types made text."""
    differ = [
        name for name in one.columns if name in two.columns and one[name].dtype != two[name].dtype
    ]
    return [frame.with_columns(pl.col(differ).cast(pl.String)) for frame in (one, two)]
