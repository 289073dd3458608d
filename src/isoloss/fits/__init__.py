"""Laws fitted to runs: objective, solver, uncertainty, hold-outs, comparison, report."""

from isoloss.fits.allocation import Allocation
from isoloss.fits.caution import Caution
from isoloss.fits.comparison import Comparison, compare
from isoloss.fits.files import Files
from isoloss.fits.fitting import fit
from isoloss.fits.gap_growth import Growth
from isoloss.fits.gap_tables import CellGap, GapTable, PrecisionGap, gap_table
from isoloss.fits.gradients import log_slopes
from isoloss.fits.holdout import RULES, Split, rollout, split
from isoloss.fits.misfit import LackOfFit, Noise
from isoloss.fits.objective import Objective
from isoloss.fits.optimum import Certificate
from isoloss.fits.paired import Gaps, gaps
from isoloss.fits.predicting import predict
from isoloss.fits.prediction import Prediction
from isoloss.fits.profiles import Profile, profile, profile_prediction
from isoloss.fits.ranking import Entry
from isoloss.fits.report import Section, text
from isoloss.fits.result import Errors, Fit, HeldOut, Points
from isoloss.fits.sample import FitError, Sample, as_sample
from isoloss.fits.saving import FILES, load, save
from isoloss.fits.simulating import draw_runs

# fmt: off
__all__ = [
    "FILES", "RULES", "Allocation", "Caution", "CellGap", "Certificate", "Comparison", "Entry", "Errors", "Files", "Fit",
    "FitError", "GapTable", "Gaps", "Growth", "HeldOut", "LackOfFit", "Noise", "Objective", "Points", "PrecisionGap",
    "Prediction", "Profile", "Sample", "Section", "Split", "as_sample", "compare", "draw_runs", "fit", "gap_table", "gaps",
    "load", "log_slopes", "predict", "profile", "profile_prediction", "rollout", "save", "split", "text",
]
# fmt: on
