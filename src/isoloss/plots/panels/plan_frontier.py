"""The frontier of a plan: the least expected loss against what is spent, at budgets around the one
asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from isoloss.files import percent
from isoloss.laws import Array, Box, Mask
from isoloss.plans import Frontier, Plan
from isoloss.plots.drawing import draws
from isoloss.plots.figure import Figure
from isoloss.plots.look import INK, NARROW, WIDE, Sheet, settle
from isoloss.plots.panels.plan_panels import REGION, caption, star
from isoloss.plots.panels.runs_panels import style_legend
from isoloss.plots.problems import PlotError
from isoloss.plots.styles import Style, apart, how_drawn, styles
from isoloss.plots.ticks import fixed, linear_ticks, log_axis
from isoloss.runs import compact, metric_of


@draws(Plan, "frontier", "loss against what is spent")
def frontier_figure(plan: Plan) -> Figure:
    """The least expected loss against what is spent, by precision, and how far each lies above the
    best of them.
    """
    front = plan.charts.frontier
    if plan.choices[0].standing == "unknown":
        raise PlotError(
            f"no law sees '{plan.choices[0].precision}', so this plan has no frontier; plan with a "
            "law that has terms for it"
        )
    if front is None:
        raise PlotError(
            "this plan spends nothing that could be more or less, so it has no frontier; plan "
            "with a budget of "
            "compute, hours or money, and hold params or tokens but not both"
        )
    names = [c.precision for c in front.curves]
    style, inside = apart(styles(names)), _inside(plan, front)
    text = caption(plan) + _of_frontier(plan, front, inside) + how_drawn(names)
    legend: list[tuple[Artist, str]] = [
        *style_legend(style, True),
        (star(plan), "the budget asked for"),
    ]
    legend += (
        [(Patch(facecolor=REGION), "inside the runs of every law")] if inside is not None else []
    )
    several = len(names) > 1
    sheet = Sheet("Loss against what is spent", text, legend, WIDE if several else NARROW, 2.7)
    canvas, grid = sheet.open(1, 2 if several else 1)
    left = canvas.add_subplot(grid[0])
    _curves(left, front, style, inside, [c.loss for c in front.curves])
    for c in front.curves:
        left.fill_between(
            front.cost, c.low, c.high, color=style[c.precision].colour, alpha=0.14, linewidth=0
        )
    left.add_line(star(plan, front.asked, plan.choices[0].loss))
    left.set_ylabel(f"least expected {metric_of(plan.metric).axis}")
    fixed(left.yaxis, linear_ticks(*left.get_ylim(), 6))
    if several:
        right = canvas.add_subplot(grid[1])
        _above(right, front, style, inside)
        right.set_ylabel(f"above the best ({metric_of(plan.metric).unit})")
    return Figure(settle(canvas), "frontier", text)


def _curves(
    axes: Axes,
    front: Frontier,
    style: dict[str, Style],
    inside: tuple[float, float] | None,
    values: Sequence[Array],
) -> None:
    """A line a precision over the costs, the budget asked for, and where the runs are."""
    axes.axvline(front.asked, color=INK, linewidth=0.7, linestyle=":", zorder=1)
    if inside is not None:
        axes.axvspan(*inside, color=REGION, linewidth=0, zorder=0.5)
    for i, (c, line) in enumerate(zip(front.curves, values, strict=True)):
        s = style[c.precision]
        look: dict[str, Any] = {"color": s.colour, "linestyle": s.line, "marker": s.marker}
        axes.plot(front.cost, line, markevery=(1 + i, 6), markersize=3.4, **look)
    log_axis(
        axes, "x", front.cost, _power if front.cost.max() >= 1e15 else compact, pad=0.02, most=5
    )
    axes.set_xlabel(front.unit)


def _above(
    axes: Axes, front: Frontier, style: dict[str, Style], inside: tuple[float, float] | None
) -> None:
    """How far each precision lies above the best of them."""
    with np.errstate(invalid="ignore"):
        best = np.array([np.where(np.isfinite(c.loss), c.loss, np.inf) for c in front.curves]).min(
            axis=0
        )
        gaps = [c.loss - best for c in front.curves]
    _curves(axes, front, style, inside, gaps)
    top = 1.08 * max(float(np.nanmax(gaps)), 1e-3)
    axes.set_ylim(-0.03 * top, top)
    fixed(axes.yaxis, [t for t in linear_ticks(*axes.get_ylim(), 6) if t >= 0])


def _inside(plan: Plan, front: Frontier) -> tuple[float, float] | None:
    """The costs between which the best plan lies inside the runs of every law; None where it never
    does.
    """
    boxes = plan.charts.regions
    if len(boxes) < len(plan.by_law):
        return None
    loss = np.array([np.where(np.isfinite(c.loss), c.loss, np.inf) for c in front.curves])
    first, every = loss.argmin(axis=0), np.arange(len(front.cost))
    cost = np.geomspace(front.cost[0], front.cost[-1], 1001)
    params, tokens = (
        np.exp(np.interp(np.log(cost), np.log(front.cost), np.log(values[first, every])))
        for values in (
            np.array([c.params for c in front.curves]),
            np.array([c.tokens for c in front.curves]),
        )
    )
    inside = np.all([_holds(box, params, tokens) for box in boxes], axis=0)
    return (float(cost[inside][0]), float(cost[inside][-1])) if inside.any() else None


def _holds(box: Box, params: Array, tokens: Array) -> Mask:
    """Whether the region of a law's runs holds some places."""
    ranges = ((params, box.params), (tokens, box.tokens), (tokens / params, box.tokens_per_param))
    return np.asarray(np.all([(v >= low) & (v <= high) for v, (low, high) in ranges], axis=0))


def _of_frontier(plan: Plan, front: Frontier, inside: tuple[float, float] | None) -> str:
    text = " All limits on spending grow together."
    text += " Right: loss above the best of these precisions." if len(front.curves) > 1 else ""
    if len(front.curves) < len(plan.choices):
        text += (
            f" Shown: {len(front.curves)} of {len(plan.choices)} precisions, "
            "the best of those with equally many bits."
        )
    if any((c.high > c.low).any() for c in front.curves):
        text += f" Bands: {percent(plan.level)} intervals over laws and bootstrap replicates."
    return text + ("" if inside else " No plan here lies inside the runs of every law.")


def _power(value: float) -> str:
    """A large round number as a power of ten."""
    return f"{value:.0e}".replace("e+", "e")
