"""How model sizes look: one colour each, light for small and dark for large, or a colour scale
where they are many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, LogNorm, to_hex
from matplotlib.lines import Line2D

from isoloss.laws import Array
from isoloss.plots.styles import LINES, MARKERS
from isoloss.plots.ticks import fixed, log_ticks
from isoloss.runs import compact

T = TypeVar("T")
#: More sizes than this get a colour scale instead of a legend.
MOST = 8


@dataclass(frozen=True)
class Sizes:
    """The distinct params of some runs and the colour of each."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, params: Array) -> Sizes:
        """The sizes among some params."""
        return cls(tuple(float(v) for v in np.unique(params)))

    @property
    def few(self) -> bool:
        """Whether a legend can hold them."""
        return len(self.values) <= MOST

    def colour(self, params: float) -> str:
        """The colour of one size."""
        red, green, blue, _ = self._map.to_rgba(np.array([params]))[0]
        return to_hex((float(red), float(green), float(blue)))

    def marker(self, params: float) -> str:
        """The marker of one size, each its own where they are few."""
        return MARKERS[self.values.index(params) % len(MARKERS)] if self.few else "o"

    def line(self, params: float) -> str | tuple[int, tuple[int, ...]]:
        """The line of one size, each its own where they are few."""
        return LINES[self.values.index(params) % len(LINES)] if self.few else "-"

    def legend(self, line: bool) -> list[tuple[Line2D, str]]:
        """Handles and labels, largest first; nothing where they are many."""
        shown = sorted(self.values, reverse=True) if self.few else []
        return [(self._handle(v, line), compact(v)) for v in shown]

    def scale(self, axes: Axes) -> None:
        """A colour scale beside the axes."""
        figure = axes.get_figure()
        assert figure is not None
        bar = figure.colorbar(self._map, ax=axes, label="params", aspect=30, pad=0.02)
        fixed(bar.ax.yaxis, log_ticks(self.values[0], self.values[-1], 7), compact)

    def _handle(self, params: float, line: bool) -> Line2D:
        style = self.line(params) if line else ""
        return Line2D(
            [],
            [],
            color=self.colour(params),
            marker=self.marker(params),
            linestyle=style,  # type: ignore[arg-type]
        )

    @property
    def _map(self) -> ScalarMappable:
        # The pale end of the map is left out: it cannot be seen on white.
        shades = matplotlib.colormaps["viridis_r"](np.linspace(0.18, 1.0, 64))
        low, high = self.values[0], self.values[-1]
        norm = LogNorm(low if high > low else low / 1.01, high)
        return ScalarMappable(norm, LinearSegmentedColormap.from_list("sizes", list(shades)))


def spread(values: Sequence[T], most: int) -> list[T]:
    """At most ``most`` of the values, the ends among them and the rest evenly chosen by rank."""
    if len(values) <= most:
        return list(values)
    return [
        values[i] for i in np.unique(np.round(np.linspace(0, len(values) - 1, most)).astype(int))
    ]
