"""One look for every figure: ``plot`` draws runs, fits, comparisons, laws and profiles."""

from isoloss.plots.figure import Figure
from isoloss.plots.plotting import KINDS, plot
from isoloss.plots.problems import PlotError

__all__ = ["KINDS", "Figure", "PlotError", "plot"]
