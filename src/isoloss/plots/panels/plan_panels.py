"""The figure of a plan: equal losses over params and tokens, the budget across them, and the
choices by precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from isoloss.files import percent
from isoloss.fits import NOT_HELD
from isoloss.laws import Array, Box
from isoloss.plans import Charts, Choice, Plan, Surface
from isoloss.plots.drawing import draws
from isoloss.plots.figure import Figure
from isoloss.plots.look import FAINT, INK, SMALL, WIDE, Sheet, settle
from isoloss.plots.panels.runs_panels import HALO, NOTE
from isoloss.plots.styles import Style, how_drawn, shorten, styles
from isoloss.plots.ticks import fixed, linear_ticks, log_ticks, written
from isoloss.runs import MODELS, PublishedModel, compact, metric_of, nearest_models

#: Contours of loss and rows of choices at most.
CONTOURS, ROWS = 9, 12
BLUE, REGION = "#0072B2", "#e9e6da"
STAR: dict[str, Any] = {
    "marker": "*",
    "markersize": 11,
    "markeredgecolor": "white",
    "markeredgewidth": 0.6,
}
CLOUD: dict[str, Any] = {
    "marker": ".",
    "markersize": 2.6,
    "linestyle": "",
    "color": BLUE,
    "alpha": 0.55,
}
RUN: dict[str, Any] = {
    "marker": "+",
    "markersize": 3,
    "linestyle": "",
    "color": "#7d7866",
    "markeredgewidth": 0.5,
}
MODEL: dict[str, Any] = {
    "marker": "d",
    "markersize": 5,
    "linestyle": "",
    "markerfacecolor": "white",
    "markeredgecolor": INK,
    "markeredgewidth": 0.8,
}
#: The letters of the published models in the picture, the nearest to the plan first.
LETTERS = "abcd"
#: Models this near in both directions, as shares of the picture, share a label.
ONE_PLACE = 0.04
PATH: dict[str, Any] = {"color": BLUE, "linestyle": "--", "linewidth": 1.0}


@draws(Plan, "plan", "equal losses over params and tokens, the budget, the choices", first=True)
def plan_figure(plan: Plan) -> Figure:
    """Loss over params and tokens with the budget and the optimum; beside it the choices by
    precision.
    """
    charts, names = plan.charts, [c.precision for c in plan.choices[:ROWS]]
    text = caption(plan) + _counted(plan, charts) + how_drawn(names)
    height = max(3.1, 0.2 * len(names) + 0.8)
    canvas, grid = Sheet(titled(plan), text, _legend(plan, charts), WIDE, height).open(
        1, 2, (1.25, 1.0)
    )
    _losses(canvas.add_subplot(grid[0]), plan, charts)
    _choices(canvas.add_subplot(grid[1]), plan, names)
    return Figure(settle(canvas), "plan", text)


def titled(plan: Plan) -> str:
    """The recommendation, or that there is none."""
    first = plan.choices[0]
    if first.standing != "seen":
        return f"No law sees '{first.precision}'"
    kind = "active params" if first.all_params > first.params else "params"
    place = f"{compact(first.params)} {kind} on {compact(first.tokens)} tokens, {first.precision}"
    return (
        f"No single recommendation; least expected loss at {place}" if plan.best is None else place
    )


def caption(plan: Plan) -> str:
    """The budget, the machine, the laws, and why a recommendation is withheld."""
    laws = [each.law for each in plan.by_law]
    heard = ", ".join(laws) if len(laws) <= 4 else f"{len(laws)} laws"
    name = plan.hardware.split(":")[0]
    on = "" if f" {name}" in plan.budget else f" on {name}"  # a sentence names its machine
    text = f"{plan.budget}{on}; {heard}."
    text += f" Withheld: {plan.withheld}." if plan.withheld else ""
    text += f" No one size: {plan.apart}." if plan.apart else ""
    kinds = ", ".join(dict.fromkeys(c.kind.words for c in plan.warnings)) or "none"
    return text + f" Warnings: {kinds}."


def shade(axes: Axes, regions: tuple[Box, ...], params: Array) -> None:
    """The regions of the laws' runs in params and tokens; darker where several overlap."""
    for box in regions:
        n = np.clip(params, *box.params)
        low = np.maximum(box.tokens[0], box.tokens_per_param[0] * n)
        high = np.minimum(box.tokens[1], box.tokens_per_param[1] * n)
        inside = (n == params) & (low < high)
        strength = min(1.0, max(0.35, 1.2 / len(regions)))
        axes.fill_between(
            params, low, high, where=inside, color=REGION, alpha=strength, linewidth=0, zorder=0.5
        )


