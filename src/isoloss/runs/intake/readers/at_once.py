"""The rows of a large CSV read at once, as the bytes they are: as a text the content would stand in
memory a second time.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

#: Bytes that are looked at at once.
PIECE = 1 << 20
QUOTE, END = ord('"'), ord("\n")


def simple(data: bytes) -> bytes | None:
    """The content with ends of lines of one kind; None where it has others or is no UTF-8 text."""
    data = data.removeprefix(codecs.BOM_UTF8)
    data = data.replace(b"\r\n", b"\n") if b"\r" in data else data
    return data if b"\r" not in data and b"\0" not in data and _is_text(data) else None


def rows_at_once(
    data: bytes, start: int, header: Sequence[str], separator: str, before: int = 1
) -> pl.DataFrame | None:
    """The cells of a simple content as texts.

    Parameters
    ----------
    data
        What `simple` returned.
    start
        Where the first row begins.
    header
        Names of the columns.
    separator
        One ASCII letter.
    before
        Lines before the first row.

    Returns
    -------
    DataFrame or None
        None where a line is empty or has more or fewer values than the header, or a quote stands
        elsewhere than around a cell of one line.
    """
    quoted = data.find(b'"', start) >= 0
    counted = (_quoted if quoted else _counted)(data, start, separator)
    if counted is None:
        return None
    lines, separators = counted
    rows = lines + (not data.endswith(b"\n"))
    # Where not all lines have as many values as the header, the sum differs or one has more.
    if len(header) < 2 or start >= len(data) or separators != rows * (len(header) - 1):
        return None
    try:
        frame = pl.read_csv(
            data,
            separator=separator,
            has_header=False,
            skip_rows=before,
            schema=dict.fromkeys(header, pl.String),
            quote_char='"' if quoted else None,
        )
    except pl.exceptions.PolarsError:
        return None
    return frame.fill_null("") if frame.height == rows else None


def _is_text(data: bytes) -> bool:
    """Whether the content is UTF-8."""
    if data.isascii():
        return True
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for at in range(0, len(data), PIECE):
            decoder.decode(data[at : at + PIECE], final=at + PIECE >= len(data))
    except UnicodeDecodeError:
        return False
    return True


def _counted(data: bytes, start: int, separator: str) -> tuple[int, int]:
    """How many ends of lines and separators there are from a place on."""
    letters = np.frombuffer(data, dtype=np.uint8)[start:]
    lines, separators = (
        sum(_count(letters[at : at + PIECE] == ord(sign)) for at in range(0, len(letters), PIECE))
        for sign in ("\n", separator)
    )
    return lines, separators


def _quoted(data: bytes, start: int, separator: str) -> tuple[int, int] | None:
    """The same outside of quotes, where these stand around cells; None where one does not."""
    letters = np.frombuffer(data, dtype=np.uint8)[start:]
    lines, separators, inside = 0, 0, False
    for at in range(0, len(letters), PIECE):
        piece = letters[at : at + PIECE]
        quotes = piece == QUOTE
        # True from a quote that opens up to the one that closes.
        within = np.bitwise_xor.accumulate(quotes.view(np.uint8)).view(np.bool_) ^ inside
        opens = quotes & within
        closes = quotes ^ opens
        ends, parts = piece == END, piece == ord(separator)
        edges = ends | parts
        first = at == 0 or _edge(letters[at - 1], separator)
        last = at + PIECE >= len(letters) or _edge(letters[at + PIECE], separator)
        # Before what opens and behind what closes is an end of a cell: greater is and not.
        if (opens[0] > first) or (closes[-1] > last) or np.any(ends & within):
            return None
        if np.any(opens[1:] > edges[:-1]) or np.any(closes[:-1] > edges[1:]):
            return None
        lines, separators = lines + _count(ends), separators + _count(parts > within)
        inside = bool(within[-1])
    return None if inside else (lines, separators)


def _edge(letter: int, separator: str) -> bool:
    return letter in (END, ord(separator))


def _count(mask: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(mask))
