"""The figure of scored forecasts: what was seen less what was predicted, with intervals, beside the
forecast distribution of the probabilities of what was seen.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from isoloss.files import percent
from isoloss.plots.drawing import draws
from isoloss.plots.figure import Figure
from isoloss.plots.look import FAINT, INK, WIDE, Sheet, settle
from isoloss.plots.ticks import fixed, linear_ticks
from isoloss.runs import metric_of
from isoloss.scores import Score, ScoredPoint

HIT, MISS = "#0072B2", "#D55E00"


@draws(Score, "score", "what forecasts predicted against what was seen", first=True)
def score_figure(found: Score) -> Figure:
    """Seen against predicted with intervals, and the calibration over all levels."""
    points = found.points
    share, error = found.coverage
    count = len(found.forecasts)
    forecasts = "a forecast" if count == 1 else f"{count} forecasts"
    caption = (
        f"{len(points)} points of {forecasts}; bars: "
        f"{percent(found.level)} intervals, {100 * share:.0f}% (standard error "
        f"{100 * error:.0f}%) hold what was seen. Right: share of the points that came out "
        "below a predicted quantile; the diagonal is calibrated."
    )
    legend = [
        (Line2D([], [], color=colour, marker=marker, linestyle=""), name)
        for colour, marker, name in ((HIT, "o", "inside"), (MISS, "X", "outside"))
    ]
    sheet = Sheet("Forecasts and what was seen", caption, legend, WIDE, 2.9)
    canvas, grid = sheet.open(1, 2, (1.4, 1.0))
    _seen(canvas.add_subplot(grid[0, 0]), points, _unit(found))
    _calibration(canvas.add_subplot(grid[0, 1]), points)
    return Figure(settle(canvas), "score", caption)


def _unit(found: Score) -> str:
    units = {metric_of(one.metric).unit for one in found.forecasts}
    return units.pop() if len(units) == 1 else "in the unit of each"


def _seen(axes: Axes, points: list[ScoredPoint], unit: str) -> None:
    for each in points:
        inside = each.inside >= 0.5
        bars = [[max(0.0, each.middle - each.low)], [max(0.0, each.high - each.middle)]]
        axes.errorbar(
            [each.seen], [each.middle], bars, color=HIT if inside else MISS,
            marker="o" if inside else "X", markersize=3.0, linewidth=0.0, elinewidth=0.7,
        )  # fmt: skip
    low, high = _padded([p.seen for p in points])
    least, most = _padded([v for p in points for v in (p.low, p.middle, p.high, p.seen)])
    axes.plot([least, most], [least, most], color=FAINT, linewidth=0.8, zorder=1)
    axes.set(xlim=(low, high), ylim=(least, most), xlabel=f"seen ({unit})", ylabel="predicted")
    fixed(axes.xaxis, linear_ticks(low, high, 5))
    fixed(axes.yaxis, linear_ticks(least, most, 5))


def _padded(values: list[float]) -> tuple[float, float]:
    """The ends of an axis that shows all values, intervals whole."""
    pad = 0.05 * max(float(np.ptp(values)), 1e-3)
    return min(values) - pad, max(values) + pad


def _calibration(axes: Axes, points: list[ScoredPoint]) -> None:
    told = np.sort([each.probability for each in points])
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8)
    axes.step(np.concatenate([[0.0], told, [1.0]]),
              np.concatenate([[0.0], np.arange(1, len(told) + 1) / len(told), [1.0]]),
              where="post", color=INK)  # fmt: skip
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="predicted probability of less", ylabel="share")
    fixed(axes.xaxis, linear_ticks(0, 1, 5))
    fixed(axes.yaxis, linear_ticks(0, 1, 5))
