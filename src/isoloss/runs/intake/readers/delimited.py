"""CSV and TSV: a header, then rows; everything is text until it is checked."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable

import polars as pl

from isoloss.runs.intake.check import Origin
from isoloss.runs.intake.reader import READERS, Opened, Reader
from isoloss.runs.intake.texts import text_of
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
                    header = [cell.strip() for cell in record]
                elif record:
                    _same_length(record, header, name, start)
                    records.append(record)
                    rows.append(start)
                start = reader.line_num + 1
        except csv.Error as error:
            raise RunsError(f"cannot read {name}, row {start}: {error}") from None
        _no_repeats(header, name)
        columns = {cell: [record[i] for record in records] for i, cell in enumerate(header)}
        return Opened(
            pl.DataFrame(columns, schema=dict.fromkeys(header, pl.String)), Origin(name, rows)
        )

    return opener


def _same_length(record: list[str], header: list[str], name: str, row: int) -> None:
    if len(record) != len(header):
        raise RunsError(
            f"{name}, row {row} has {len(record)} values where the header has {len(header)} columns"
        )


def _no_repeats(header: Iterable[str], name: str) -> None:
    repeated = [cell for cell, count in Counter(header).items() if count > 1]
    if repeated:
        raise RunsError(
            f"{name} has the column '{repeated[0]}' more than once; give each column its own name"
        )


READERS.register(".csv", Reader(separated_by(",")))
READERS.register(".tsv", Reader(separated_by("\t")))
