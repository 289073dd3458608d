"""The figure of a study of regression: its column y against its column x, a panel and a line for
each case, with what theory expects, and ratios where curves lie within a few percent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.gridspec import SubplotSpec
from matplotlib.lines import Line2D

from isoloss.laws import Array
from isoloss.linear import Study
from isoloss.plots.drawing import draws
from isoloss.plots.figure import Figure
from isoloss.plots.look import INK, NARROW, WIDE, Sheet, settle
from isoloss.plots.panels.study_theory import THIN, draw_theory
from isoloss.plots.problems import PlotError
from isoloss.plots.styles import LINES, MARKERS
from isoloss.plots.ticks import fixed, linear_ticks, log_axis, plain_number

#: Colours that differ in lightness too, so that they can be told apart in grey.
COLOURS = (INK, "#D55E00", "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#7a7a7a")
ACROSS = 3
#: An answer of so many letters or fewer stands below the figure.
SHORT = 240
#: Curves whose ratio is this close to 1 at most points are compared by it.
CLOSE = 0.05
#: Error bars are so many standard errors long on each side.
BARS = 2.0
#: All ratios are in sight if they lie between these.
SMALL_RANGE = 1 / 1.5, 1.5
#: Panels share an axis unless one of them would fill less than this share of it.
FILLED = 0.3


@dataclass(frozen=True)
class Lines:
    """The lines of a study that can stand on logarithmic axes, and how they are laid out."""

    study: Study

    @cached_property
    def all(self) -> list[tuple[str, str, Array, Array]]:
        """Panel, series, x and y of each; a zero or negative one has no place and is left out."""
        found = [
            (*names, x[(x > 0) & (y > 0)], y[(x > 0) & (y > 0)])
            for *names, x, y in self.study.lines()
        ]
        if not any(len(x) for *_, x, _ in found):
            raise PlotError(
                f"the study '{self.study.name}' has no {self.study.labels[1]} above 0 to draw"
            )
        return found  # type: ignore[return-value]

    def of(self, panel: str) -> list[tuple[str, Array, Array]]:
        """Series, x and y of the lines of a panel."""
        return [(name, x, y) for place, name, x, y in self.all if place == panel and len(x)]

    @cached_property
    def panels(self) -> list[str]:
        """Names of the panels that have a point, in order of appearance."""
        return list(dict.fromkeys(panel for panel, _, x, _ in self.all if len(x)))

    @cached_property
    def series(self) -> list[str]:
        """Names of the lines, in order of appearance."""
        return list(dict.fromkeys(name for _, name, *_ in self.all))

    def values(self, panel: str = "") -> tuple[Array, Array]:
        """x and y of all points, of one panel or of all."""
        kept = [each for each in self.all if not panel or each[0] == panel]
        ends = [
            end for place, name, x, y in kept for end in _ends(y, self.bars(place, name, len(x)))
        ]
        return np.concatenate([x for *_, x, _ in kept]), np.concatenate(ends)

    def bars(self, panel: str, series: str, count: int, y: str = "") -> Array:
        """Half lengths of the bars of a line, (count,), 0 where nothing is sampled."""
        errors = self.study.errors(panel, series, y)
        if errors is None or not count:
            return np.zeros(count)
        x, values = self.study.at(panel, series, y)
        return np.asarray(BARS * errors[(x > 0) & (values > 0)])

    @cached_property
    def shares_axis(self) -> bool:
        """Whether every panel fills enough of an axis that holds them all."""
        spans = [float(np.ptp(np.log(self.values(panel)[1]))) for panel in self.panels]
        return min(spans) >= FILLED * float(np.ptp(np.log(self.values()[1])))

    def ratios(self, panel: str) -> list[tuple[str, Array, Array]]:
        """Series, x and ratio of the lines of a panel, that of the reference left out."""
        if not self.study.against:
            return []
        return [
            (name, x, ratio)
            for place, name, x, ratio in self.study.lines("ratio")
            if place == panel and name != self.study.against and len(x) and (ratio > 0).all()
        ]

    def close(self, panel: str) -> list[tuple[str, Array, Array]]:
        """Those whose ratio is within a few percent of 1 at most points."""
        return [each for each in self.ratios(panel) if np.median(np.abs(each[2] - 1)) < CLOSE]


@draws(Study, "study", "the answer of a study of regression", first=True)
def study_figure(study: Study) -> Figure:
    """Every line of the study on logarithmic axes, the title in words, theory in thin lines."""
    lines = Lines(study)
    columns = min(len(lines.panels), ACROSS if len(lines.panels) != 4 else 2)
    rows = [lines.panels[k : k + columns] for k in range(0, len(lines.panels), columns)]
    compared = [any(lines.close(panel) for panel in row) for row in rows]
    heights = [each for ratio in compared for each in ((2.3, 0.9) if ratio else (2.5,))]
    caption = _caption(study, any(compared))
    width = NARROW if columns == 1 else WIDE
    sheet = Sheet(study.title, caption, _legend(lines), width, sum(heights))
    canvas, grid = sheet.open(len(heights), columns)
    grid.set_height_ratios(heights)
    down = 0
    for row, ratio in zip(rows, compared, strict=True):
        for c, panel in enumerate(row):
            places = [grid[down + k, c] for k in range(1 + ratio)]
            axes = _panel(canvas, places, lines, panel)
            axes[0].set_ylabel(study.labels[1] if c == 0 else "")
            axes[-1].set_xlabel(study.labels[0])
            if ratio and c == 0:
                axes[1].set_ylabel("ratio")
        down += 1 + ratio
    return Figure(settle(canvas), "study", caption)


def _caption(study: Study, compared: bool) -> str:
    said = study.answer if sum(map(len, study.answer)) <= SHORT else ()
    parts = [study.setting, *(f"{line[:1].upper()}{line[1:].rstrip('.')}." for line in said)]
    if compared:
        parts.append(f"Lower panels: ratio to {study.against}.")
    if any(study.errors(panel, name) is not None for panel, name, *_ in study.lines()):
        parts.append(f"Bars: {BARS:g} standard errors; series stand a little apart.")
    return " ".join(part for part in parts if part)


def _legend(lines: Lines) -> list[tuple[Line2D, str]]:
    found = [(Line2D([], [], **_look(k)), name) for k, name in enumerate(lines.series)]
    formulas = any("$" in each.label for each in lines.study.theory)
    return [*found, (Line2D([], [], **THIN), "theory")] if formulas else found


def _panel(
    canvas: Canvas, places: Sequence[SubplotSpec], lines: Lines, panel: str
) -> tuple[Axes, ...]:
    """A panel, with its ratios below where there is a second place; the axes from above."""
    axes = canvas.add_subplot(places[0])
    study = lines.study
    for name, x, y in lines.of(panel):
        _curve(axes, lines, name, x, y, lines.bars(panel, name, len(x)))
    log_axis(axes, "x", lines.values()[0])
    log_axis(axes, "y", lines.values("" if lines.shares_axis else panel)[1], plain_number)
    axes.set_title(panel)
    draw_theory(axes, [each for each in study.theory if each.panel in ("", panel)])
    if len(places) == 1:
        return (axes,)
    below = canvas.add_subplot(places[1], sharex=axes)
    axes.tick_params(axis="x", labelbottom=False)
    _ratios(below, lines, panel)
    return axes, below


def _curve(axes: Axes, lines: Lines, name: str, x: Array, y: Array, bars: Array) -> None:
    """A line with its markers, and bars where it is sampled."""
    k, count = lines.series.index(name), len(lines.series)
    if bars.any():
        # Bars at the same x would hide one another: series stand a little apart.
        span = float(np.ptp(np.log(lines.values()[0]))) or 1.0
        x = x * np.exp(0.008 * span * (k - (count - 1) / 2))
        colour = _look(k)["color"]
        axes.errorbar(x, y, yerr=bars, fmt="none", ecolor=colour, elinewidth=0.8, capsize=1.6)
    axes.plot(x, y, markevery=max(1, len(x) // 12), **_look(k))


def _ratios(axes: Axes, lines: Lines, panel: str) -> None:
    """What each line of a panel is in units of the reference, on the range of those close to it."""
    shown = lines.ratios(panel)
    for name, x, ratio in shown:
        _curve(axes, lines, name, x, ratio, lines.bars(panel, name, len(x), "ratio"))
    axes.axhline(1.0, color=INK, linewidth=0.6)
    values = _seen(lines, panel, shown)
    if not SMALL_RANGE[0] < values.min() < values.max() < SMALL_RANGE[1]:
        below = [ratio[(ratio < 1) & (ratio > SMALL_RANGE[0])] for *_, ratio in shown]
        values = np.concatenate([_seen(lines, panel, lines.close(panel) or shown), *below])
    low, high = float(values.min()), float(values.max())
    if low < 0.5 or high > 2:
        log_axis(axes, "y", values, plain_number, most=4)
        return
    room = 0.12 * max(high - low, 0.01)
    axes.set_ylim(low - room, high + room)
    fixed(axes.yaxis, linear_ticks(low - room, high + room, 4))


def _ends(y: Array, bars: Array) -> tuple[Array, Array]:
    """Both ends of bars, which a logarithmic axis can show."""
    return np.maximum(y - bars, 0.5 * y), y + bars


def _seen(lines: Lines, panel: str, shown: Sequence[tuple[str, Array, Array]]) -> Array:
    """The ends of the bars of some ratios, and 1."""
    ends = (_ends(ratio, lines.bars(panel, name, len(x), "ratio")) for name, x, ratio in shown)
    return np.concatenate([np.array([1.0]), *(end for pair in ends for end in pair)])


def _look(k: int) -> dict[str, Any]:
    """Colour, line and marker of the k-th series."""
    return {
        "color": COLOURS[k % len(COLOURS)],
        "linestyle": LINES[k % len(LINES)],
        "marker": MARKERS[k % len(MARKERS)],
        "markersize": 3.2,
    }
