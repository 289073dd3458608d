"""Tables with several rows of names, and rows below a table that sum it up."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import polars as pl

from isoloss.runs.intake.cells import EMPTY_NUMBERS
from isoloss.runs.intake.content.decimals import is_number
from isoloss.runs.intake.content.trajectories import names_runs
from isoloss.runs.intake.origin import Origin
from isoloss.runs.problems import RunsError

#: Rows that are looked at for whether a column holds numbers.
ROWS = 200
#: Words, in the column that names runs, for rows that sum up those above.
SUMMARIES = frozenset({
    "total", "totals", "grand total", "subtotal", "sum", "average", "avg", "mean", "median",
    "overall", "gesamt", "summe", "mittelwert", "durchschnitt", "std", "stddev",
})  # fmt: skip


def check_one_header(frame: pl.DataFrame, name: str, rows: Sequence[int]) -> None:
    """Raise RunsError where the first row holds names or units: words, in two columns or more in
    which all other rows are numbers, and no number.
    """
    if frame.height < 2:
        return
    first = {column: str(value).strip() for column, value in _first(frame).items()}
    words = {column: cell for column, cell in first.items() if _is_word(cell)}
    digits = [cell for cell in first.values() if cell and re.search(r"\d", cell)]
    if len(words) < 2 or any(re.match(r"[+-]?[\d.,]", cell) for cell in digits):
        return
    named = [column for column in words if _are_numbers(frame[column].slice(1, ROWS))]
    if len(named) < 2:
        return
    shown = ", ".join(repr(words[column]) for column in named[:4])
    raise RunsError(
        f"{name}, row {rows[0]} holds no number ({shown}) where all rows below it do: it reads as "
        "a second row of names or units; write one row of names, with their units, as "
        "'tokens (billions)'"
    )


def _first(frame: pl.DataFrame) -> Mapping[str, object]:
    return {c: v for c, v in frame.row(0, named=True).items() if isinstance(v, str)}


def _is_word(cell: str) -> bool:
    return bool(cell) and cell.lower() not in EMPTY_NUMBERS | {"inf", "infinity", "failed"}


def _are_numbers(series: pl.Series) -> bool:
    """Whether a column of texts holds numbers and empty cells only."""
    if series.dtype != pl.String:
        return False
    known = series.filter(~series.str.strip_chars().str.to_lowercase().is_in(list(EMPTY_NUMBERS)))
    return len(known) > 0 and bool(is_number(known).all())


def summing_up(frame: pl.DataFrame, origin: Origin) -> dict[int, str]:
    """Why rows at the end of a table are no runs, by position: 'Total' stands where others have
    names, or in a column of texts in which no other row says so.

    Parameters
    ----------
    frame
        The table as it stood in the file.
    origin
        Where its rows are from.
    """
    found: dict[int, str] = {}
    for place, series in enumerate(frame.get_columns()):
        if series.dtype != pl.String:
            continue
        row = frame.height - 1
        if row < 0 or not _word(series[row]):
            continue
        if place and not names_runs(series.name) and not _only_at_the_end(series):
            continue
        while row > 0 and (word := _word(series[row])):
            found[row] = (
                f"column '{series.name}' says '{word}': the row sums up those above and is no run "
                f"{origin.place(row)}"
            )
            row -= 1
        if row == 0:  # all rows are called so: these are names
            found = {}
    return found


def _word(cell: object) -> str:
    """What a cell says, if that is a word for a row that sums up; empty for any other."""
    text = str(cell or "").strip()
    return text if text.lower().rstrip(":") in SUMMARIES else ""


def _only_at_the_end(series: pl.Series) -> bool:
    """Whether the last rows sum up and no row before: a column of kinds has such words anywhere."""
    texts = series.str.strip_chars().str.to_lowercase().str.strip_suffix(":")
    words = texts.is_in(list(SUMMARIES)).fill_null(False)
    count = int(words.sum())
    last = bool(count) and bool(words.tail(count).all())
    return last and texts.filter(~words).drop_nulls().n_unique() > 1
