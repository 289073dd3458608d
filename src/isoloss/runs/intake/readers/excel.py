"""Excel workbooks: one sheet of values as they were last computed, named behind '#' where there are
several.
"""

from __future__ import annotations

import io
import lzma
import re
import warnings
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Any

import polars as pl

from isoloss.runs.intake.cells import listed, name_of
from isoloss.runs.intake.content import check_one_header
from isoloss.runs.intake.frames import check_names, from_columns
from isoloss.runs.intake.origin import Origin
from isoloss.runs.intake.reader import READERS, Opened, Reader
from isoloss.runs.intake.unpacking import check_size
from isoloss.runs.problems import RunsError

#: Cells of a workbook that are read; of a sheet, empty ones between the others count too.
MOST_CELLS = 5_000_000
#: What a damaged archive makes of its reader.
DAMAGED = (
    zipfile.BadZipFile, OSError, EOFError, RuntimeError, NotImplementedError, ValueError,
    zlib.error, lzma.LZMAError,
)  # fmt: skip
_MERGE = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]*?ref=[^>]+")
_AREA = re.compile(rb"\$?([A-Za-z]{1,3})\$?(\d{1,9})")


@dataclass(frozen=True)
class _Cells:
    """The cells of a sheet by row, which rows of the sheet they are, and what to say of them."""

    rows: Sequence[int]
    cells: Sequence[Sequence[Any]]
    notes: tuple[str, ...] = ()


def open_excel(data: bytes, name: str) -> Opened:
    """The table in a sheet, its first row of several cells as names."""
    book, _, wanted = _split(name)
    formulas = _check_archive(data, book)
    values = _book(data, book, computed=True)
    sheet = _sheet(values, book, wanted)
    found = _filled(sheet)
    if formulas:
        found = _with_formulas(found, _book(data, book, computed=False)[sheet.title])
    frame, rows, notes = _table(found, name)
    check_one_header(frame, name, rows)
    return Opened(frame, Origin(name, rows), notes)


def _split(name: str) -> tuple[str, str, str]:
    at = name.lower().find(".xlsx#")
    return (name, "", "") if at < 0 else (name[: at + 5], "#", name[at + 6 :])


