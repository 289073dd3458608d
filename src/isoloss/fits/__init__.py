"""Laws fitted to runs: objective, solver, uncertainty, hold-outs, comparison, report.

``fit`` takes a law and runs and gives a `Fit`, the law with its evidence; ``compare`` ranks
several laws by what they predict unseen. Read in this order: `arguments` and `sample` (what comes
in), `solve` (the least objective), `units` (what depends on what), `doubt` (intervals), `identify`
(what the runs cannot tell), `paired_gaps` (no law needed), `gauging` (a run under way), `evidence`
(hold-outs, warnings, report), `result` (the fit), `compare_laws`. Open sets: hold-out rules
(`RULES`), `OBJECTIVES`, `RESIDUAL_LOSSES`.

Kinds of warnings, each with its cause and remedy in `WarningKind`: "lack_of_fit", "untested",
"unseen_parts", "few_groups", "held_out", "not_covered", "at_bound", "not_identified",
"small_alpha", "collinear_design", "base_misfit", "starts_disagree", "not_converged", "no_signal",
"not_in_data", "duplicate_rows", "undeclared_units", "split_cells", "odd_row", "odd_counts",
"rising_loss", "few_runs", "few_draws", "negative_gaps", "unknown_errors", "missed_precision",
"undefined_draws", "not_defined", "unseen_repeats", "extrapolation", "no_interval",
"laws_disagree", "out_of_memory", "mixture_of_experts".
"""

from isoloss.fits.arguments import FitError
from isoloss.fits.compare_laws import Comparison, Entry, compare
from isoloss.fits.doubt import (
    FAR,
    ComputeSplit,
    Discrepancy,
    HiddenBend,
    LackOfFit,
    LeftOut,
    Noise,
    Prediction,
    Profile,
    ends_in_words,
    interval_in_words,
    loss_in_words,
    most_epochs,
    repetition_warnings,
    share_in_words,
    share_of,
    too_many_epochs,
)
from isoloss.fits.evidence import (
    RULES,
    Errors,
    HeldOut,
    Points,
    Rule,
    Split,
    law_form,
    law_sections,
    rollout,
    split,
)
from isoloss.fits.fitting import fit, trial
from isoloss.fits.gauging import Crossing, Expectation, Found, Gauge, PairedLogs, gauge
from isoloss.fits.identify import Along, join_ridges
from isoloss.fits.paired_gaps import (
    CellGap,
    Gaps,
    GapTable,
    Growth,
    PrecisionGap,
    ScheduleEffects,
    Target,
    gap_table,
    gaps,
    is_gaps,
    mean_gaps,
    schedule_effects,
)
from isoloss.fits.predicting import predict
from isoloss.fits.presets import SHIPPED, Update, leave_out, shipped_fit, update
from isoloss.fits.profiling import profile, profile_prediction
from isoloss.fits.result import Fit
from isoloss.fits.sample import Sample, as_sample, excluded_by_reason, left_out_in_words
from isoloss.fits.saving import load, save
from isoloss.fits.sections import (
    NOT_HELD,
    POINT_LAW,
    UNDEFINED,
    UNKNOWN,
    Absent,
    Section,
    html,
    is_aligned,
    text,
)
from isoloss.fits.seeing import Standing, View, asked_of, views
from isoloss.fits.simulating import draw_runs
from isoloss.fits.solve import (
    OBJECTIVES,
    RESIDUAL_LOSSES,
    Certificate,
    Objective,
    ResidualLoss,
    log_slopes,
)
from isoloss.fits.units import Units
from isoloss.fits.warning import INHERITED, ResultWarning, WarningKind, by_law, withholds

# fmt: off
__all__ = [
    "FAR", "INHERITED", "NOT_HELD", "OBJECTIVES", "POINT_LAW", "RESIDUAL_LOSSES", "RULES",
    "SHIPPED", "UNDEFINED", "UNKNOWN", "Absent", "Along", "CellGap", "Certificate", "Comparison",
    "ComputeSplit", "Crossing", "Discrepancy", "Entry", "Errors", "Expectation", "Fit", "FitError",
    "Found", "GapTable", "Gaps", "Gauge", "Growth", "HeldOut", "HiddenBend", "LackOfFit", "LeftOut",
    "Noise", "Objective", "PairedLogs", "Points", "PrecisionGap", "Prediction", "Profile",
    "ResidualLoss", "ResultWarning", "Rule", "Sample", "ScheduleEffects", "Section", "Split",
    "Standing", "Target", "Units", "Update", "View", "WarningKind", "as_sample", "asked_of",
    "by_law", "compare", "draw_runs", "ends_in_words", "excluded_by_reason", "fit", "gap_table",
    "gaps", "gauge", "html", "interval_in_words", "is_aligned", "is_gaps", "join_ridges",
    "law_form", "law_sections", "leave_out", "left_out_in_words", "load", "log_slopes",
    "loss_in_words", "mean_gaps", "most_epochs", "predict", "profile", "profile_prediction",
    "repetition_warnings", "rollout", "save", "schedule_effects", "share_in_words", "share_of",
    "shipped_fit", "split", "text", "too_many_epochs", "trial", "update", "views", "withholds",
]
# fmt: on
