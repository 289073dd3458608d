"""Titled parts of a report: facts and a table, printed as text or as HTML.

Four words stand in a cell in place of an interval: "not held" where the runs do not tell it,
"unknown" where no law sees what is asked, "undefined" where no law has a loss, and "point law"
where a law has no replicates, so that no doubt of it exists.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

import numpy as np

from isoloss.files import printable

Absent = Literal["not held", "unknown", "undefined", "point law"]
NOT_HELD: Absent = "not held"
UNKNOWN: Absent = "unknown"
UNDEFINED: Absent = "undefined"
POINT_LAW: Absent = "point law"
#: What belongs in a column that is aligned on its right end: numbers with a unit sign at most,
#: what stands in place of one, and nothing.
_ALIGNED = re.compile(
    r"[-+]?\d[\d.,]*(e[-+]?\d+)?[%kMBT]?|-||" + "|".join((NOT_HELD, UNKNOWN, UNDEFINED, POINT_LAW))
)


@dataclass(frozen=True)
class Section:
    """A titled part of a report: lines of text, then a table of strings.

    Attributes
    ----------
    title
        The heading.
    lines
        Text above the table.
    head, rows
        Column heads, and rows of as many strings; columns of numbers are right-aligned.
    """

    title: str
    lines: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        """Write out what a terminal or a page would obey instead of showing it."""
        object.__setattr__(self, "title", printable(self.title))
        object.__setattr__(self, "lines", tuple(printable(line, "\n") for line in self.lines))
        object.__setattr__(self, "head", tuple(map(printable, self.head)))
        rows = tuple(tuple(map(printable, row)) for row in self.rows)
        object.__setattr__(self, "rows", rows)


def text(parts: Sequence[Section]) -> str:
    """Sections as plain text with aligned columns."""
    out: list[str] = []
    for part in parts:
        out += [part.title, *(f"  {line}" for line in part.lines)]
        if part.rows:
            widths = [
                max(len(row[i]) for row in (part.head, *part.rows)) for i in range(len(part.head))
            ]
            for row in (part.head, *part.rows):
                cells = [
                    c.rjust(w) if _numeric(part, i) else c.ljust(w)
                    for i, (c, w) in enumerate(zip(row, widths, strict=True))
                ]
                out.append("  " + "  ".join(cells).rstrip())
        out.append("")
    return "\n".join(out).rstrip()


def html(parts: Sequence[Section]) -> str:
    """Sections as HTML for a notebook."""
    out: list[str] = []
    for part in parts:
        out.append(f"<h4>{escape(part.title)}</h4>")
        out += [f"<div>{escape(line)}</div>" for line in part.lines]
        if part.rows:
            head = "".join(f"<th>{escape(h)}</th>" for h in part.head)
            body = "".join(
                "<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>"
                for row in part.rows
            )
            out.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
    return "".join(out)


def number(value: float | None, digits: int = 4) -> str:
    """A number for a reader: significant digits, a dash where there is none."""
    return "-" if value is None or not np.isfinite(value) else f"{value:.{digits}g}"


def signed(value: float, digits: int) -> str:
    """A number with its sign, to some decimals; what rounds to zero has none."""
    found = f"{value:+z.{digits}f}"
    return found[1:] if float(found) == 0 else found


def is_aligned(cell: str) -> bool:
    """Whether a cell belongs in a column of numbers."""
    return _ALIGNED.fullmatch(cell) is not None


def _numeric(part: Section, column: int) -> bool:
    return all(is_aligned(row[column]) for row in part.rows)
