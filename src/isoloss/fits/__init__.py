"""Laws fitted to runs: objective, solver, uncertainty, hold-outs, comparison, report."""

from isoloss.fits.caution import Caution
from isoloss.fits.compare_laws import Comparison, Entry, compare
from isoloss.fits.doubt import (
    Allocation,
    LackOfFit,
    Noise,
    Prediction,
    Profile,
    profile,
    profile_prediction,
)
from isoloss.fits.fitting import fit
from isoloss.fits.holdout import RULES, Split, rollout, split
from isoloss.fits.paired_gaps import CellGap, Gaps, GapTable, Growth, PrecisionGap, gap_table, gaps
from isoloss.fits.predicting import predict
from isoloss.fits.report import Section, text
from isoloss.fits.result import Errors, Fit, HeldOut, Points
from isoloss.fits.sample import FitError, Sample, as_sample
from isoloss.fits.saving import load, save
from isoloss.fits.simulating import draw_runs
from isoloss.fits.solve import Certificate, Objective, log_slopes

# fmt: off
__all__ = [
    "RULES", "Allocation", "Caution", "CellGap", "Certificate", "Comparison", "Entry", "Errors", "Fit",
    "FitError", "GapTable", "Gaps", "Growth", "HeldOut", "LackOfFit", "Noise", "Objective", "Points", "PrecisionGap",
    "Prediction", "Profile", "Sample", "Section", "Split", "as_sample", "compare", "draw_runs", "fit", "gap_table", "gaps",
    "load", "log_slopes", "predict", "profile", "profile_prediction", "rollout", "save", "split", "text",
]
# fmt: on
