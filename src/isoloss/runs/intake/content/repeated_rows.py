"""Rows that stand in a table twice, as two exports put together have them: one run counts once.

Two runs may be alike in every column but the one that names them, so without such a column nothing
is a copy.
"""

from __future__ import annotations

import polars as pl

from isoloss.runs.intake.content.trajectories import names_runs
from isoloss.runs.intake.origin import Origin

#: Names of columns in which every run has a value of its own.
IDS = frozenset({"run_id", "runid", "run_uuid", "id", "trial_id"})
#: Columns of row numbers that stand beside a table when it is written.
ROW_NUMBERS = frozenset({"column_0", "Unnamed: 0", "index"})


def copies(frame: pl.DataFrame, origin: Origin) -> dict[int, str]:
    """Why rows that are equal to one above in every column are no further runs, by position.

    Parameters
    ----------
    frame
        The table as it stood in the file.
    origin
        Where its rows are from.
    """
    own = [s.name for s in frame.get_columns() if not s.dtype.is_nested() and s.dtype != pl.Object]
    name = next((each for each in own if names_runs(each)), None)
    if name is None or frame[name].n_unique() == frame.height:
        return {}
    rows = frame.select(each for each in own if each not in ROW_NUMBERS)
    if rows.hash_rows().n_unique() == rows.height:  # at a fifth of the cost of comparing rows
        return {}
    first = rows.select(pl.struct(pl.all()).is_first_distinct()).to_series()
    # A name that several runs have, as that of a model, names no run: its rows may be seeds.
    named = rows.filter(first)[name].drop_nulls()
    if not _is_id(name) and named.n_unique() < len(named):
        return {}
    again = (~first & _known(frame[name])).arg_true().to_list()
    return {
        row: f"column '{name}' says {str(frame[name][row])!r} again, and all else of the row is as "
        f"above: one run counts once {origin.place(row)}"
        for row in again
    }


def repeated(frame: pl.DataFrame, origin: Origin) -> dict[int, str]:
    """Why runs that another source has too, with their key and all that was measured, are no
    further runs, by position; as those of two stores that were trained or copied apart.

    Parameters
    ----------
    frame
        A table of runs that was put together.
    origin
        Where its rows are from.
    """
    same = ["key", "params", "tokens", "precision", "loss"]
    if not {"source", *same} <= set(frame.columns):
        return {}
    counted = (pl.col("status") != "excluded") & _said("key")
    own = frame.with_row_index("row").filter(counted)
    own = own.with_columns(first=pl.col("source").first().over(same))
    again = own.filter(pl.col("source") != pl.col("first"))
    return {
        row: f"{first} has this run too, by key and loss: one run counts once {origin.place(row)}"
        for row, first in again.select("row", "first").iter_rows()
    }


def _is_id(name: str) -> bool:
    return name.lower().rsplit(".", 1)[-1] in IDS


def _known(series: pl.Series) -> pl.Series:
    return series.to_frame().select(_said(series.name)).to_series()


def _said(name: str) -> pl.Expr:
    """Whether a column says anything in a row."""
    return pl.col(name).cast(pl.String).fill_null("").str.strip_chars() != ""
