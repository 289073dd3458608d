"""Panels of a number that depends on the precision: lines against bits, or a row for each level of
a table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from isoloss.formats import Precision
from isoloss.laws import Array, DomainError, Law
from isoloss.plots.figure import Figure
from isoloss.plots.look import INK, NARROW, SMALL, WIDE, Sheet, settle
from isoloss.plots.problems import PlotError
from isoloss.plots.styles import shared_method, shorten, styles
from isoloss.plots.ticks import fixed, linear_ticks, log_axis, plain_number, written

BITS = tuple(range(1, 17))
#: Floats that stand in for bits where a law looks at exponent and mantissa.
FLOATS = ("e5m2", "e4m3", "e3m2", "e2m3", "e2m1")
#: What each part looks like: colour, marker, line.
PARTS: dict[str, tuple[str, str, Any]] = {
    "w": ("#0072B2", "s", "-"),
    "a": ("#D55E00", "^", "--"),
    "kv": ("#009E73", "v", "-."),
    "q": ("#CC79A7", "P", ":"),
    "g": ("#E69F00", "X", (0, (5, 1, 1, 1))),
    "product": (INK, "o", "-"),
    "-> w": ("#56B4E9", "D", "--"),
}
#: Gaps below this are no difference that a run could show.
SMALLEST = 1e-5


@dataclass(frozen=True)
class Panel:
    """A number of a level: its name, how it is had, the levels of the law's tables, and its value
    without rounding.
    """

    label: str
    measure: Callable[[str], float]
    levels: tuple[str, ...]
    neutral: float

    def at(self, spelling: str) -> float:
        """The number at a precision, NaN where the law is not defined."""
        try:
            return self.measure(spelling)
        except DomainError:
            return float("nan")

    def acts(self, values: Array) -> bool:
        """Whether some of the values differ from the one without rounding."""
        known = values[~np.isnan(values)]
        return bool((np.abs(known - self.neutral) > 1e-12).any())


@dataclass(frozen=True)
class Series:
    """A number against bits for one way of rounding, NaN where the law is not defined."""

    name: str
    label: str
    values: Array

    @property
    def undefined(self) -> list[int]:
        """The bits at which the law is not defined."""
        return [b for b, v in zip(BITS, self.values, strict=True) if np.isnan(v)]


def draw_panels(law: Law, kind: str, title: str, panels: Sequence[Panel]) -> Figure:
    """The panels as one figure: lines against bits, or rows of levels where the law has tables or
    looks at floats.
    """
    rows = [_rows(p) for p in panels]
    lines = [_series(p) if not row else [] for p, row in zip(panels, rows, strict=True)]
    if any(len(s.undefined) < len(BITS) - 1 for found in lines for s in found):
        return _against_bits(law, kind, title, panels, lines)
    rows = [row or _floats(p) for p, row in zip(panels, rows, strict=True)]
    if not any(rows):
        raise PlotError(_nothing(law))
    return _levels(law, kind, title, panels, rows)


def cited(law: Law) -> str:
    """The law's title and source as a sentence."""
    return f"{law.title or law.name} ({law.source})." if law.source else f"{law.title or law.name}."


def _nothing(law: Law) -> str:
    missing = ", ".join(k.name for k in law.constants if k.value is None)
    if missing:
        return (
            f"law {law.name!r} has no value for {missing}, so what rounding costs in it cannot be "
            "drawn; fit it or give values with at()"
        )
    return f"law {law.name!r} says nothing of precision; kind 'loss' draws it"


def _series(panel: Panel) -> list[Series]:
    """One series for each part that acts, then all of them together, then weights rounded after
    training.
    """

    def read(name: str, label: str, spelling: str) -> Series:
        return Series(name, label, np.array([panel.at(spelling.format(b=b)) for b in BITS]))

    known = [
        s
        for s in (read(part, part, part + "{b}") for part in ("w", "a", "kv", "q", "g"))
        if panel.acts(s.values)
    ]
    if len(known) > 1:
        names = [s.name for s in known]
        known.append(
            read("product", f"{' '.join(names)} together", " ".join(f"{n}{{b}}" for n in names))
        )
    served = read("-> w", "w after training", "fp -> w{b}")
    return known + ([served] if panel.acts(served.values) else [])


def _rows(panel: Panel) -> dict[str, float]:
    """The number at every level of the law's tables; in groups of 128 where it is not defined
    without groups.
    """
    found = {}
    for name in panel.levels:
        for spelling in (name, _grouped(name)):
            value = panel.at(spelling)
            if not np.isnan(value):
                found[spelling] = value
                break
    return found


def _grouped(name: str) -> str:
    """The level with 128 elements a scale in each of its formats that has no granularity."""
    try:
        known = Precision.parse(name)
    except ValueError:
        return name
    formats = {
        scope: f if f.granularity or f.block else f.modified(f.modifiers._replace(granularity=128))
        for scope, f in known.train.items()
    }
    return str(Precision(formats, dict(known.serve)))


