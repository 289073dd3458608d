"""CSV and TSV: a header, then rows; everything is text until it is checked."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence

import polars as pl

from isoloss.runs.intake.content import check_one_row_a_run
from isoloss.runs.intake.frames import check_names, plain
from isoloss.runs.intake.origin import Origin
from isoloss.runs.intake.reader import READERS, Opened, Reader
from isoloss.runs.intake.readers.at_once import rows_at_once, simple
from isoloss.runs.intake.texts import name_of, text_of
from isoloss.runs.problems import RunsError


def separated_by(separator: str) -> Callable[[bytes, str], Opened]:
    """A function that opens rows of values with a separator between them, each with its row of the
    file.
    """

    def opener(data: bytes, name: str) -> Opened:
        found = _plainly(data, separator, name) or _carefully(
            text_of(data, name).replace("\r\n", "\n"), separator, name
        )
        check_one_row_a_run(found[0].columns, name)
        return Opened(plain(found[0]), Origin(name, found[1]))

    return opener


def _plainly(data: bytes, separator: str, name: str) -> tuple[pl.DataFrame, Sequence[int]] | None:
    """The rows of a content of one line each, read at once; None for any other."""
    content = simple(data)
    start = 0 if content is None else content.find(b"\n") + 1
    if content is None or start < 2:
        return None
    try:
        head = content[: start - 1].decode()
        cells = next(csv.reader([head], delimiter=separator, strict=True), [])
    except csv.Error:
        return None
    header = _header(cells, separator, name)
    frame = rows_at_once(content, start, header, separator)
    return None if frame is None else (frame, range(2, frame.height + 2))


def _carefully(text: str, separator: str, name: str) -> tuple[pl.DataFrame, Sequence[int]]:
    """The rows of any text; RunsError with the row where it is none of a table."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    header: list[str] = []
    records: list[list[str]] = []
    rows: list[int] = []
    start = 1
    try:
        for record in reader:
            if record and not header:
                header = _header(record, separator, name)
            elif record:
                _same_length(record, header, name, start)
                records.append(record)
                rows.append(start)
            start = reader.line_num + 1
    except csv.Error as error:
        raise RunsError(f"cannot read {name}, row {start}: {error}") from None
    columns = {cell: [record[i] for record in records] for i, cell in enumerate(header)}
    return pl.DataFrame(columns, schema=dict.fromkeys(header, pl.String)), rows


def _header(cells: Sequence[str], separator: str, name: str) -> list[str]:
    """Names of columns that can be shown, each once."""
    header = [name_of(cell.strip()) for cell in cells]
    _check_separator(header, separator, name)
    check_names(header, name)
    return header


def _check_separator(header: list[str], separator: str, name: str) -> None:
    """Raise RunsError for a header of one column that holds another separator."""
    others = [each for each in ";\t|," if each != separator and each in "".join(header)]
    if len(header) == 1 and others:
        raise RunsError(
            f"{name} is separated by {others[0]!r}, not by {separator!r}: write it with commas "
            "(.csv) or tabs (.tsv), and numbers with a decimal point"
        )


def _same_length(record: list[str], header: list[str], name: str, row: int) -> None:
    if len(record) != len(header):
        raise RunsError(
            f"{name}, row {row} has {len(record)} values where the header has {len(header)} columns"
        )


READERS.register(".csv", Reader(separated_by(",")))
READERS.register(".tsv", Reader(separated_by("\t")))
