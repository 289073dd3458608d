"""The disagreement behind a plan: what each of its laws alone would do with the same budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from isoloss.files import percent
from isoloss.plans import LawPlan, Plan
from isoloss.plots.drawing import draws
from isoloss.plots.figure import Figure
from isoloss.plots.look import INK, SMALL, WIDE, Sheet, settle
from isoloss.plots.panels.plan_panels import REGION, caption
from isoloss.plots.ticks import log_axis, plain_number
from isoloss.runs import compact, metric_of

#: What the marker of a law says of the place where it would plan.
PLACES: dict[str, dict[str, Any]] = {
    "inside its runs": {"marker": "o", "markerfacecolor": INK},
    "outside its runs": {"marker": "o", "markerfacecolor": "white"},
    "its runs are not known": {"marker": "x"},
}


@draws(Plan, "laws", "what each law alone would do")
def laws_figure(plan: Plan) -> Figure:
    """What each law alone would do with the budget: params, tokens and loss, and whether that is
    inside its runs.
    """
    laws = sorted(plan.by_law, key=lambda each: -each.params)
    first = plan.choices[0]
    text = caption(plan) + (
        " A row a law, with the precision it would choose; line and band: the plan over all laws "
        "and its "
        f"{percent(plan.level)} interval."
    )
    text += " Losses on different corpora are not comparable." if len(laws) > 1 else ""
    legend: list[tuple[Artist, str]] = [
        (Line2D([], [], color=INK, linestyle="", markersize=4.4, **look), label)
        for label, look in PLACES.items()
    ]
    canvas, grid = Sheet(
        "What each law alone would do", text, legend, WIDE, 0.2 * max(len(laws), 3) + 0.6
    ).open(1, 3)
    columns: list[tuple[str, Callable[[LawPlan], float], float, tuple[float, float]]] = [
        ("params", lambda each: each.params, first.params, first.params_interval),
        ("tokens", lambda each: each.tokens, first.tokens, first.tokens_interval),
        (metric_of(plan.metric).axis, lambda each: each.loss, first.loss, first.loss_interval),
    ]
    for i, (label, get, at, interval) in enumerate(columns):
        axes = canvas.add_subplot(grid[i])
        values = [get(each) for each in laws]
        # Room for one place only: matplotlib's own limits would have no width.
        middle = at if np.isfinite(at) else 1.0  # a loss that no law sees has no place
        axes.set_xlim(0.9 * middle, 1.1 * middle)
        _column(axes, laws, values, at, interval)
        ends = np.array([v for v in (*values, at, *interval) if np.isfinite(v)] or [middle])
        log_axis(axes, "x", ends, plain_number if i == 2 else compact, most=3)
        absent = "" if np.isfinite(interval).all() else f" (band: {first.absent})"
        axes.set_xlabel(label + absent)
        axes.set_yticks(
            range(len(laws)), [_named(each, laws) for each in laws] if i == 0 else [""] * len(laws)
        )
        if i == 2:
            _beside(axes, [each.precision for each in laws])
    return Figure(settle(canvas), "laws", text)


def _column(
    axes: Axes,
    laws: Sequence[LawPlan],
    values: Sequence[float],
    at: float,
    interval: tuple[float, float],
) -> None:
    if np.isfinite(interval).all():
        axes.axvspan(*interval, color=REGION, linewidth=0, zorder=0.5)
    if np.isfinite(at):
        axes.axvline(at, color=INK, linewidth=0.8, zorder=1)
    for y, (each, value) in enumerate(zip(laws, values, strict=True)):
        axes.plot(
            value, y, color=INK, linestyle="", markersize=4.4, zorder=3, **PLACES[_place(each)]
        )
    axes.set_ylim(len(laws) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0, labelsize=SMALL)
    axes.grid(True, axis="both")


def _place(each: LawPlan) -> str:
    inside, outside, unknown = PLACES
    return unknown if np.isnan(each.outside) else inside if each.outside <= 1 else outside


def _named(each: LawPlan, laws: Sequence[LawPlan]) -> str:
    """The law, with its weight where weights differ."""
    equal = np.ptp([other.weight for other in laws]) < 1e-9
    return each.law if equal else f"{each.law} ({each.weight:.2f})"


def _beside(axes: Axes, texts: Sequence[str]) -> None:
    right = axes.twinx()
    right.set_ylim(axes.get_ylim())
    right.set_yticks(range(len(texts)), texts)
    right.tick_params(axis="y", length=0, labelsize=SMALL)
    right.grid(False)
    right.spines["left"].set_visible(False)
