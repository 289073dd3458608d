"""CSV and TSV: a header, then rows; everything is text until it is checked."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import polars as pl

from isoloss.runs.intake.content import check_one_row_a_run
from isoloss.runs.intake.frames import check_names, plain
from isoloss.runs.intake.origin import Origin
from isoloss.runs.intake.reader import READERS, Opened, Reader
from isoloss.runs.intake.texts import printable, text_of
from isoloss.runs.problems import RunsError


def separated_by(separator: str) -> Callable[[bytes, str], Opened]:
    """A function that opens rows of values with a separator between them, each with its row of the
    file.
    """

    def opener(data: bytes, name: str) -> Opened:
        reader = csv.reader(
            io.StringIO(text_of(data, name), newline=""), delimiter=separator, strict=True
        )
        header: list[str] = []
        records: list[list[str]] = []
        rows: list[int] = []
        start = 1
        try:
            for record in reader:
                if record and not header:
                    header = [printable(cell.strip()) for cell in record]
                    _check_separator(header, separator, name)
                elif record:
                    _same_length(record, header, name, start)
                    records.append(record)
                    rows.append(start)
                start = reader.line_num + 1
        except csv.Error as error:
            raise RunsError(f"cannot read {name}, row {start}: {error}") from None
        check_names(header, name)
        columns = {cell: [record[i] for record in records] for i, cell in enumerate(header)}
        frame = pl.DataFrame(columns, schema=dict.fromkeys(header, pl.String))
        check_one_row_a_run(frame.columns, name)
        return Opened(plain(frame), Origin(name, rows))

    return opener


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
