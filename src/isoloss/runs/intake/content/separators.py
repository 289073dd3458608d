"""Where the table in a text begins and what separates its values: comments, a line 'sep=;', and the
separators that its header and rows fit.
"""

from __future__ import annotations

import csv
import itertools
import re
from dataclasses import dataclass

from isoloss.runs.problems import RunsError

COMMENT = "#"
#: Separators that are looked for, and rows that are looked at.
SEPARATORS, ROWS = (",", ";", "\t", "|"), 50
#: Names of a header that a message lists.
MOST_NAMES = 4


@dataclass(frozen=True)
class Top:
    """What stands before the table.

    Attributes
    ----------
    separator
        What separates values.
    start, lines
        Where the header begins: letters and lines before it.
    comments
        Lines of comments left out.
    before
        What stands in the line of the header before it, as numpy writes '# params,tokens'.
    """

    separator: str
    start: int = 0
    lines: int = 0
    comments: int = 0
    before: str = ""


def top_of(text: str, usual: str, name: str) -> Top:
    """What stands before the table in a text; RunsError where two separators fit it.

    usual: the separator that the ending of the file says.
    """
    said = re.match(r"sep=(.)\n", text, re.IGNORECASE)  # as Excel writes it
    if said is not None:
        return Top(said[1], said.end(), 1)
    if not text.startswith(COMMENT):
        return Top(_separator(text, usual, name))
    lines = list(itertools.takewhile(lambda line: line[:1] == COMMENT, _lines(text)))
    start = sum(len(line) for line in lines)
    top = Top(_separator(text[start:], usual, name), start, len(lines), len(lines))
    return _with_header_in_comment(text, top, lines[-1])


def _with_header_in_comment(text: str, top: Top, last: str) -> Top:
    """The top where the last comment is the header: as many cells as the row of numbers below it,
    or the name '#' for a column of row numbers.
    """
    below = text[top.start :].partition("\n")[0]
    cells, values = last.rstrip("\n").split(top.separator), below.split(top.separator)
    numbers = any(re.match(r"\s*[+-]?[\d.]", value) for value in values)
    if len(cells) < 2 or len(cells) != len(values) or not numbers:
        return top
    names = last.removeprefix(COMMENT).lstrip()
    before = "" if cells[0].strip() == COMMENT else last.removesuffix(names)
    start, lines = top.start - len(last), top.lines - 1
    return Top(top.separator, start, lines, lines, before)


def _lines(text: str) -> list[str]:
    return text[: 1 << 20].splitlines(keepends=True)


def _separator(text: str, usual: str, name: str) -> str:
    """The separator that the header and the first rows fit, the usual one where the header holds no
    other.
    """
    head = text.lstrip("\n").partition("\n")[0]
    bare = re.sub(r'"[^"]*"', "", head)
    present = [sign for sign in SEPARATORS if sign in bare]
    if present in ([], [usual]):
        return usual
    if len(present) == 1:
        return present[0]
    fits = {sign: names for sign in present if (names := _names(text, sign))}
    if len(fits) > 1:
        readings = " or ".join(
            f"{len(names)} columns separated by {sign!r} ({', '.join(names[:MOST_NAMES])})"
            for sign, names in fits.items()
        )
        raise RunsError(
            f"{name} may be read as {readings}: say which with a first line such as "
            f"sep={next(iter(fits))}"
        )
    return next(iter(fits), usual if usual in present else present[0])


def _names(text: str, sign: str) -> list[str]:
    """The header of a text separated so, where all rows that are looked at are as long; else
    none.
    """
    lines = [line for line in text[: 1 << 16].split("\n")[: ROWS + 1] if line.strip()]
    try:
        records = list(csv.reader(lines, delimiter=sign))
    except csv.Error:
        return []
    whole = all(len(record) == len(records[0]) for record in records)
    return [cell.strip() for cell in records[0]] if whole and len(records[0]) > 1 else []
