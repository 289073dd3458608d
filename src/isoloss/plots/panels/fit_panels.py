"""The first figure of a fit: predicted against observed, residuals, and the constants with their
intervals.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from isoloss.files import percent
from isoloss.fits import NOT_HELD, Fit, interval_in_words
from isoloss.laws import Array, Constant, is_gap_law
from isoloss.plots.drawing import draws
from isoloss.plots.figure import Figure
from isoloss.plots.look import FAINT, INK, SMALL, WIDE, Sheet, settle
from isoloss.plots.panels.runs_panels import CLOUD, style_legend
from isoloss.plots.styles import Style, how_drawn, shorten, styles
from isoloss.plots.ticks import fixed, linear_ticks, log_axis, plain_number, written

#: Ticks of the deviation axis in %, and the deviation around which it turns from even to
#: logarithmic.
DEVIATIONS = (-100.0, -30.0, -10.0, -3.0, 0.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
EVEN = 3.0
WARN = "#c23b22"
DOT: dict[str, Any] = {"markersize": 3.4, "markeredgecolor": "white", "markeredgewidth": 0.25}
RING: dict[str, Any] = {
    "marker": "o",
    "linestyle": "",
    "markersize": 5.6,
    "markerfacecolor": "none",
    "markeredgecolor": INK,
    "markeredgewidth": 0.6,
    "alpha": 0.75,
}
WHISKER: dict[str, Any] = {"color": INK, "linewidth": 0.6, "zorder": 1.5}


#: Deviation in percent that no panel reaches: where an end that is not held is drawn to.
OPEN = 1e6


@draws(Fit, "fit", "predictions, residuals and constants", first=True)
def fit_figure(fit: Fit) -> Figure:
    """Three panels: how well it predicts, what its residuals hold, and how sure its constants
    are.
    """
    p = fit.points
    style = styles(p.precision)
    legend: list[tuple[Artist, str]] = [*style_legend(style, False)]
    if p.held_out.any():
        legend.append((ring(), f"held out ({fit.held_out.rule if fit.held_out else 'not fitted'})"))
    aside = _aside(p.tokens / p.params, p.precision, style)
    text = caption(fit) + how_drawn(p.precision)
    text += " Precisions are set side by side in the residuals." if (aside != 1).any() else ""
    rows = [k for k in fit.law.free if k.name not in fit.absent]
    height = max(4.0, 0.155 * len(rows) + 0.7)
    canvas, grid = Sheet(titled(fit), text, legend, WIDE, height).open(2, 2, (1.0, 0.8))
    _observed(canvas.add_subplot(grid[0, 0]), fit, style)
    _residuals(canvas.add_subplot(grid[1, 0]), fit, style, aside)
    _constants(canvas.add_subplot(grid[:, 1]), fit, rows)
    return Figure(settle(canvas), "fit", text)


def titled(fit: Fit) -> str:
    """Which law was fitted to what."""
    return f"{fit.law.name} fitted to {', '.join(fit.facts.sources) or f'{fit.facts.runs} runs'}"


def caption(fit: Fit) -> str:
    """What was fitted, how, and which warnings it carries."""
    held, excluded = int(fit.points.held_out.sum()), sum(fit.facts.excluded.values())
    counts = f"{fit.facts.runs - held} runs fitted" + (f", {held} held out" if held else "")
    counts += f", {excluded} excluded" if excluded else ""
    sure = f"{percent(fit.level)} intervals from {len(fit.draws)} bootstrap replicates"
    sure += f" ({fit.resample})"
    kinds = ", ".join(dict.fromkeys(c.kind for c in fit.warnings)) or "none"
    sure = sure if len(fit.draws) else "no bootstrap replicates, so no intervals"
    return f"{counts}; {fit.objective}; {sure}. Warnings: {kinds}."


def ring() -> Line2D:
    """The legend's picture of a held-out run."""
    return Line2D([], [], **RING)


def _cloud(axes: Axes, x: Array, y: Array, fit: Fit, style: dict[str, Style]) -> None:
    """The runs of a fit, held-out ones with a ring."""
    names = np.array(fit.points.precision, dtype=object)
    for name, s in style.items():
        rows = names == name
        axes.plot(x[rows], y[rows], s.marker, color=s.colour, rasterized=len(x) > CLOUD, **DOT)
    held = fit.points.held_out
    axes.plot(x[held], y[held], **RING)


def _what(fit: Fit) -> str:
    """What the points of a fit are, in a word."""
    return "gap" if is_gap_law(fit.law) else "loss"


def _observed(axes: Axes, fit: Fit, style: dict[str, Style]) -> None:
    p, h = fit.points, fit.held_out
    both = np.concatenate([p.observed, p.predicted])
    ends = [both.min() * 0.9, both.max() * 1.1]
    axes.plot(ends, ends, color=FAINT, linewidth=0.8, zorder=1)
    said = f"log rmse {100 * fit.fitted.log_rmse:.2g}%"
    if h is not None:
        axes.vlines(h.observed, h.prediction.low, h.prediction.high, **WHISKER)
        said += f", held out {100 * h.errors.log_rmse:.2g}%"
    _cloud(axes, p.observed, p.predicted, fit, style)
    log_axis(axes, "x", both, plain_number)
    log_axis(axes, "y", both, plain_number)
    axes.set(xlabel=f"observed {_what(fit)}", ylabel=f"predicted {_what(fit)}")
    axes.set_title(said)


