"""One look for every figure: ``plot`` draws runs, fits, comparisons, laws, plans and formats."""

from isoloss.plots.drawing import FIGURES, Drawing, draws
from isoloss.plots.figure import SUFFIXES, Figure
from isoloss.plots.plotting import Illustrated, kinds, named_formats, plot
from isoloss.plots.problems import PlotError

# fmt: off
__all__ = [
    "FIGURES", "SUFFIXES", "Drawing", "Figure", "Illustrated", "PlotError", "draws", "kinds",
    "named_formats", "plot",
]
# fmt: on