def _floats(panel: Panel) -> dict[str, float]:
    """The number at floats of each part that acts."""
    found: dict[str, float] = {}
    for part in ("w", "a", "kv", "q", "g"):
        own = {f"{part}:{name}": panel.at(f"{part}:{name}") for name in FLOATS}
        if panel.acts(np.array(list(own.values()))):
            found |= {name: value for name, value in own.items() if not np.isnan(value)}
    return found


def _against_bits(
    law: Law, kind: str, title: str, panels: Sequence[Panel], lines: Sequence[Sequence[Series]]
) -> Figure:
    names = {s.name: s.label for series in lines for s in series}
    legend: list[tuple[Artist, str]] = [(_handle(name), label) for name, label in names.items()]
    text = cited(law)
    gone = [
        f"{s.label} at {ranges(s.undefined)} bits"
        for series in lines
        for s in series
        if s.undefined
    ]
    if gone:
        legend.append((Line2D([], [], color="#777777", marker="x", linestyle=""), "not defined"))
        text += f" Not defined: {'; '.join(dict.fromkeys(gone))}."
    drawn = [(p, series) for p, series in zip(panels, lines, strict=True) if series]
    canvas, grid = Sheet(title, text, legend, NARROW if len(drawn) == 1 else WIDE, 2.8).open(
        1, len(drawn)
    )
    for k, (panel, series) in enumerate(drawn):
        axes = canvas.add_subplot(grid[k])
        _lines(axes, panel, series)
        axes.set(xlabel="bits", ylabel=panel.label)
    return Figure(settle(canvas), kind, text)


def _handle(name: str) -> Line2D:
    colour, marker, line = PARTS[name]
    return Line2D([], [], color=colour, marker=marker, linestyle=line)


def _lines(axes: Axes, panel: Panel, series: Sequence[Series]) -> None:
    """Lines against bits; a cross at the foot for every number of bits at which the law is not
    defined.
    """
    gap = panel.neutral == 0.0
    for k, s in enumerate(series):
        colour, marker, line = PARTS[s.name]
        shown = np.where(s.values > 0, s.values, np.nan) if gap else s.values
        axes.plot(BITS, shown, color=colour, marker=marker, linestyle=line, markersize=3.4)
        height = [0.02 + 0.032 * k] * len(s.undefined)
        axes.plot(
            s.undefined,
            height,
            "x",
            color=colour,
            markersize=3.6,
            transform=axes.get_xaxis_transform(),
        )
    fixed(axes.xaxis, [1, 2, 3, 4, 6, 8, 10, 12, 14, 16])
    axes.set_xlim(0.6, 16.4)
    if gap:
        values = np.concatenate([s.values[s.values > 0] for s in series])
        log_axis(axes, "y", np.maximum(values, SMALLEST), plain_number, pad=0.1)
    else:
        top = max(
            1.04,
            1.04 * max(float(np.nanmax(s.values)) for s in series if len(s.undefined) < len(BITS)),
        )
        axes.set_ylim(-0.03 - 0.035 * len(series), top)
        fixed(axes.yaxis, linear_ticks(0.0, top, 6))


def ranges(numbers: Sequence[int]) -> str:
    """Whole numbers in ascending order as ranges: 1-3, 16."""
    out: list[list[int]] = []
    for n in numbers:
        if out and n == out[-1][-1] + 1:
            out[-1].append(n)
        else:
            out.append([n])
    return ", ".join(f"{r[0]}-{r[-1]}" if len(r) > 1 else str(r[0]) for r in out)


def _levels(
    law: Law, kind: str, title: str, panels: Sequence[Panel], rows: Sequence[dict[str, float]]
) -> Figure:
    """Panels with one row a level."""
    drawn = [(p, row) for p, row in zip(panels, rows, strict=True) if row]
    every = [name for _, row in drawn for name in row]
    text = cited(law)
    if method := shared_method(every):
        text += f" All rounding is {method}."
    gone = [
        f"{name}"
        for p, row in drawn
        for name in p.levels
        if name not in row and _grouped(name) not in row
    ]
    if gone:
        text += f" Not defined: {', '.join(gone)}."
    height = 0.16 * max(len(row) for _, row in drawn) + 0.6
    canvas, grid = Sheet(title, text, (), NARROW if len(drawn) == 1 else WIDE, height).open(
        1, len(drawn)
    )
    for k, (panel, row) in enumerate(drawn):
        axes = canvas.add_subplot(grid[k])
        _dots(axes, row, every)
        axes.set_xlabel(panel.label)
    return Figure(settle(canvas), kind, text)


def _dots(axes: Axes, row: dict[str, float], every: Sequence[str]) -> None:
    style = styles(list(row))
    for y, (name, s) in enumerate(style.items()):
        place = (row[name], y)
        axes.plot(*place, s.marker, color=s.colour)
        text = written(row[name], 3)
        axes.annotate(
            text, place, (5, -0.5), textcoords="offset points", va="center", fontsize=SMALL - 0.5
        )
    axes.set_yticks(range(len(style)), [shorten(name, every) for name in style])
    axes.set_ylim(len(style) - 0.4, -0.6)
    low, high = min(0.0, *row.values()), max(0.0, *row.values())
    span = max(high - low, 1e-12)
    axes.set_xlim(low - 0.04 * span, high + 0.22 * span)
    fixed(axes.xaxis, linear_ticks(low, high, 6))
