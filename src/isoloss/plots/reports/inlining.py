"""A figure as a part of an HTML page: its SVG inlined, its numbers shown where one points, and the
table behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from isoloss.fits import Section
from isoloss.plots.figure import Figure
from isoloss.plots.ticks import written

#: Points of one line that have a value where one points, and rows of it in the table.
POINTED, ROWS = 24, 60
#: Points of a figure on which a value is shown.
MOST = 600
#: How near, in points of the figure, a pointer must come.
REACH = 4.5


@dataclass(frozen=True)
class Series:
    """The numbers of one line or cloud of a figure.

    Attributes
    ----------
    name
        Its label in the figure.
    heads
        What its two axes show.
    numbers
        As they are drawn, shape (n, 2).
    places
        Of each in the figure, in points from the upper left, shape (n, 2).
    inside
        Which of them are seen, shape (n,).
    """

    name: str
    heads: tuple[str, str]
    numbers: NDArray[np.float64]
    places: NDArray[np.float64]
    inside: NDArray[np.bool_]


def inline(svg: str, place: str | int, hover: str = "") -> str:
    """An SVG as part of an HTML page: without its head, its names its own, `hover` at its end."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    # Names of parts are shared by all SVGs of a page: two figures must not have the same.
    body = re.sub(r'\bid="', f'id="c{place}-', body)
    body = re.sub(r'(href="#|url\(#)', rf"\g<1>c{place}-", body)
    return body.replace("</svg>", f"{hover}</svg>") if hover else body


def hover_of(found: list[Series]) -> str:
    """Circles that are not seen, each with its numbers as a title, for what a figure shows."""
    each = max(2, min(POINTED, MOST // max(1, len(found))))
    marks = []
    for series in found:
        for i in _some(np.flatnonzero(series.inside), each):
            x, y = series.places[i]
            said = escape(_said(series, i))
            marks.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{REACH}"><title>{said}</title></circle>'
            )
    return f'<g fill="transparent" class="hover">{"".join(marks)}</g>' if marks else ""


def tables_of(found: list[Series]) -> list[Section]:
    """The numbers behind a figure, one table for each pair of axes."""
    heads = dict.fromkeys(series.heads for series in found)
    return [_table(head, [each for each in found if each.heads == head]) for head in heads]


def series_of(figure: Figure) -> list[Series]:
    """The lines and clouds of a figure, panel by panel."""
    canvas = figure.figure
    scale, height = 72 / canvas.dpi, canvas.get_figheight() * 72
    labels = _labels(canvas)
    found = []
    for axes in canvas.axes:
        for artist, numbers in _drawn(axes):
            numbers = numbers[np.isfinite(numbers).all(axis=1)]
            if len(numbers):
                pixels = axes.transData.transform(numbers)
                seen = np.array([axes.bbox.contains(*p) for p in pixels], dtype=bool)
                places = np.column_stack([pixels[:, 0] * scale, height - pixels[:, 1] * scale])
                name = _name(artist, labels)
                found.append(Series(name, _heads(axes), numbers, places, seen))
    return found


def _drawn(axes: Axes) -> Iterator[tuple[Artist, NDArray[np.float64]]]:
    """What is drawn in data coordinates in a panel, with its numbers."""
    if not axes.axison:
        return
    for line in axes.get_lines():
        if line.get_transform() == axes.transData:
            yield line, _numbers(line.get_xydata())
    for cloud in axes.collections:
        if isinstance(cloud, PathCollection):
            yield cloud, _numbers(cloud.get_offsets())


def _labels(canvas: Canvas) -> dict[tuple[str, ...], str]:
    """What the legends of a figure say of a look: colour, line and marker, or the colour alone."""
    found: dict[tuple[str, ...], str] = {}
    for legend in filter(None, (axes.get_legend() for axes in canvas.axes)):
        for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=True):
            if isinstance(handle, Line2D):
                look = _look(handle)
                for key in (look, look[:1]):
                    found[key] = text.get_text() if key not in found else found[key]
    return found


def _look(line: Line2D) -> tuple[str, ...]:
    return to_hex(line.get_color()), str(line.get_linestyle()), str(line.get_marker())


def _name(artist: Artist, labels: dict[tuple[str, ...], str]) -> str:
    """The label of an artist, its own or that of the legend for its look; empty without one."""
    own = str(artist.get_label() or "")
    if own and not own.startswith("_"):
        return own
    look = _look(artist) if isinstance(artist, Line2D) else ()
    return labels.get(look) or labels.get(look[:1], "")


def _numbers(given: Any) -> NDArray[np.float64]:
    return np.ma.filled(np.ma.asarray(given, dtype=float), np.nan).reshape(-1, 2)


def _heads(axes: Axes) -> tuple[str, str]:
    title = axes.get_title(loc="left") or axes.get_title()
    x, y = axes.get_xlabel() or "across", axes.get_ylabel() or title or "up"
    return " ".join(x.split()), " ".join(y.split())


def _said(series: Series, i: int) -> str:
    x, y = (written(float(v), 4) for v in series.numbers[i])
    of = f"{series.name}: " if series.name else ""
    return f"{of}{series.heads[0]} {x}, {series.heads[1]} {y}"


def _table(heads: tuple[str, str], found: list[Series]) -> Section:
    rows, left = [], 0
    for series in found:
        shown = _some(np.arange(len(series.numbers)), ROWS)
        left += len(series.numbers) - len(shown)
        rows += [(series.name, *(written(float(v), 5) for v in series.numbers[i])) for i in shown]
    note = (f"evenly chosen; {left} more points are drawn",) if left else ()
    return Section(f"{heads[1]} against {heads[0]}", note, ("", *heads), tuple(rows))


def _some(places: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """At most so many of some places, evenly chosen, both ends among them."""
    if len(places) <= most:
        return places
    return places[np.unique(np.linspace(0, len(places) - 1, most).astype(np.intp))]
