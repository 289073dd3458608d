"""What the front door offers: rooms, types and verbs; the loader reads the imports of this file."""

from . import files as files
from . import fits as fits
from . import formats as formats
from . import laws as laws
from . import linear as linear
from . import lm as lm
from . import papers as papers
from . import plans as plans
from . import plots as plots
from . import runs as runs
from . import scores as scores
from .files import use
from .fits import Comparison, Fit, compare, fit, predict
from .formats import Format, Precision
from .laws import Law
from .linear import SGD, Regression, Risk, simulate
from .lm import quantise, train
from .papers import Claim, reproduce
from .plans import Budget, NextRuns, Plan, load, next_runs, pays, plan
from .plots import plot, report
from .runs import Grid, Run, Runs, read
from .scores import Forecast, forecast, score

__all__ = [
    "SGD",
    "Budget",
    "Claim",
    "Comparison",
    "Fit",
    "Forecast",
    "Format",
    "Grid",
    "Law",
    "NextRuns",
    "Plan",
    "Precision",
    "Regression",
    "Risk",
    "Run",
    "Runs",
    "compare",
    "files",
    "fit",
    "fits",
    "forecast",
    "formats",
    "laws",
    "linear",
    "lm",
    "load",
    "next_runs",
    "papers",
    "pays",
    "plan",
    "plans",
    "plot",
    "plots",
    "predict",
    "quantise",
    "read",
    "report",
    "reproduce",
    "runs",
    "score",
    "scores",
    "simulate",
    "train",
    "use",
]
__version__: str
