"""The text in a file, for readers of text, and the words that stand for no value."""

from __future__ import annotations

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
    """The content as UTF-8 text, a byte-order mark left out; RunsError with the first byte that is
    none.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RunsError(f"cannot read {name}: byte {error.start} is not UTF-8 text") from None
