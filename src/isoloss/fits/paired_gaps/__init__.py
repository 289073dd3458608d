"""What a precision costs: gaps of paired runs, and how they grow."""

from isoloss.fits.paired_gaps.gap_growth import Growth
from isoloss.fits.paired_gaps.gap_runs import as_gaps, is_gaps, mean_gaps
from isoloss.fits.paired_gaps.gap_tables import gap_table
from isoloss.fits.paired_gaps.gap_values import CellGap, GapTable, PrecisionGap
from isoloss.fits.paired_gaps.paired import (
    Gaps,
    GapScore,
    LevelGap,
    Slope,
    gaps,
    gaps_of,
)
from isoloss.fits.paired_gaps.pairing import is_reference, reference_mask
from isoloss.fits.paired_gaps.switch_values import (
    Decayed,
    Fading,
    Kept,
    ScheduleEffects,
    Switch,
)
from isoloss.fits.paired_gaps.switching import schedule_effects
from isoloss.fits.paired_gaps.targets import Target, check_target, gapless, laws_of, runs_of

# fmt: off
__all__ = [
    "CellGap", "Decayed", "Fading", "GapScore", "GapTable", "Gaps", "Growth", "Kept", "LevelGap",
    "PrecisionGap", "ScheduleEffects", "Slope", "Switch", "Target", "as_gaps", "check_target",
    "gap_table", "gapless", "gaps", "gaps_of", "is_gaps", "is_reference", "laws_of", "mean_gaps",
    "reference_mask", "runs_of", "schedule_effects",
]
# fmt: on
