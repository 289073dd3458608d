"""Figures of a table of runs: loss against tokens, and the design of the table in params and
tokens.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from isoloss.laws import Array
from isoloss.plots.drawing import draws
from isoloss.plots.figure import Figure
from isoloss.plots.look import FAINT, INK, NARROW, SMALL, WIDE, Sheet, settle
from isoloss.plots.problems import PlotError
from isoloss.plots.sizes import Sizes, spread
from isoloss.plots.styles import Style, are_coarse, as_level, how_drawn, styles
from isoloss.plots.ticks import log_axis, plain_number
from isoloss.runs import Runs, compact, metric_of

#: More points than this are drawn as a picture inside the file, which would otherwise be large.
CLOUD = 3000
NOTE: dict[str, Any] = {"fontsize": SMALL, "color": "#555555"}
HALO: dict[str, Any] = {
    "boxstyle": "square,pad=0.1",
    "facecolor": "white",
    "edgecolor": "none",
    "alpha": 0.75,
}


@dataclass(frozen=True)
class Rows:
    """The usable rows of a table as arrays (n,), with the label of each row's precision and
    sparsity.
    """

    params: Array
    tokens: Array
    loss: Array
    level: NDArray[Any]
    trail: NDArray[Any]
    metric: str
    title: str
    caption: str

    @classmethod
    def of(cls, runs: Runs) -> Rows:
        """The table of some runs; PlotError where none is usable."""
        usable = runs.usable
        if not len(usable):
            raise PlotError(
                f"none of the {len(runs)} runs is usable, so there is nothing to draw; see "
                "runs.excluded"
            )
        sparsity = usable["sparsity"]
        names = [
            f"{p} {s}" if s else str(p) for p, s in zip(usable.precisions, sparsity, strict=True)
        ]
        sources = sorted({str(s) for s in usable["source"] if s})
        title = ", ".join(sources[:3]) + (
            f" and {len(sources) - 3} more" if len(sources) > 3 else ""
        )
        level = np.array(names, dtype=object)
        metric = str(usable["metric"][0])
        n, d, loss = usable["params"], usable["tokens"], usable["loss"]
        return cls(n, d, loss, level, _trails(usable), metric, title, counted(runs))

    @property
    def names(self) -> list[str]:
        """The label of every row."""
        return [str(name) for name in self.level]


def _trails(runs: Runs) -> NDArray[Any]:
    """What a line may join beside equal params: one model's checkpoints where groups are that,
    anything otherwise.
    """
    groups = runs["group"]
    return (
        groups if 0 < len(set(groups)) < len(runs) / 2 else np.full(len(runs), None, dtype=object)
    )


def counted(runs: Runs) -> str:
    """How many runs are drawn, and how many are left out for which status."""
    out = Counter(str(status) for status in runs.excluded["status"]) if len(runs.excluded) else {}
    left = ", ".join(f"{n} {status}" for status, n in sorted(out.items()))
    return f"{len(runs.usable)} runs" + (
        f"; not drawn: {left} (reasons in runs.excluded)." if left else "."
    )


@draws(Runs, "loss", "loss against tokens", first=True)
def loss_figure(runs: Runs) -> Figure:
    """Loss against tokens: colour and marker say the precision, or the params where only one
    precision is there.
    """
    table = Rows.of(runs)
    style = styles(table.names)
    one = len(style) == 1
    sizes = Sizes.of(table.params)
    legend = sizes.legend(True) if one else style_legend(style, True)
    caption = f"{table.caption} Lines join runs of equal params{'' if one else ' and precision'}."
    caption += f" Precision {table.names[0]}." if one else how_drawn(table.names)
    sheet = Sheet(
        f"Loss of {table.title or 'the runs'}", caption, legend, NARROW if one else WIDE, 3.1
    )
    canvas, grid = sheet.open()
    axes = canvas.add_subplot(grid[0])
    if one:
        _by_size(axes, table, sizes)
    else:
        _by_precision(axes, table, style)
        _name_sizes(axes, table, sizes)
    log_axis(axes, "x", table.tokens, beyond=0.0 if one else 0.08)
    log_axis(axes, "y", table.loss, plain_number)
    axes.set(xlabel="tokens", ylabel=metric_of(table.metric).axis)
    return Figure(settle(canvas), "loss", caption)


@draws(Runs, "design", "params and tokens of the runs")
def design_figure(runs: Runs) -> Figure:
    """Params against tokens: the area of a point counts its runs, a filled one has a run at the
    reference.
    """
    table = Rows.of(runs)
    cells: dict[tuple[float, float], list[str]] = {}
    for n, d, name in zip(table.params, table.tokens, table.names, strict=True):
        cells.setdefault((float(n), float(d)), []).append(name)
    faces = {
        cell: INK if any(as_level(name).is_reference for name in names) else "white"
        for cell, names in cells.items()
    }
    meaning = {INK: "a run at the reference precision is there", "white": "only rounded runs"}
    legend = [
        (Line2D([], [], color=INK, marker="o", markerfacecolor=face, linestyle=""), label)
        for face, label in meaning.items()
        if face in faces.values()
    ]
    caption = f"{table.caption} {len(cells)} cells; the area of a point is its number of runs."
    canvas, grid = Sheet(
        f"Design of {table.title or 'the runs'}", caption, legend, NARROW, 3.2
    ).open()
    axes = canvas.add_subplot(grid[0])
    log_axis(axes, "x", table.params, pad=0.1)
    log_axis(axes, "y", table.tokens, pad=0.1)
    _ratios(axes)
    _cells(axes, {cell: len(names) for cell, names in cells.items()}, faces)
    axes.set(xlabel="params", ylabel="tokens")
    return Figure(settle(canvas), "design", caption)


def _cells(
    axes: Axes, counts: dict[tuple[float, float], int], faces: dict[tuple[float, float], str]
) -> None:
    """One point a cell, with its number of runs beside it where there are few cells."""
    area = min(9.0, 250.0 / max(counts.values()))
    for cell, count in counts.items():
        axes.scatter(
            *cell, s=area * count, facecolor=faces[cell], edgecolor=INK, linewidth=0.7, zorder=3
        )
        if count > 1 and len(counts) <= 60:
            above = (0.0, 3 + 0.53 * float(np.sqrt(area * count)))
            axes.annotate(str(count), cell, above, textcoords="offset points", ha="center", **NOTE)


def style_legend(style: dict[str, Style], line: bool) -> list[tuple[Line2D, str]]:
    """One entry a label; levels that are shown by their bits alone share one."""
    return [
        (s.handle(line=line), label) for label, s in {s.label: s for s in style.values()}.items()
    ]


def _by_precision(axes: Axes, table: Rows, style: dict[str, Style]) -> None:
    for name, s in style.items():
        rows = np.flatnonzero(table.level == name)
        _joined(axes, table, rows, 3 if are_coarse(style) else 2, color=s.colour, linestyle=s.line)
        look: dict[str, Any] = {
            "color": s.colour,
            "markeredgecolor": "white",
            "markeredgewidth": 0.3,
        }
        axes.plot(
            table.tokens[rows],
            table.loss[rows],
            s.marker,
            rasterized=len(table.loss) > CLOUD,
            **look,
        )


def _by_size(axes: Axes, table: Rows, sizes: Sizes) -> None:
    for n in sizes.values:
        rows = np.flatnonzero(table.params == n)
        # Two or three runs of one size among many sizes are no curve.
        _joined(
            axes, table, rows, 2 if sizes.few else 4, color=sizes.colour(n), linestyle=sizes.line(n)
        )
        look: dict[str, Any] = {"color": sizes.colour(n), "markersize": 3 if sizes.few else 2.2}
        axes.plot(
            table.tokens[rows],
            table.loss[rows],
            sizes.marker(n),
            rasterized=len(table.loss) > CLOUD,
            **look,
        )
    if not sizes.few:
        sizes.scale(axes)


def _joined(axes: Axes, table: Rows, rows: NDArray[np.intp], least: int, **look: Any) -> None:
    """A thin line for each size and trail, through the mean loss at each of at least that many
    numbers of tokens.
    """
    for key in sorted({(table.params[i], str(table.trail[i])) for i in rows}):
        line = [i for i in rows if (table.params[i], str(table.trail[i])) == key]
        tokens, which = np.unique(table.tokens[line], return_inverse=True)
        if len(tokens) >= least:
            mean = np.bincount(which, table.loss[line]) / np.bincount(which)
            axes.plot(tokens, mean, linewidth=0.6, alpha=0.7, **look)


def _name_sizes(axes: Axes, table: Rows, sizes: Sizes) -> None:
    """Writes the size beside its lowest run."""
    for n in spread(sizes.values, 8):
        rows = np.flatnonzero(table.params == n)
        longest = rows[table.tokens[rows] >= 0.99 * table.tokens[rows].max()]
        best = longest[np.argmin(table.loss[longest])]
        place = (table.tokens[best], table.loss[best])
        axes.annotate(
            compact(n), place, (5, -1), textcoords="offset points", va="center", bbox=HALO, **NOTE
        )


def _ratios(axes: Axes) -> None:
    """Faint lines of equal tokens per param, named where they leave the panel."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    powers = np.arange(np.floor(np.log10(bottom / right)), np.ceil(np.log10(top / left)) + 1)
    for ratio in sorted({*(10.0 ** powers[powers != 1]), 20.0}):
        ends = max(left, bottom / ratio), min(right, top / ratio)
        if np.log(ends[1] / ends[0]) < 0.2 * np.log(right / left):
            continue
        axes.plot(
            ends, [ratio * x for x in ends], color=FAINT, linewidth=0.6, linestyle=":", zorder=1
        )
        rises = ends[1] < right
        look: dict[str, Any] = (
            {"ha": "center", "va": "bottom"} if rises else {"ha": "left", "va": "center"}
        )
        text = f"{compact(ratio)} token{'' if ratio == 1 else 's'}" + (
            " per param" if rises else "\nper param"
        )
        axes.annotate(
            text,
            (ends[1], ratio * ends[1]),
            (0, 2) if rises else (3, 0),
            textcoords="offset points",
            **look,
            **NOTE,
        )
