"""The figure of payoffs: loss gaps against speed-ups, with the line on which a recipe neither gains
nor loses.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from isoloss.files import percent
from isoloss.plans import Payoff, Payoffs
from isoloss.plots.drawing import draws
from isoloss.plots.figure import Figure
from isoloss.plots.look import FAINT, INK, NARROW, SMALL, Sheet, settle
from isoloss.plots.ticks import fixed, linear_ticks, log_axis, plain_number
from isoloss.runs import compact, metric_of

#: Colour and marker of each verdict, told apart in grey too.
LOOKS = {"pays": ("#009E73", "o"), "undecided": ("#E69F00", "D"), "does not pay": ("#D55E00", "X")}
BAND = "#0072B2"


@draws(Payoffs, "payoffs", "loss gaps against speed-ups, and the line of no gain", first=True)
def payoffs_figure(found: Payoffs) -> Figure:
    """Recipes as points with the interval of their gap; below the band they pay at equal hours."""
    rows = [each for each in found.payoffs if each.currency == "hours"]
    terms, line = found.terms, found.indifference
    level = percent(terms.level)
    caption = (
        f"{compact(terms.params)} params, recipes on {compact(terms.tokens)} tokens. Line: the gap "
        f"at which a recipe neither gains nor loses beside {terms.reference} at equal hours, with "
        f"its {level} interval; bars: {level} intervals of gaps. A recipe below the line pays."
    )
    canvas, grid = Sheet("Gap against speed-up", caption, _legend(rows), NARROW, 2.9).open()
    axes = canvas.add_subplot(grid[0])
    axes.fill_between(line.ratio, line.low, line.high, color=BAND, alpha=0.18, linewidth=0)
    axes.plot(line.ratio, line.gap, color=BAND)
    axes.axhline(0.0, color=FAINT, linewidth=0.7)
    for k, each in enumerate(sorted(rows, key=lambda each: each.ratio)):
        colour, marker = LOOKS[each.verdict]
        low, high = each.gap_interval
        bars = [[max(0.0, each.gap - low)], [max(0.0, high - each.gap)]]
        axes.errorbar([each.ratio], [each.gap], bars, color=colour, marker=marker, linewidth=0.8)
        side, place = ("left", (4, 2)) if k % 2 else ("right", (-4, 2))
        note = axes.annotate(
            each.recipe, (each.ratio, each.gap), place, textcoords="offset points", ha=side
        )
        note.set(fontsize=SMALL, color=INK)
    ends = np.array([v for each in rows for v in each.gap_interval] + [0.0, *line.high])
    axes.set_ylim(float(ends.min()) - 0.005, 1.05 * float(ends.max()))
    log_axis(axes, "x", np.array([*line.ratio, *(each.ratio for each in rows)]), plain_number)
    fixed(axes.yaxis, linear_ticks(*axes.get_ylim(), 6))
    axes.set(xlabel="speed-up", ylabel=f"gap ({metric_of(terms.metric).unit})")
    return Figure(settle(canvas), "payoffs", caption)


def _legend(rows: Sequence[Payoff]) -> list[tuple[Artist, str]]:
    shown = [each for each in LOOKS if any(row.verdict == each for row in rows)]
    points: list[tuple[Artist, str]] = [
        (Line2D([], [], color=LOOKS[name][0], marker=LOOKS[name][1], linestyle=""), name)
        for name in shown
    ]
    return [*points, (Patch(color=BAND, alpha=0.3), "no gain, no loss")]
