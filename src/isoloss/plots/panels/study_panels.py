"""The figure of a study of regression: its column y against its column x, a panel and a line for
each case.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.lines import Line2D

from isoloss.linear import Study
from isoloss.plots.drawing import draws
from isoloss.plots.figure import Figure
from isoloss.plots.look import INK, NARROW, WIDE, Sheet, settle
from isoloss.plots.styles import LINES, MARKERS
from isoloss.plots.ticks import log_axis, plain_number

#: Colours that differ in lightness too, so that they can be told apart in grey.
COLOURS = (INK, "#D55E00", "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#7a7a7a")
ACROSS = 3
#: So many sentences of an answer or fewer stand below the figure.
FEW = 4


@draws(Study, "study", "the answer of a study of regression", first=True)
def study_figure(study: Study) -> Figure:
    """Every line of the study on logarithmic axes; what is zero or negative has no place on them
    and is left out.
    """
    lines = list(study.lines())
    panels = list(dict.fromkeys(panel for panel, *_ in lines))
    series = list(dict.fromkeys(name for _, name, *_ in lines))
    columns = min(len(panels), ACROSS if len(panels) != 4 else 2)
    rows = -(-len(panels) // columns)
    said = study.answer if len(study.answer) <= FEW else ()
    caption = " ".join([study.question, *(f"{line[0].upper()}{line[1:]}." for line in said)])
    legend = [(Line2D([], [], **_look(k)), name) for k, name in enumerate(series)]
    width = NARROW if columns == 1 else WIDE
    canvas, grid = Sheet(study.name, caption, legend, width, 2.5 * rows).open(rows, columns)
    shown = [(x[y > 0], y[y > 0]) for *_, x, y in lines]
    every_x, every_y = (np.concatenate([pair[k] for pair in shown]) for k in (0, 1))
    for at, panel in enumerate(panels):
        axes = canvas.add_subplot(grid[at // columns, at % columns])
        for (place, name, *_), (x, y) in zip(lines, shown, strict=True):
            if place == panel:
                axes.plot(x, y, markevery=max(1, len(x) // 12), **_look(series.index(name)))
        log_axis(axes, "x", every_x)
        log_axis(axes, "y", every_y, plain_number)
        axes.set_title(panel)
        axes.set(xlabel=study.labels[0], ylabel=study.labels[1] if at % columns == 0 else "")
    return Figure(settle(canvas), "study", caption)


def _look(k: int) -> dict[str, Any]:
    """Colour, line and marker of the k-th series."""
    return {
        "color": COLOURS[k % len(COLOURS)],
        "linestyle": LINES[k % len(LINES)],
        "marker": MARKERS[k % len(MARKERS)],
        "markersize": 3.2,
    }
