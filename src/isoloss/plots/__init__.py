"""One look for every figure: ``plot`` draws runs, fits, comparisons, laws, plans and formats."""

from isoloss.plots.drawing import FIGURES, Drawing, draws
from isoloss.plots.figure import SUFFIXES, Figure
from isoloss.plots.plotting import Illustrated, kinds, named_formats, plot
from isoloss.plots.problems import PlotError
from isoloss.plots.reports import STYLE, Document, in_notebook, inline, report

# fmt: off
__all__ = [
    "FIGURES", "STYLE", "SUFFIXES", "Document", "Drawing", "Figure", "Illustrated", "PlotError",
    "draws", "in_notebook", "inline", "kinds", "named_formats", "plot", "report",
]
# fmt: on
