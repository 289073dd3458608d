"""The figure of the arena: the error of every law and baseline in each contest."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from isoloss.plots.drawing import draws
from isoloss.plots.figure import Figure
from isoloss.plots.look import INK, SMALL, WIDE, Sheet, settle
from isoloss.plots.ticks import fixed, log_axis, plain_number
from isoloss.scores import Arena, Entrant

#: Colour and marker of each kind of entrant.
LOOKS = {"law": ("#0072B2", "o"), "average": ("#D55E00", "D"), "baseline": ("#9a9a9a", "s")}
#: Names of the best that are written into a row, and the most contests of a figure.
NAMED, MOST = 1, 20


@draws(Arena, "arena", "errors of laws and baselines in every contest", first=True)
def arena_figure(found: Arena) -> Figure:
    """A row for each contest; errors of log loss in percent, with one standard error."""
    contests = list(dict.fromkeys((e.protocol, e.table) for e in found.entrants))[:MOST]
    legend = [
        (Line2D([], [], color=colour, marker=marker, linestyle=""), kind)
        for kind, (colour, marker) in LOOKS.items()
    ]
    caption = (
        "Root mean square errors of the log loss of held-out runs, with one jackknife error "
        f"over cells; the best of each is named. Made {found.made} by isoloss {found.version}."
    )
    height = 0.5 + 0.26 * len(contests)
    canvas, grid = Sheet("Laws on held-out runs", caption, legend, WIDE, height).open()
    axes = canvas.add_subplot(grid[0])
    errors: list[float] = []
    for row, (protocol, table) in enumerate(contests):
        told = [e for e in found.contest(table, protocol) if not e.why and e.error > 0]
        errors += [100 * e.error for e in told]
        for each in told:
            colour, marker = LOOKS[each.kind]
            wide = 0.0 if math.isnan(each.error_se) else min(each.error_se, 0.9 * each.error)
            axes.errorbar([100 * each.error], [row], xerr=[100 * wide], color=colour,
                          marker=marker, markersize=3.0, elinewidth=0.5, alpha=0.8)  # fmt: skip
        _name(axes, row, told)
    log_axis(axes, "x", np.array(errors), plain_number, pad=0.12)
    fixed(axes.yaxis, range(len(contests)), lambda k: "{}, {}".format(*contests[round(k)]))
    axes.set(xlabel="error of log loss (%)", ylim=(len(contests) - 0.4, -0.8))
    return Figure(settle(canvas), "arena", caption)


def _name(axes: Axes, row: int, told: list[Entrant]) -> None:
    for each in told[:NAMED]:
        note = axes.annotate(
            each.name, (100 * each.error, row), (0, 3), textcoords="offset points", ha="center"
        )
        note.set(fontsize=SMALL - 1, color=INK)
