"""The figure of the arena: the error of every law and baseline in each contest."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from isoloss.fits import Target
from isoloss.plots.drawing import draws
from isoloss.plots.figure import Figure
from isoloss.plots.look import INK, SMALL, WIDE, Sheet, settle
from isoloss.plots.ticks import fixed, log_axis, plain_number
from isoloss.scores import Arena, Entrant

#: Colour and marker of each kind of entrant.
LOOKS = {"law": ("#0072B2", "o"), "average": ("#D55E00", "D"), "baseline": ("#9a9a9a", "s")}
#: Names of the best that are written into a row, and the most contests of a column.
NAMED, MOST = 1, 40


@draws(Arena, "arena", "errors of laws and baselines in every contest", first=True)
def arena_figure(found: Arena) -> Figure:
    """A column for losses and one for gaps, a row for each contest; errors in percent, with one
    standard error.
    """
    contests: dict[Target, list[tuple[str, str]]] = {}
    for each in found.entrants:
        place = each.protocol, each.table
        if place not in contests.setdefault(each.target, []):
            contests[each.target].append(place)
    legend = [
        (Line2D([], [], color=colour, marker=marker, linestyle=""), kind)
        for kind, (colour, marker) in LOOKS.items()
    ]
    caption = (
        "Root mean square errors of the logarithm of losses and gaps that were held out, with one "
        f"jackknife error over cells; the best of each is named. Made {found.made} by isoloss "
        f"{found.version}."
        + "".join(
            f" Of {len(places)} contests by {target} the first {MOST} are drawn."
            for target, places in contests.items()
            if len(places) > MOST
        )
    )
    height = 0.5 + 0.26 * min(MOST, max(map(len, contests.values())))
    width = WIDE * len(contests)
    canvas, grid = Sheet("Laws on held-out runs", caption, legend, width, height).open(
        columns=len(contests)
    )
    for column, (target, places) in enumerate(contests.items()):
        _column(canvas.add_subplot(grid[column]), found, target, places[:MOST])
    return Figure(settle(canvas), "arena", caption)


def _column(axes: Axes, found: Arena, target: Target, places: list[tuple[str, str]]) -> None:
    errors: list[float] = []
    for row, (protocol, table) in enumerate(places):
        told = [e for e in found.contest(table, protocol, target) if not e.why and e.error > 0]
        errors += [100 * e.error for e in told]
        for each in told:
            colour, marker = LOOKS[each.kind]
            wide = 0.0 if math.isnan(each.error_se) else min(each.error_se, 0.9 * each.error)
            axes.errorbar([100 * each.error], [row], xerr=[100 * wide], color=colour,
                          marker=marker, markersize=3.0, elinewidth=0.5, alpha=0.8)  # fmt: skip
        _name(axes, row, told)
    log_axis(axes, "x", np.array(errors), plain_number, pad=0.12)
    fixed(axes.yaxis, range(len(places)), lambda k: "{}, {}".format(*places[round(k)]))
    axes.set(xlabel=f"error of log {target} (%)", ylim=(len(places) - 0.4, -0.8))


def _name(axes: Axes, row: int, told: list[Entrant]) -> None:
    for each in told[:NAMED]:
        note = axes.annotate(
            each.name, (100 * each.error, row), (0, 3), textcoords="offset points", ha="center"
        )
        note.set(fontsize=SMALL - 1, color=INK)
