"""CSV and TSV: a header, then rows; everything is text until it is checked.

The separator and the decimal mark are told by the content, whatever the ending says.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from isoloss.runs.intake.cells import name_of, text_of
from isoloss.runs.intake.content import (
    COMMENT,
    Top,
    check_is_header,
    check_one_header,
    check_one_row_a_run,
    top_of,
    with_points,
)
from isoloss.runs.intake.frames import check_names, plain
from isoloss.runs.intake.origin import Origin
from isoloss.runs.intake.reader import READERS, Opened, Reader
from isoloss.runs.intake.readers.at_once import PIECE, rows_at_once, simple
from isoloss.runs.problems import RunsError


@dataclass(frozen=True)
class _Rows:
    """The table of a text, the row of the file that each row is from, and comments left out."""

    frame: pl.DataFrame
    rows: Sequence[int]
    comments: int = 0


def separated_by(usual: str) -> Callable[[bytes, str], Opened]:
    """A function that opens rows of values with a separator between them, each with its row of the
    file.

    usual: what the ending of the file says; another one is taken where the header says so.
    """

    def opener(data: bytes, name: str) -> Opened:
        content = simple(data)
        found = None
        if content is not None:
            top = top_of(_beginning(content), usual, name)
            found = _plainly(content, top, name)
        if found is None:
            text = text_of(data, name).replace("\r\n", "\n")
            top = top_of(text, usual, name)
            found = _carefully(text, top, name)
        frame, notes = found.frame, _notes(top, usual, found.comments)
        check_one_row_a_run(frame.columns, name)
        if top.separator != "," and b"," in data:
            frame, commas = with_points(frame, name)
            notes += ("decimals with a comma",) if commas else ()
        check_one_header(frame, name, found.rows)
        return Opened(plain(frame), Origin(name, found.rows), notes)

    return opener


def _beginning(content: bytes) -> str:
    """The first whole lines of a content, in which all that `top_of` looks at stands."""
    piece = content[:PIECE]
    whole = len(content) <= PIECE or b"\n" not in piece
    return (content if whole else piece[: piece.rindex(b"\n") + 1]).decode()


def _notes(top: Top, usual: str, comments: int) -> tuple[str, ...]:
    comments += top.comments
    lines = "lines that begin" if comments > 1 else "line that begins"
    other = (f"values separated by {top.separator!r}",) if top.separator != usual else ()
    return other + ((f"{comments} {lines} with # left out",) if comments else ())


def _plainly(content: bytes, top: Top, name: str) -> _Rows | None:
    """The rows of a content of one line each, read at once; None for any other."""
    at = len(_beginning(content)[: top.start].encode())
    start = content.find(b"\n", at) + 1
    if start <= at + 1 or not top.separator.isascii() or top.separator in '"\n':
        return None
    head = content[at : start - 1].decode().removeprefix(top.before)
    end = content.find(b"\n", start)
    below = content[start : end if end > 0 else len(content)].decode()
    try:
        header = _header(_cells(head, top.separator), _cells(below, top.separator), name)
    except csv.Error:
        return None
    # What stands before the table may hold quotes that are none.
    rest, start, before = (content[start:], 0, 0) if top.lines else (content, start, 1)
    frame = rows_at_once(rest, start, header, top.separator, before)
    first = top.lines + 2
    return None if frame is None else _Rows(frame, range(first, first + frame.height))


def _cells(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator, strict=True), [])


def _carefully(text: str, top: Top, name: str) -> _Rows:
    """The rows of any text; RunsError with the row where it is none of a table."""
    content = text[top.start :].removeprefix(top.before)
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=top.separator, strict=True)
    records: list[list[str]] = []
    rows: list[int] = []
    start = top.lines + 1
    try:
        for record in reader:
            if record:
                records.append(record)
                rows.append(start)
            start = top.lines + reader.line_num + 1
    except csv.Error as error:
        raise RunsError(f"cannot read {name}, row {start}: {error}") from None
    header = _header(records[0], records[1] if len(records) > 1 else [], name) if records else []
    kept = [
        (record, row)
        for record, row in zip(records[1:], rows[1:], strict=True)
        if not _is_comment(record, header)
    ]
    for record, row in kept:
        _same_length(record, header, name, row)
    columns = {cell: [record[i] for record, _ in kept] for i, cell in enumerate(header)}
    frame = pl.DataFrame(columns, schema=dict.fromkeys(header, pl.String))
    return _Rows(frame, [row for _, row in kept], max(len(records) - 1, 0) - len(kept))


def _header(cells: Sequence[str], below: Sequence[str], name: str) -> list[str]:
    """Names of columns that can be shown, each once."""
    header = [name_of(cell.strip()) for cell in cells]
    check_is_header(header, name)
    if len(set(header)) < len(header) == len(below):
        two = pl.DataFrame({str(i): [cell, "1"] for i, cell in enumerate(below)})
        check_one_header(two, name, (2, 3))
    check_names(header, name)
    return header


def _is_comment(record: Sequence[str], header: Sequence[str]) -> bool:
    return record[0].startswith(COMMENT) and len(record) != len(header)


def _same_length(record: list[str], header: list[str], name: str, row: int) -> None:
    if len(record) != len(header):
        raise RunsError(
            f"{name}, row {row} has {len(record)} values where the header has {len(header)} columns"
        )


READERS.register(".csv", Reader(separated_by(",")))
READERS.register(".tsv", Reader(separated_by("\t")))
