"""The loss curves of a fit over its runs, each with its interval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from isoloss.files import percent
from isoloss.fits import Fit
from isoloss.laws import Array, DomainError, Grouped, Inputs, as_inputs
from isoloss.plots.drawing import draws
from isoloss.plots.figure import Figure
from isoloss.plots.look import NARROW, WIDE, Sheet, settle
from isoloss.plots.panels.fit_panels import DOT, RING, ring, titled
from isoloss.plots.panels.fit_panels import caption as fit_caption
from isoloss.plots.panels.runs_panels import style_legend
from isoloss.plots.problems import PlotError
from isoloss.plots.sizes import Sizes, spread
from isoloss.plots.styles import Style, are_coarse, as_level, how_drawn, styles
from isoloss.plots.ticks import log_axis, plain_number
from isoloss.runs import compact

#: At most this many panels (sizes) and lines in a panel (precisions, or sizes where there is one
#: precision).
PANELS, LINES = 6, 6
POINTS = 17


@dataclass(frozen=True)
class Observed:
    """The runs that curves pass over, arrays (n,), of one group where the law has a base for
    each.
    """

    params: Array
    tokens: Array
    loss: Array
    level: NDArray[Any]
    held_out: NDArray[np.bool_]
    group: str | None

    @classmethod
    def of(cls, fit: Fit) -> Observed:
        """The runs of a fit; those of its first group alone where the law has a base for each."""
        p = fit.points
        names = np.array(p.precision, dtype=object)
        if not isinstance(fit.law.formula, Grouped):
            return cls(
                p.params, p.tokens, p.observed, names, np.asarray(p.held_out, dtype=bool), None
            )
        group = fit.law.formula.groups[0]
        if fit.sample is None:
            raise PlotError(
                "cannot draw the curves of a fit with a base for each of "
                f"{', '.join(fit.law.formula.groups)} once it "
                "was saved, since the group of each run is not kept; draw kind 'fit', or fit again"
            )
        x = fit.sample.x
        rows = np.flatnonzero(x.group == x.groups.index(group))
        names = np.array([str(x.levels.items[k]) for k in x.level[rows]], dtype=object)
        none = np.zeros(len(rows), dtype=bool)
        return cls(x.params[rows], x.tokens[rows], fit.sample.loss[rows], names, none, group)


@draws(Fit, "curves", "loss curves over the runs")
def curves_figure(fit: Fit) -> Figure:
    """Fitted loss against tokens over the runs: a panel a size and a line a precision, or one panel
    of sizes.
    """
    seen = Observed.of(fit)
    style = styles(list(seen.level))
    text = fit_caption(fit)
    if len(fit.draws):
        text += f" Bands: {percent(fit.level)} interval of a new run."
    if seen.group is not None:
        text += f" Base of {seen.group}, over the runs it was fitted to."
    return _sizes(fit, seen, text) if len(style) == 1 else _panels(fit, seen, style, text)


def _panels(fit: Fit, seen: Observed, style: dict[str, Style], text: str) -> Figure:
    sizes = spread(Sizes.of(seen.params).values, PANELS)
    names = _commonest(list(style), seen)
    text += how_drawn(names)
    total = len(np.unique(seen.params)), len(style)
    style = styles(names) if are_coarse(style) else style
    if (len(sizes), len(names)) != total:
        text += f" Shown: {len(sizes)} of {total[0]} sizes, {len(names)} of {total[1]} precisions."
    legend = style_legend({name: style[name] for name in names}, True)
    legend += [(ring(), "held out")] if seen.held_out.any() else []
    across = 2 if len(sizes) in (2, 4) else min(len(sizes), 3)
    down = -(-len(sizes) // across)
    sheet = Sheet(titled(fit), text, legend, WIDE, 2.1 * down)
    canvas, grid = sheet.open(down, across)
    panels = []
    for i, n in enumerate(sizes):
        axes = canvas.add_subplot(grid[i // across, i % across])
        own = np.isin(seen.level, names) & (seen.params == n)
        for name in names:
            rows = own & (seen.level == name)
            if rows.any():
                s = style[name]
                _curve(axes, fit, seen, rows, _span(seen.tokens[own]), s.colour, s.line, s.marker)
        if own.any():
            log_axis(axes, "x", _span(seen.tokens[own]), pad=0.0, most=4)
        axes.set_title(f"{compact(n)} params")
        axes.set(xlabel="tokens", ylabel="" if i % across else "loss")
        panels.append(axes)
    _same_losses(panels)
    return Figure(settle(canvas), "curves", text)


def _sizes(fit: Fit, seen: Observed, text: str) -> Figure:
    counts = Counter(seen.params.tolist())
    busy = [n for n in Sizes.of(seen.params).values if counts[n] >= 0.5 * max(counts.values())]
    drawn = Sizes(tuple(spread(busy, LINES)))
    if len(drawn.values) < len(counts):
        text += f" Shown: {len(drawn.values)} of {len(counts)} sizes."
    legend = drawn.legend(True) + ([(ring(), "held out")] if seen.held_out.any() else [])
    canvas, grid = Sheet(titled(fit), text, legend, NARROW, 3.1).open()
    axes = canvas.add_subplot(grid[0])
    for n in drawn.values:
        rows = seen.params == n
        _curve(
            axes,
            fit,
            seen,
            rows,
            _span(seen.tokens[rows]),
            drawn.colour(n),
            drawn.line(n),
            drawn.marker(n),
        )
    log_axis(axes, "x", _span(seen.tokens[np.isin(seen.params, drawn.values)]), pad=0.02)
    axes.set(xlabel="tokens", ylabel="loss")
    _same_losses([axes])
    return Figure(settle(canvas), "curves", text)


def _commonest(names: Sequence[str], seen: Observed) -> list[str]:
    """The reference and some of the precisions of many runs, from many bits to few."""
    counts = Counter(seen.level.tolist())
    reference = [name for name in names if as_level(name).is_reference][:1]
    rounded = [name for name in names if not as_level(name).is_reference]
    most = max((counts[name] for name in rounded), default=0)
    often = [name for name in rounded if counts[name] >= 0.5 * most]
    return reference + spread(often, LINES - len(reference))


def _span(tokens: Array) -> Array:
    return np.geomspace(tokens.min() / 1.3, tokens.max() * 1.3, POINTS)


def _curve(
    axes: Axes,
    fit: Fit,
    seen: Observed,
    rows: NDArray[np.bool_],
    tokens: Array,
    colour: str,
    line: Any,
    marker: str,
) -> None:
    """One fitted line with its band, and the runs on it."""
    level, params = as_level(str(seen.level[rows][0])), float(seen.params[rows][0])
    try:
        x = _inputs(level.precision, level.sparsity, params, tokens, seen.group)
        axes.plot(tokens, fit.law.loss(x), color=colour, linestyle=line, linewidth=0.9)
        if len(fit.draws):
            # Point by point each interval is drawn with the same noise, so that the band is as
            # smooth as the law.
            bands = [fit.predict_inputs(x.take(np.array([i]))) for i in range(len(x))]
            low, high = (
                np.concatenate(ends) for ends in zip(*((b.low, b.high) for b in bands), strict=True)
            )
            axes.fill_between(tokens, low, high, color=colour, alpha=0.16, linewidth=0)
    except DomainError as error:
        raise PlotError(f"cannot draw the curve of {str(seen.level[rows][0])!r}: {error}") from None
    held = rows & seen.held_out
    axes.plot(seen.tokens[rows], seen.loss[rows], marker, color=colour, **DOT)
    axes.plot(seen.tokens[held], seen.loss[held], **RING)


def _inputs(
    precision: Any, sparsity: str | None, params: float, tokens: Array, group: str | None
) -> Inputs:
    n = len(tokens)
    return as_inputs(
        params,
        tokens,
        precision,
        sparsity=None if sparsity is None else [sparsity] * n,
        group=None if group is None else [group] * n,
    )


def _same_losses(panels: Sequence[Axes]) -> None:
    """Gives all panels one loss axis that holds every line and band."""
    limits = np.array(
        [axes.dataLim.intervaly for axes in panels if np.isfinite(axes.dataLim.intervaly).all()]
    )
    for axes in panels:
        log_axis(axes, "y", limits.ravel(), plain_number)
