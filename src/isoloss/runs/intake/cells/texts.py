"""The text in a file, for readers of text, and the words that stand for no value."""

from __future__ import annotations

import codecs
from collections.abc import Sequence

from isoloss.files import printable
from isoloss.runs.problems import RunsError

EMPTY_TEXTS = frozenset({"", "NA", "N/A", "null", "None", "NaN", "nan", "<NA>"})
EMPTY_NUMBERS = frozenset({"", "na", "n/a", "null", "none", "-", "?", "<na>"})


#: Names of columns that a message lists.
MOST_NAMES = 40


def name_of(column: str) -> str:
    """The name of a column that can be shown; a space of any kind is one."""
    return printable(column.replace("\xa0", " "))


def listed(columns: Sequence[str]) -> str:
    """Names of columns as a message lists them, the first of many."""
    short = [name if len(name) <= 60 else f"{name[:57]}..." for name in columns[:MOST_NAMES]]
    more = len(columns) - len(short)
    return (", ".join(short) or "none") + (f" and {more} more" if more else "")


def text_of(data: bytes, name: str) -> str:
    """The content as text in UTF-8, or in UTF-16 where it begins with the mark of that; the mark is
    left out.

    Raises RunsError with the first byte that is no such text.
    """
    wide = data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        kind = "UTF-16" if wide else "UTF-8"
        raise RunsError(
            f"cannot read {name}: byte {error.start} is not {kind} text; save it as UTF-8"
        ) from None
