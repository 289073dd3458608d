"""What a notebook shows of a value: how its report opens, its picture, and the rest to unfold."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from html import escape
from typing import Any

from isoloss.fits import Section, html
from isoloss.laws import ErrorPenalty, GapOf, Law
from isoloss.plots.plotting import Illustrated, figures_of, plot
from isoloss.plots.reports.describing import has_report, sections_of

#: Rows of the first table, and lines above it, that are not folded.
ROWS, LINES = 12, 8
#: Characters of one field of a value without a report.
FIELD = 200


def in_notebook(value: Any) -> str:
    """HTML for a notebook; nothing of the report is left out.

    Parameters
    ----------
    value
        A result, a law, a table of runs, or another value of isoloss.

    Returns
    -------
    str
        How its report opens, its picture where there is one, and the rest to unfold.
    """
    sections = sections_of(value) if has_report(value) else (_fields(value),)
    first, *rest = sections
    whole = len(first.rows) <= ROWS and len(first.lines) <= LINES
    shown = first if whole else _start(first)
    folded = rest if whole else [first, *rest]
    return f"{html([shown])}{_picture(value)}{''.join(map(_folded, folded))}"


def _start(part: Section) -> Section:
    more = len(part.rows) - ROWS
    lines = (*part.lines[:LINES], *([f"the first {ROWS} of {len(part.rows)} rows"] * (more > 0)))
    return Section(part.title, lines, part.head, part.rows[:ROWS])


def _folded(part: Section) -> str:
    inner = html([dataclasses.replace(part, title="")]).replace("<h4></h4>", "")
    return f"<details><summary>{escape(part.title or 'more')}</summary>{inner}</details>"


def _picture(value: Any) -> str:
    """Its figure as SVG; nothing where it has none that can be drawn."""
    if _is_slow(value) or not (isinstance(value, Illustrated) or figures_of(value)):
        return ""
    try:
        svg = plot(value)._repr_svg_()
    except ValueError:  # a value without a figure is shown all the same
        return ""
    return f"<div>{svg[svg.index('<svg') :]}</div>"


def _is_slow(value: Any) -> bool:
    """Whether a figure takes longer than a prompt may: errors of integers up to 16 bits."""
    if not isinstance(value, Law):
        return False
    formula = value.formula.inner if isinstance(value.formula, GapOf) else value.formula
    return any(isinstance(each, ErrorPenalty) for each in getattr(formula, "penalties", ()))


def _fields(value: Any) -> Section:
    """A value without a report, field by field."""
    if not dataclasses.is_dataclass(value):
        return Section(type(value).__name__, tuple(_lines(str(value))))
    own = str(value)
    said = () if own == repr(value) else tuple(_lines(own))
    rows = tuple(
        (each.name, _cell(getattr(value, each.name)))
        for each in dataclasses.fields(value)
        if each.repr
    )
    return Section(type(value).__name__, said, ("", ""), rows)


def _lines(text: str) -> Sequence[str]:
    return text.split("\n")


def _cell(value: Any) -> str:
    text = repr(value) if not isinstance(value, float) else f"{value:.6g}"
    return text if len(text) <= FIELD else f"{text[: FIELD - 3]}..."
