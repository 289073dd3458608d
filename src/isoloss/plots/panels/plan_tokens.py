"""A plan whose models are rounded after training: loss against tokens, and from which on more of
them hurt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from isoloss.laws import Array
from isoloss.plans import Plan, Served, Serving
from isoloss.plots.drawing import draws
from isoloss.plots.figure import Figure
from isoloss.plots.look import INK, WIDE, Sheet, settle
from isoloss.plots.panels.bits_panels import SMALLEST
from isoloss.plots.panels.plan_panels import STAR, caption
from isoloss.plots.panels.runs_panels import style_legend
from isoloss.plots.problems import PlotError
from isoloss.plots.styles import Style, apart, as_level, how_drawn, styles
from isoloss.plots.ticks import fixed, linear_ticks, log_axis, plain_number, written
from isoloss.runs import compact, metric_of


@draws(Plan, "tokens", "where more tokens hurt what is rounded after training")
def tokens_figure(plan: Plan) -> Figure:
    """Loss against tokens per param once rounded after training, and what the rounding costs."""
    serving = plan.charts.serving
    if serving is None:
        raise PlotError(
            "no precision of this plan is rounded after training; give some that are, as 'bf16 -> "
            "w4', for kind 'tokens'"
        )
    drawn = [*serving.before, *serving.after]
    names = [s.precision for s in drawn]
    style = apart(styles(names))
    text = caption(plan) + _of_serving(plan, serving) + how_drawn(names)
    legend: list[tuple[Artist, str]] = [*style_legend(style, True)]
    legend.append(
        (Line2D([], [], color=INK, linestyle="", **STAR), "more tokens hurt from here on")
    )
    title = f"{compact(serving.params)} params, rounded after training"
    canvas, grid = Sheet(title, text, legend, WIDE, 2.7).open(1, 2)
    left, right = canvas.add_subplot(grid[0]), canvas.add_subplot(grid[1])
    gaps = [s.loss - _before(serving, s) for s in serving.after]
    for i, s in enumerate(drawn):
        _line(left, serving, s.loss, style[s.precision], i)
        _turn(left, serving, s, style[s.precision])
    for i, (s, gap) in enumerate(zip(serving.after, gaps, strict=True)):
        _line(right, serving, gap, style[s.precision], i)
    for axes in (left, right):
        at = plan.choices[0].tokens / serving.params
        axes.axvline(at, color=INK, linewidth=0.7, linestyle=":", zorder=1)
        log_axis(axes, "x", serving.tokens / serving.params, plain_number, pad=0.02)
        axes.set_xlabel("tokens per param")
    _losses(left, drawn)
    left.set_ylabel(f"expected {metric_of(plan.metric).axis}")
    positive = np.concatenate([gap[gap > SMALLEST] for gap in gaps])
    log_axis(right, "y", positive if len(positive) else np.array([SMALLEST, 1.0]), plain_number)
    right.set_ylabel(f"loss after − before rounding ({metric_of(plan.metric).unit})")
    return Figure(settle(canvas), "tokens", text)


def _losses(axes: Axes, drawn: Sequence[Served]) -> None:
    """The loss axis: all of what is not rounded, and as much of the rest as leaves that
    readable.
    """
    known = np.concatenate([s.loss[np.isfinite(s.loss)] for s in drawn])
    low, most = float(known.min()), float(drawn[0].loss[0])
    axes.set_ylim(low - 0.04 * (most - low), most + 0.04 * (most - low))
    fixed(axes.yaxis, linear_ticks(*axes.get_ylim(), 6), lambda v: written(v, 3))


def _line(axes: Axes, serving: Serving, values: Array, look: Style, which: int) -> None:
    drawn: dict[str, Any] = {"color": look.colour, "linestyle": look.line, "marker": look.marker}
    every = (2 + 2 * which, 10)
    axes.plot(serving.tokens / serving.params, values, markevery=every, markersize=3.2, **drawn)


def _turn(axes: Axes, serving: Serving, s: Served, look: Style) -> None:
    """A star where more tokens start to hurt."""
    ratio, at = serving.tokens / serving.params, s.critical / serving.params
    if ratio[0] < at < ratio[-1]:
        loss = float(np.interp(np.log(at), np.log(ratio), s.loss))
        axes.plot(
            at,
            loss,
            color=look.colour,
            zorder=4,
            **{**STAR, "markeredgecolor": INK, "markersize": 9},
        )


def _before(serving: Serving, s: Served) -> Array:
    """The loss of the same model before it is rounded."""
    trained = str(as_level(s.precision).precision.trained)
    return next(b.loss for b in serving.before if b.precision == trained)


def _of_serving(plan: Plan, serving: Serving) -> str:
    turns = [
        f"{s.precision} {compact(s.critical)}" for s in serving.after if np.isfinite(s.critical)
    ]
    told = (
        f" Tokens from which on more of them hurt: {', '.join(turns)}."
        if turns
        else " No loss here rises with tokens."
    )
    asked = sum("->" in c.precision for c in plan.choices)
    told += (
        f" The {len(serving.after)} best of {asked} that are rounded after training."
        if asked > len(serving.after)
        else ""
    )
    return " Dotted: tokens per param of the plan." + told
