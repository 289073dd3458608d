"""The rows of a large CSV read at once, as the bytes they are: as a text the content would stand in
memory a second time.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence

import numpy as np
import polars as pl

#: Bytes that are looked at at once.
PIECE = 1 << 20


def simple(data: bytes) -> bytes | None:
    """The content with ends of lines of one kind; None where it has quotes or is no UTF-8 text."""
    data = data.removeprefix(codecs.BOM_UTF8)
    data = data.replace(b"\r\n", b"\n") if b"\r" in data else data
    if any(sign in data for sign in (b'"', b"\r", b"\0")) or not _is_text(data):
        return None
    return data


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
        None where a line is empty or has more or fewer values than the header.
    """
    lines, separators = _counted(data, start, separator)
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
            quote_char=None,
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
    pieces = [letters[at : at + PIECE] for at in range(0, len(letters), PIECE)]
    lines, separators = (
        sum(int(np.count_nonzero(piece == ord(sign))) for piece in pieces)
        for sign in ("\n", separator)
    )
    return lines, separators