def _counted(plan: Plan, charts: Charts) -> str:
    """What the picture holds that its legend does not say."""
    text = f" Contours: expected {metric_of(plan.metric).axis} in '{plan.choices[0].precision}'."
    over = "rates, laws" if plan.choices[0].in_doubt else "laws"
    text += (
        f" Intervals: {percent(plan.level)} over {over} and bootstrap replicates."
        if plan.choices[0].has_interval
        else ""
    )
    unknown = len(plan.by_law) - len(charts.regions)
    text += (
        f" No region of runs is known of {unknown} of the {len(plan.by_law)} laws."
        if unknown
        else ""
    )
    named = zip(LETTERS, _models(plan, charts.surface), strict=False)
    models = ", ".join(f"{letter} {m.name}" for letter, m in named)
    text += f" Published models: {models}." if models else ""
    left = len(plan.choices) - ROWS
    return text + (f" {left} more precisions are not shown." if left > 0 else "")


def _legend(plan: Plan, charts: Charts) -> list[tuple[Artist, str]]:
    found: list[tuple[Artist, str]] = [(star(plan), "the plan")]
    if charts.surface.factors:
        line = Line2D([], [], color=INK, linewidth=1.4)
        found.append((line, "the budget; thin: a hundredth, a tenth, ten times"))
    if charts.frontier is not None:
        found.append((Line2D([], [], **PATH), "best at each budget"))
    if len(charts.surface.cloud_params) > 1:
        first = plan.choices[0]
        each = "law" if first.is_point else "replicate"
        each = "draw of the rates" if first.is_point and first.in_doubt else each
        found.append((Line2D([], [], **CLOUD), f"each {each} planned again"))
    if charts.regions:
        found.append((Patch(facecolor=REGION), "region of the runs"))
    if len(charts.runs_params):
        found.append((Line2D([], [], **RUN), "fitted runs"))
    if _models(plan, charts.surface):
        found.append((Line2D([], [], **MODEL), "published models (active params)"))
    return found


def _models(plan: Plan, s: Surface) -> list[PublishedModel]:
    """The published models nearest to the plan that lie inside the picture."""
    if plan.metric != "nats":
        return []
    first = plan.choices[0]
    found = nearest_models(first.params, first.tokens, len(MODELS))
    low, high = (s.params[0], s.tokens[0]), (s.params[-1], s.tokens[-1])
    inside = [m for m in found if low[0] < m.active < high[0] and low[1] < m.tokens < high[1]]
    return inside[: len(LETTERS)]


def _mark_models(axes: Axes, plan: Plan, s: Surface) -> None:
    """A mark and a letter at each published model, which the caption names; models at one place
    share a label.
    """
    letters: dict[tuple[float, float], str] = {}
    spans = [np.log(ends[-1] / ends[0]) for ends in (s.params, s.tokens)]
    for letter, m in zip(LETTERS, _models(plan, s), strict=False):
        axes.plot(m.active, m.tokens, zorder=3.5, **MODEL)
        ratios = ((at, np.log([m.active / at[0], m.tokens / at[1]]) / spans) for at in letters)
        near = [at for at, away in ratios if np.abs(away).max() < ONE_PLACE]
        place = near[0] if near else (m.active, m.tokens)
        letters[place] = letters[place] + letter if near else letter
    for place, text in letters.items():
        axes.annotate(
            text, place, (5, 5), textcoords="offset points", ha="left", va="bottom",
            bbox={**HALO, "boxstyle": "square,pad=0.06"}, zorder=3.4, **NOTE,
        )  # fmt: skip


def star(plan: Plan, x: float | None = None, y: float | None = None) -> Line2D:
    """The marker of the plan, hollow where no recommendation is given; without a place that of a
    legend.
    """
    face, edge = ("white", INK) if plan.best is None else (INK, "white")
    look = {**STAR, "markerfacecolor": face, "markeredgecolor": edge, "linestyle": "", "zorder": 4}
    return Line2D([] if x is None else [x], [] if y is None else [y], **look)


def _losses(axes: Axes, plan: Plan, charts: Charts) -> None:
    s, first = charts.surface, plan.choices[0]
    axes.set(
        xscale="log",
        yscale="log",
        xlim=(s.params[0], s.params[-1]),
        ylim=(s.tokens[0], s.tokens[-1]),
    )
    axes.grid(False)
    shade(axes, charts.regions, np.geomspace(s.params[0], s.params[-1], 400))
    _contours(axes, s)
    _limits(axes, s)
    axes.plot(charts.runs_params, charts.runs_tokens, **RUN)
    if charts.frontier is not None:
        curve = charts.frontier.curves[0]
        axes.plot(curve.params, curve.tokens, **PATH)
    if len(s.cloud_params) > 1:
        axes.plot(s.cloud_params, s.cloud_tokens, **CLOUD)
    if np.isfinite([*first.params_interval, *first.tokens_interval]).all():
        (left, right), (low, high) = first.params_interval, first.tokens_interval
        box: dict[str, Any] = {"fill": False, "edgecolor": BLUE, "linewidth": 0.8, "zorder": 3}
        axes.add_patch(Rectangle((left, low), right - left, high - low, **box))
    _mark_models(axes, plan, s)
    axes.add_line(star(plan, first.params, first.tokens))
    fixed(axes.xaxis, log_ticks(float(s.params[0]), float(s.params[-1])), compact)
    fixed(axes.yaxis, log_ticks(float(s.tokens[0]), float(s.tokens[-1])), compact)
    axes.set(xlabel="params", ylabel="tokens")


