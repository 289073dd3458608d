"""One look for every figure: light, small type that stays legible at paper width, and the same
bytes every time.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.gridspec import GridSpecFromSubplotSpec
from matplotlib.layout_engine import ConstrainedLayoutEngine

#: Widths in inches: a column of a two-column paper takes half of WIDE.
NARROW, WIDE = 4.6, 7.0
INK, FAINT = "#141414", "#9a9a9a"
SMALL, NORMAL, TITLE = 6.5, 7.5, 9.0

#: Settings of matplotlib that differ from its own defaults; those of the user do not reach a
#: figure.
SETTINGS: dict[Any, Any] = {
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "figure.dpi": 150,
    "savefig.dpi": 220,
    "font.family": "DejaVu Sans",
    "font.size": NORMAL,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.labelsize": NORMAL,
    "axes.titlesize": NORMAL,
    "axes.titlelocation": "left",
    "axes.titlepad": 5.0,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.5,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.1,
    "lines.markersize": 4.0,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "svg.hashsalt": "isoloss",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
}


@contextmanager
def applied() -> Iterator[None]:
    """A context in which matplotlib draws in this look, whatever the user has set."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        yield


@dataclass(frozen=True)
class Sheet:
    """What surrounds the panels of a figure: a title above, legend and caption below; sizes in
    inches.
    """

    title: str
    caption: str
    legend: Sequence[tuple[Artist, str]] = ()
    width: float = WIDE
    height: float = 3.0

    def open(
        self, rows: int = 1, columns: int = 1, widths: Sequence[float] | None = None
    ) -> tuple[Canvas, GridSpecFromSubplotSpec]:
        """The canvas with title, legend and caption on it, and the grid that the panels stand
        on.
        """
        lines = textwrap.wrap(self.caption, int(self.width / 0.052))
        across = self._across()
        deep = -(-len(self.legend) // across) if self.legend else 0
        below = [0.128 * deep if deep else 0.01, 0.108 * len(lines) if lines else 0.01]
        layout = ConstrainedLayoutEngine(h_pad=0.035, w_pad=0.04, hspace=0.0, wspace=0.03)
        canvas = Canvas(figsize=(self.width, self.height + sum(below) + 0.4), layout=layout)
        outer = canvas.add_gridspec(3, 1, height_ratios=[self.height, *below])
        canvas.suptitle(self.title, x=0.012, ha="left", fontsize=TITLE, fontweight="bold")
        self._write_legend(canvas.add_subplot(outer[1]), across)
        note = canvas.add_subplot(outer[2])
        note.set_axis_off()
        note.text(
            0,
            1,
            "\n".join(lines),
            va="top",
            fontsize=SMALL,
            color="#555555",
            transform=note.transAxes,
        )
        return canvas, outer[0].subgridspec(rows, columns, width_ratios=widths)

    def _across(self) -> int:
        """How many entries of the legend fit side by side."""
        longest = max((len(label) for _, label in self.legend), default=0)
        return max(1, min(len(self.legend), int(self.width / (0.45 + 0.056 * longest))))

    def _write_legend(self, axes: Axes, across: int) -> None:
        axes.set_axis_off()
        if self.legend:
            handles, labels = zip(*self.legend, strict=True)
            axes.legend(
                handles,
                labels,
                loc="upper left",
                ncols=across,
                borderaxespad=0,
                borderpad=0,
                handlelength=2.2,
                labelspacing=0.25,
                columnspacing=1.4,
            )


def settle(canvas: Canvas) -> Canvas:
    """The canvas with its layout computed and held, so that every rendering of it is the same."""
    canvas.draw_without_rendering()
    canvas.set_layout_engine("none")
    return canvas
