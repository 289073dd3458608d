"""Figures of a comparison: errors and weights of its laws, and where each of them misses."""

from __future__ import annotations

from collections import Counter

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import AsinhNorm
from matplotlib.lines import Line2D

from isoloss.files import percent
from isoloss.fits import Comparison, Entry, Fit
from isoloss.laws import Array
from isoloss.plots.drawing import draws
from isoloss.plots.figure import Figure
from isoloss.plots.look import INK, SMALL, WIDE, Sheet, settle
from isoloss.plots.styles import shared_method, shorten, styles
from isoloss.plots.ticks import fixed, linear_ticks, log_axis, plain_number

BLUE = "#0072B2"


@draws(Comparison, "ranking", "errors and weights of the laws", first=True)
def ranking_figure(comparison: Comparison) -> Figure:
    """Held-out error of each law with its interval and its fitted error; beside it the weights."""
    entries = comparison.entries
    text = (
        f"{comparison.best.facts.runs} runs; held out in turn: {', '.join(comparison.rules)}; "
        "bars: "
        f"{percent(comparison.level)} intervals over held-out runs; weights: held-out "
        "predictions and AICc, bars their standard errors."
    )
    if comparison.refused:
        text += f" Not defined on these runs: {', '.join(comparison.refused)}."
    if comparison.warnings:
        text += f" Warnings: {', '.join(dict.fromkeys(c.kind for c in comparison.warnings))}."
    legend: list[tuple[Artist, str]] = [
        (Line2D([], [], color=INK, marker="o", linestyle="-"), "held-out error"),
        (
            Line2D([], [], color=INK, marker="D", markerfacecolor="white", linestyle=""),
            "fitted error",
        ),
    ]
    height = 0.26 * len(entries) + 0.7
    title = f"{len(entries)} laws on {', '.join(comparison.best.facts.sources) or 'the same runs'}"
    canvas, grid = Sheet(title, text, legend, WIDE, height).open(1, 2, (2.2, 1.0))
    left, right = canvas.add_subplot(grid[0]), canvas.add_subplot(grid[1])
    _errors(left, entries)
    _weights(right, entries)
    return Figure(settle(canvas), "ranking", text)


def _errors(axes: Axes, entries: tuple[Entry, ...]) -> None:
    rows = range(len(entries))
    held = 100 * np.array([(e.low, e.held_out_rmse, e.high) for e in entries])
    fitted = 100 * np.array([e.fit.fitted.log_rmse for e in entries])
    axes.hlines(rows, held[:, 0], held[:, 2], color=INK, linewidth=1.2)
    axes.plot(held[:, 1], rows, "o", color=INK)
    axes.plot(fitted, rows, "D", color=INK, markerfacecolor="white", markersize=3.4)
    everything = np.concatenate([held.ravel(), fitted])
    log_axis(axes, "x", everything[everything > 0], plain_number)
    axes.set_xlabel("root mean square error (% of loss)")
    _laws(axes, [e.fit.law.name for e in entries])


def _weights(axes: Axes, entries: tuple[Entry, ...]) -> None:
    weights = [e.weight for e in entries]
    axes.barh(range(len(entries)), weights, height=0.55, color=BLUE)
    errors = np.nan_to_num([e.weight_error for e in entries])
    axes.errorbar(weights, range(len(entries)), xerr=errors, fmt="none", ecolor=INK, linewidth=0.8)
    for y, (weight, error) in enumerate(zip(weights, errors, strict=True)):
        axes.annotate(
            f"{weight:.2f}",
            (min(weight + error, 1.0), y),
            (3, 0),
            textcoords="offset points",
            va="center",
            fontsize=SMALL,
        )
    axes.set_xlim(0, 1.18)
    fixed(axes.xaxis, [0.0, 0.25, 0.5, 0.75, 1.0])
    axes.set_xlabel("weight in the average")
    _laws(axes, [""] * len(entries))


def _laws(axes: Axes, names: list[str]) -> None:
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0, labelsize=SMALL + 0.5)
    axes.grid(False, axis="y")


@draws(Comparison, "levels", "residual of each law at each precision")
def levels_figure(comparison: Comparison) -> Figure:
    """Mean residual of each law at each precision, in % of the loss: where a law ranks low, this
    shows why.
    """
    entries = comparison.entries
    seen = entries[0].fit.points.precision
    names = list(styles(seen))
    table = np.column_stack([_means(e.fit, names) for e in entries])
    text = (
        "Mean of log predicted − log observed over the runs of each precision, in %; "
        "their number "
        "is behind the name, "
        f"{len(seen)} in all. Positive: the law predicts too much loss."
    )
    method = shared_method(seen)
    text += f" All rounding is {method}." if method else ""
    width = min(WIDE, 2.9 + 0.75 * len(entries))
    canvas, grid = Sheet("Where each law misses", text, (), width, 0.19 * len(names) + 0.8).open()
    axes = canvas.add_subplot(grid[0])
    _cells(axes, table)
    counts = Counter(seen)
    axes.set_yticks(range(len(names)), [f"{shorten(n, seen)} ({counts[n]})" for n in names])
    axes.set_xticks(range(len(entries)), [e.fit.law.name for e in entries], rotation=25, ha="left")
    return Figure(settle(canvas), "levels", text)


def _means(fit: Fit, names: list[str]) -> Array:
    own, residual = np.array(fit.points.precision, dtype=object), 100 * fit.points.residual
    return np.array([residual[own == name].mean() for name in names])


def _cells(axes: Axes, table: Array) -> None:
    """Coloured cells with their numbers, so that they are read in grey as well."""
    most = max(float(np.abs(table).max()), 1e-9)
    # One law that misses by much shall not whiten all others.
    norm = AsinhNorm(linear_width=most / 8, vmin=-most, vmax=most)
    image = axes.imshow(table, cmap="RdBu_r", norm=norm, aspect="auto")
    for (i, j), value in np.ndenumerate(table):
        ink = "white" if abs(float(norm(value)) - 0.5) > 0.34 else INK
        text = _signed(float(value), 2 if most < 10 else 1)
        axes.text(j, i, text, ha="center", va="center", fontsize=SMALL, color=ink)
    axes.grid(False)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    figure = axes.get_figure()
    assert figure is not None
    bar = figure.colorbar(image, ax=axes, aspect=25, pad=0.02, label="mean residual (%)")
    half = linear_ticks(0, most, 3)
    fixed(bar.ax.yaxis, [-t for t in half[:0:-1]] + half)


def _signed(value: float, digits: int) -> str:
    """The number with its sign, none where it rounds to zero."""
    text = f"{value:+.{digits}f}"
    return (text if float(text) else text[1:]).replace("-", "−")