def _contours(axes: Axes, s: Surface) -> None:
    """Lines of equal loss, evenly many between the least and the most of the picture."""
    known = s.loss[np.isfinite(s.loss)]
    if not len(known) or np.ptp(known) < 1e-9:
        return
    levels = _levels(float(known.min()), float(np.quantile(known, 0.97)))
    drawn = axes.contour(
        s.params, s.tokens, s.loss.T, levels=levels, colors=FAINT, linewidths=0.6, zorder=1
    )
    labels = axes.clabel(drawn, fmt=lambda v: written(v, 3), fontsize=SMALL - 1, inline_spacing=2)
    for label in labels:
        label.set(color="#555555", bbox={**HALO, "boxstyle": "square,pad=0.06"}, zorder=2.5)


def _levels(low: float, high: float) -> list[float]:
    """Round losses, closer together where loss is low: evenly many on a scale of the logarithm
    above the least.
    """
    floor = low - 0.15 * (high - low)
    found = {
        float(f"{floor + v:.3g}") for v in np.geomspace(low - floor, high - floor, CONTOURS + 1)[1:]
    }
    return sorted(found)


def _limits(axes: Axes, s: Surface) -> None:
    """The most tokens at each params under the budget and its parts; a line up where memory or
    speed end it.
    """
    for factor, tokens in zip(s.factors, s.limits, strict=True):
        good = s.limit_params <= s.most_params
        width = 1.4 if factor == 1 else 0.6
        axes.plot(s.limit_params[good], tokens[good], color=INK, linewidth=width, zorder=2)
    if s.params[0] < s.most_params < s.params[-1]:
        axes.axvline(s.most_params, color=INK, linewidth=1.4, linestyle="-.", zorder=2)
        done = "trained" if s.capped_by == "training memory" else "served"
        axes.annotate(
            f"most that can be {done}", (s.most_params, 0.02), (-3, 0),
            xycoords=axes.get_xaxis_transform(),
            textcoords="offset points", rotation=90, ha="right", va="bottom", bbox=HALO, **NOTE,
        )  # fmt: skip


def _choices(axes: Axes, plan: Plan, names: list[str]) -> None:
    """A row a precision: its loss with interval, and beside it params, tokens and how often it is
    the best.
    """
    shown, style = plan.choices[: len(names)], styles(names)
    for y, c in enumerate(shown):
        _mark(axes, y, c, style[c.precision])
    ends = np.array([v for c in shown for v in (c.loss, *c.loss_interval) if np.isfinite(v)])
    ends = ends if len(ends) else np.zeros(1)
    if np.isfinite(shown[0].loss):
        axes.axvline(shown[0].loss, color=FAINT, linewidth=0.7, linestyle=":", zorder=1)
    room = 0.06 * max(float(np.ptp(ends)), 1e-3 * float(ends.max()), 1e-6)
    axes.set_xlim(ends.min() - room, ends.max() + room)
    fixed(axes.xaxis, linear_ticks(*axes.get_xlim(), 4), lambda v: written(v, 5))
    axes.set_xlabel(f"expected {metric_of(plan.metric).axis}")
    right = axes.twinx()
    sure = any(np.isfinite(c.probability) for c in shown)
    beside = [_beside(c, sure) for c in shown]
    for side, texts in ((axes, [shorten(n, names) for n in names]), (right, beside)):
        side.set_ylim(max(len(names), 4) - 0.4, -0.6)
        side.set_yticks(range(len(names)), texts)
        side.tick_params(axis="y", length=0, labelsize=SMALL)
        side.grid(False, axis="y")
    right.spines["left"].set_visible(False)
    right.spines["right"].set_visible(False)
    right.annotate(
        "params, tokens" + (", best in" if sure else ""), (1.0, 1.0), (3.5, 2),
        xycoords="axes fraction",
        textcoords="offset points", ha="left", va="bottom", **NOTE,
    )  # fmt: skip


def _mark(axes: Axes, y: float, c: Choice, s: Style) -> None:
    """The loss of a choice: a bound points to where it lies; what is unknown has no place."""
    if c.has_interval:
        axes.hlines(y, *c.loss_interval, color=INK, linewidth=1.0, zorder=2)
    is_bound = c.standing == "at least"
    look: dict[str, Any] = {"fillstyle": "none" if is_bound else "full", "zorder": 3}
    edge: dict[str, Any] = {"markeredgecolor": INK, "markeredgewidth": 0.9 if is_bound else 0.3}
    if c.standing != "unknown":
        axes.plot(c.loss, y, ">" if is_bound else s.marker, color=s.colour, **look, **edge)


def _beside(c: Choice, sure: bool) -> str:
    known = sure and np.isfinite(c.probability)
    last = f", {100 * c.probability:.0f}%" if known else ""
    last = last if c.standing == "seen" else f", {c.standing}"
    last += f", loss {c.absent}" if c.absent == NOT_HELD and not c.has_interval else ""
    return f"{compact(c.params)}, {compact(c.tokens)}{last}"
