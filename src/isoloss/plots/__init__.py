"""One look for every figure: ``plot`` draws runs, fits, comparisons, laws, profiles and number formats."""

from isoloss.plots.figure import Figure
from isoloss.plots.plotting import KINDS, named_formats, plot
from isoloss.plots.problems import PlotError

__all__ = ["KINDS", "Figure", "PlotError", "named_formats", "plot"]