def _check_archive(data: bytes, name: str) -> bool:
    """Whether sheets hold formulas; RunsError for no workbook, and for one that fills memory."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
            check_size(sum(part.file_size for part in parts), len(data), name)
            sheets = [part for part in parts if part.filename.startswith("xl/worksheets/")]
            texts = [archive.read(part) for part in sheets if part.filename.endswith(".xml")]
    except RunsError:
        raise
    except DAMAGED:
        raise RunsError(
            f"cannot read {name} as an Excel workbook; save it as .xlsx without a password, or as "
            ".csv"
        ) from None
    cells = sum(text.count(tag) for text in texts for tag in (b"<c ", b"<c>", b"<c/>", b":c "))
    _check_cells(cells + sum(map(_merged, texts)), name)
    return any(b"<f>" in text or b"<f " in text for text in texts)


def _merged(sheet: bytes) -> int:
    """How many cells stand in merged areas: a few letters may merge all there can be."""
    areas = [_AREA.findall(ref) for ref in _MERGE.findall(sheet)]
    ends = [[(_column(letters), int(row)) for letters, row in area] for area in areas]
    pairs = ((each[0], each[1]) for each in ends if len(each) == 2)
    return sum((last[0] - at[0] + 1) * (last[1] - at[1] + 1) for at, last in pairs)


def _column(letters: bytes) -> int:
    place = 0
    for letter in letters.upper():
        place = 26 * place + letter - 64
    return place


def _check_cells(count: int, name: str) -> None:
    if count > MOST_CELLS:
        raise RunsError(
            f"{name} holds a sheet of {count} cells; {MOST_CELLS} are read: save the table alone "
            "as .csv"
        )


def _book(data: bytes, name: str, computed: bool) -> Any:
    try:
        import openpyxl
    except ImportError:
        raise RunsError(
            "Excel files need the package openpyxl; pip install 'isoloss[excel]', or save the "
            "sheet as .csv"
        ) from None
    try:
        with warnings.catch_warnings():
            # Styles and extensions that it does not know are none of the values.
            warnings.simplefilter("ignore")
            return openpyxl.load_workbook(io.BytesIO(data), data_only=computed)
    except Exception as error:  # whatever a damaged part of an archive makes of its parser
        said = " ".join(str(error).split())[:150] or type(error).__name__
        raise RunsError(f"cannot read {name} as an Excel workbook: {said}") from None


def _sheet(book: Any, name: str, wanted: str) -> Any:
    """The sheet that is named, or the only one that is shown and holds anything."""
    sheets = {sheet.title: sheet for sheet in book.worksheets}
    for sheet in sheets.values():
        _check_cells(sheet.max_row * sheet.max_column, name)
    if wanted:
        if wanted not in sheets:
            raise RunsError(f"{name} has no sheet {wanted!r}; its sheets are {listed([*sheets])}")
        return sheets[wanted]
    filled = [
        sheet
        for sheet in sheets.values()
        if sheet.sheet_state == "visible"
        and any(any(row) for row in sheet.iter_rows(values_only=True))
    ]
    if not filled:
        raise RunsError(f"{name} is empty; a table of runs needs a header and rows")
    if len(filled) > 1:
        names = [sheet.title for sheet in filled]
        raise RunsError(
            f"{name} has several sheets, {listed(names)}: name one behind it, as "
            f"'{name}#{names[0]}'"
        )
    return filled[0]


def _filled(sheet: Any) -> _Cells:
    """The cells of rows that are not empty, merged ones each with the value they show."""
    merged: dict[tuple[int, int], Any] = {}
    below = [area for area in sheet.merged_cells.ranges if area.max_row > area.min_row]
    for area in below:
        for row in range(area.min_row, area.max_row + 1):
            merged[row, area.min_col] = sheet.cell(area.min_row, area.min_col).value
    rows: list[int] = []
    cells: list[list[Any]] = []
    for number, values in enumerate(sheet.iter_rows(values_only=True), sheet.min_row):
        places = enumerate(values, sheet.min_column)
        shown = [merged.get((number, column), value) for column, value in places]
        if any(value not in (None, "") for value in shown):
            rows.append(number)
            cells.append(shown)
    hidden = sum(1 for row in rows if sheet.row_dimensions[row].hidden)
    notes = [f"{len(below)} merged areas read as their value in every row"] if below else []
    notes += [f"{hidden} hidden rows are read too"] if hidden else []
    return _Cells(rows, cells, tuple(notes))


def _with_formulas(found: _Cells, sheet: Any) -> _Cells:
    """The cells, those that were never computed as the formula, which is no number."""
    cells = [list(row) for row in found.cells]
    left = sheet.min_column
    for row, values in zip(found.rows, cells, strict=True):
        for at, value in enumerate(values):
            formula = sheet.cell(row, left + at).value if value is None else None
            if isinstance(formula, str) and formula.startswith("="):
                values[at] = formula
    return _Cells(found.rows, cells, found.notes)


def _table(found: _Cells, name: str) -> tuple[pl.DataFrame, list[int], tuple[str, ...]]:
    """The frame below the first row of several cells, and the row of the sheet of each of its
    rows.
    """
    several = (i for i, row in enumerate(found.cells) if sum(v not in (None, "") for v in row) > 1)
    top = next(several, 0)
    notes = found.notes
    if top:
        notes += (f"{top} {'rows' if top > 1 else 'row'} of a title above the names left out",)
    columns = _columns(found.cells[top], found.cells[top + 1 :], name, found.rows[top])
    return from_columns(columns), list(found.rows[top + 1 :]), notes


def _columns(
    head: Sequence[Any], rows: Sequence[Sequence[Any]], name: str, place: int
) -> Mapping[str, list[Any]]:
    names: list[str] = []
    columns: list[list[Any]] = []
    for at, cell in enumerate(head):
        values = [row[at] for row in rows]
        own = "" if cell is None else name_of(str(cell).strip())
        if not own and all(value in (None, "") for value in values):
            continue
        if not own:
            raise RunsError(
                f"{name}, row {place} has no name for column {at + 1}, which holds values; name "
                "every column in one row"
            )
        names.append(own)
        columns.append(_plain_cells(values))
    check_names(names, name)
    return dict(zip(names, columns, strict=True))


def _plain_cells(values: Sequence[Any]) -> list[Any]:
    """Cells as numbers and texts; a date among numbers says that it is one."""
    numbers = any(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    return [_plain_cell(value, numbers) for value in values]


def _plain_cell(value: Any, among_numbers: bool) -> Any:
    if isinstance(value, date | time):
        return f"{value} (a date)" if among_numbers else str(value)
    if value is None or isinstance(value, int | float):
        return value
    return str(value)


READERS.register(".xlsx", Reader(open_excel, parts=True))
