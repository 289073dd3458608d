"""The figure of number formats: the numbers that each can be, and how large its rounding error is
at each magnitude.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from isoloss.formats import Format
from isoloss.plots.drawing import draws
from isoloss.plots.figure import Figure
from isoloss.plots.look import FAINT, INK, NARROW, SMALL, Sheet, settle
from isoloss.plots.problems import PlotError
from isoloss.plots.styles import styles
from isoloss.plots.ticks import fixed, written

#: Formats with more numbers than this have no grid that an eye could tell apart.
MOST_NUMBERS = 2**16
OCTAVES = 10


@draws(Format, "grids", "numbers and errors by magnitude", first=True)
def grids_figure(formats: Format | Sequence[Format]) -> Figure:
    """Each format's numbers over its largest one, and the rms error over x against x, both before
    any scale.

    Raises PlotError for formats without a grid: fp, ideal noise, own quantisers, and very wide
    ones.
    """
    formats = [formats] if isinstance(formats, Format) else formats
    for known in formats:
        if known.levels is None or known.levels > MOST_NUMBERS:
            raise PlotError(
                f"'{known}' has no grid that can be drawn; int4, e4m3 or mxfp4 have one"
            )
    names = [str(known) for known in formats]
    legend = [(style.handle(line=True), name) for name, style in styles(names).items()]
    text = (
        "Numbers that an element can be, over the largest; a scale stretches all of them alike. "
        "Below: root mean square of "
        "rounding to nearest over x, averaged over a factor of 2 around it: level where a format "
        "acts by factors (floats), "
        "falling where it adds noise (integers)."
    )
    height = 0.34 * len(formats) + 2.3
    canvas, grid = Sheet(" ".join(names), text, legend, NARROW, height).open(2)
    grid.set_height_ratios([0.34 * len(formats) + 0.2, 2.1])
    _draw_numbers(canvas.add_subplot(grid[0]), formats)
    _draw_errors(canvas.add_subplot(grid[1]), formats)
    return Figure(settle(canvas), "grids", text)


def _draw_numbers(axes: Axes, formats: Sequence[Format]) -> None:
    style = styles([str(known) for known in formats])
    for row, known in enumerate(formats):
        over = known.grid / known.max
        thin = 0.9 if len(over) <= 64 else 0.25
        axes.vlines(over, row - 0.32, row + 0.32, color=style[str(known)].colour, linewidth=thin)
        axes.annotate(
            f"{len(over)}", (1, row), (4, 0), xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center", fontsize=SMALL, color=FAINT, annotation_clip=False,
        )  # fmt: skip
    axes.set_yticks(range(len(formats)), [str(known) for known in formats])
    axes.set_ylim(len(formats) - 0.5, -0.5)
    axes.grid(False)
    axes.set_xlabel("number / largest")


def _draw_errors(axes: Axes, formats: Sequence[Format]) -> None:
    style = styles([str(known) for known in formats])
    x = np.exp2(np.linspace(-OCTAVES, 0, 48 * OCTAVES + 1))
    for known in formats:
        name = str(known)
        positive = known.grid[known.grid >= 0] / known.max
        nearest = (
            positive[np.searchsorted((positive[1:] + positive[:-1]) / 2, x)]
            if len(positive) > 1
            else 1.0
        )
        window = np.ones(48) / 48
        smooth = np.sqrt(np.convolve(((nearest - x) / x) ** 2, window, mode="valid"))
        middles = np.exp2(np.convolve(np.log2(x), window, mode="valid"))
        axes.plot(
            middles, np.maximum(smooth, 1e-9), color=style[name].colour, linestyle=style[name].line,
            marker=style[name].marker, markevery=60,
        )  # fmt: skip
    axes.axhline(1.0, color=INK, linewidth=0.6, linestyle=":")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    fixed(
        axes.xaxis,
        [2.0**-k for k in range(OCTAVES, -1, -2)],
        lambda v: f"2^{np.log2(v):.0f}".replace("-", "−"),
    )
    low, high = axes.get_ylim()
    ends = range(int(np.floor(np.log2(low))), int(np.ceil(np.log2(high))) + 1)
    fixed(axes.yaxis, [2.0**k for k in ends][:: max(1, len(ends) // 6)], lambda v: written(v, 2))
    axes.set(xlabel="x / largest", ylabel="rms error / x")
