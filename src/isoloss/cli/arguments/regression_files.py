"""A regression problem from a file: eigenvalues, or data that have a spectrum."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import isoloss as il
from isoloss.cli.refusing import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from isoloss.linear import Regression

#: Endings of tables of data, read as polars reads them.
TABLES = (".csv", ".tsv", ".parquet")


def eigenvalues(path: Path) -> Sequence[float]:
    """The numbers of a file, in its order: text with commas, blanks or lines between, or .npy.

    Raises Refused for a file without numbers or with a matrix, OSError for one that is not there,
    ValueError for a word that is no number.
    """
    if path.suffix.lower() == ".npy":
        array = _array(path)
        if array.ndim != 1:
            raise Refused(f"'{path}' holds {_shape(array)}; accepted is one row of numbers")
        return [float(each) for each in array]
    try:
        words = path.read_text(encoding="utf-8").replace(",", " ").split()
    except UnicodeDecodeError:
        raise Refused(f"'{path}' is no text; accepted are numbers in text, or .npy") from None
    if not words:
        raise Refused(f"'{path}' holds no number; accepted is one eigenvalue a word")
    return [il.runs.number(word) for word in words]


def regression_of_data(path: Path, labels: str | None) -> Regression:
    """The problem with the spectrum of data, and with labels their best target and noise.

    A .npy matrix (rows, d), or a table with a column a feature; `labels` names one of its columns.
    Raises Refused for another kind of file, a column that is not there or is no number.
    """
    if path.suffix.lower() == ".npy":
        if labels is not None:
            raise Refused(f"'{path}' has no column '{labels}'; labels are a column of a table")
        return il.Regression.from_data(_array(path))
    frame = _table(path)
    text = [name for name, kind in frame.schema.items() if not kind.is_numeric()]
    if text:
        raise Refused(f"column '{text[0]}' of '{path}' is no number; leave it out of the file")
    if labels is None:
        return il.Regression.from_data(frame.to_numpy())
    if labels not in frame.columns:
        raise Refused(f"'{path}' has no column '{labels}'; there are {', '.join(frame.columns)}")
    return il.Regression.from_data(frame.drop(labels).to_numpy(), frame[labels].to_numpy())


def _table(path: Path) -> pl.DataFrame:
    import polars as pl

    if path.suffix.lower() not in TABLES:
        raise Refused(f"cannot read '{path}'; data are .npy {' '.join(TABLES)}")
    if not path.is_file():
        raise FileNotFoundError(2, "No such file or directory", str(path))
    try:
        if path.suffix.lower() == ".parquet":
            return pl.read_parquet(path)
        return pl.read_csv(path, separator="\t" if path.suffix.lower() == ".tsv" else ",")
    except pl.exceptions.PolarsError as error:
        raise Refused(f"cannot read '{path}': {' '.join(str(error).split())}") from None


def _array(path: Path) -> NDArray[np.float64]:
    import numpy as np

    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise Refused(f"cannot read '{path}' as .npy: {error}") from None
    if not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise Refused(f"'{path}' holds {_shape(array)}; accepted are real numbers")
    return np.asarray(array, dtype=np.float64)


def _shape(array: NDArray[np.generic]) -> str:
    return f"an array of shape {array.shape} and type {array.dtype}"