def _residuals(axes: Axes, fit: Fit, style: dict[str, Style], aside: Array) -> None:
    p, h = fit.points, fit.held_out
    x = aside * p.tokens / p.params
    axes.axhline(0, color=FAINT, linewidth=0.8, zorder=1)
    if h is not None:
        low, high = (
            100 * np.log(end / h.observed) for end in (h.prediction.low, h.prediction.high)
        )
        axes.vlines(x[p.held_out], low, high, **WHISKER)
    _cloud(axes, x, 100 * p.residual, fit, style)
    log_axis(axes, "x", x, plain_number, most=5)
    axes.set(xlabel="tokens per param", ylabel=f"predicted − observed (% of {_what(fit)})")
    fixed(axes.yaxis, linear_ticks(*axes.get_ylim(), 6))


def _aside(ratio: Array, names: tuple[str, ...], style: dict[str, Style]) -> Array:
    """Factors that set precisions side by side where few tokens per param would pile them up; else
    ones.
    """
    steps = np.diff(np.unique(np.log(ratio)))
    gaps = steps[steps > 0.15]
    if len(gaps) > 5 or len(style) == 1:
        return np.ones(len(ratio))
    gap = min(float(gaps.min()), 1.0) if len(gaps) else 1.0
    rank = {name: i for i, name in enumerate(style)}
    place = np.array([rank[name] for name in names]) / (len(style) - 1) - 0.5
    return np.asarray(np.exp(0.35 * gap * place))


def _at_bound(k: Constant) -> bool:
    value = np.nan if k.value is None else k.value
    return any(abs(value - end) <= 1e-9 * max(1.0, abs(end)) for end in (k.lower, k.upper))


def _constants(axes: Axes, fit: Fit, rows: list[Constant]) -> None:
    """One row a constant: its interval as a deviation from its value, and both in numbers on the
    right.
    """
    names = [shorten(k.name, fit.points.precision) for k in rows]
    numbers, red, reach = [], [], [EVEN]
    for y, k in enumerate(rows):
        value = float("nan") if k.value is None else k.value
        low, high = fit.interval(k.name) if len(fit.draws) else (value, value)
        held = bool(np.isfinite([low, high]).all())
        numbers.append(written(value, 3) + _in_numbers(low, high, held, len(fit.draws)))
        loose = _at_bound(k) or not held
        look: dict[str, Any] = {"color": WARN if loose else INK}
        marker, face = ("s", "white") if loose else ("o", INK)
        axes.plot(0, y, marker, markersize=3.4, markerfacecolor=face, **look)
        if value != 0:
            ends = [100 * (end - value) / abs(value) for end in (low, high)]
            shape: dict[str, Any] = {"linewidth": 1.3, "solid_capstyle": "butt", "zorder": 1.9}
            # An open end is drawn beyond any edge of the panel, dashed: it is no interval.
            shape["linestyle"] = "-" if held else ":"
            axes.plot(np.clip(ends, -OPEN, OPEN), [y, y], **shape, **look)
            reach += [abs(e) for e in ends if np.isfinite(e)]
        red.append(loose)
    _finish_constants(axes, names, numbers, red, min(max(reach), 1000.0))


def _in_numbers(low: float, high: float, held: bool, draws: int) -> str:
    """The interval of a constant as it stands beside its value."""
    if not held:
        return f" ({NOT_HELD})"
    return f" ({interval_in_words((low, high), lambda v: written(v, 3))})" if draws else ""


def _finish_constants(
    axes: Axes, names: list[str], numbers: list[str], bound: list[bool], reach: float
) -> None:
    axes.axvline(0, color=FAINT, linewidth=0.8, zorder=1)
    axes.set_xscale("asinh", linear_width=EVEN)
    limit = 1.25 * reach + 1
    axes.set_xlim(max(-limit, -140.0), limit)
    fixed(axes.xaxis, list(_shown(axes.get_xlim())))
    right = axes.twinx()
    for side, texts, size in ((axes, names, SMALL), (right, numbers, SMALL - 0.5)):
        side.set_ylim(len(names) - 0.4, -0.6)
        side.set_yticks(range(len(names)), texts)
        side.tick_params(axis="y", length=0, labelsize=size)
        side.grid(False, axis="y")
    right.spines["left"].set_visible(False)
    axes.set_xlabel("interval around the value (%)")
    axes.set_title("constants" + (" (red square: at a bound or not held)" if any(bound) else ""))
    for label, at in zip(axes.get_yticklabels(), bound, strict=True):
        label.set_color(WARN if at else INK)


def _shown(limits: tuple[float, float]) -> Iterator[float]:
    """The ticks inside the limits, every other one where they are many."""
    inside = [d for d in DEVIATIONS if limits[0] <= d <= limits[1]]
    yield from (d for d in inside if limits[1] <= 30 or abs(d) not in (3, 30, 300))
