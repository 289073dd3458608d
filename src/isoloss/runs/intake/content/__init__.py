"""What the content of a table says of it: endings, units, runs along time, what is meant."""

from isoloss.runs.intake.content.charts import check_one_row_a_run
from isoloss.runs.intake.content.endings import ending_of, with_endings
from isoloss.runs.intake.content.hints import naming, ranked, repeats_named
from isoloss.runs.intake.content.magnitudes import LIKELY, check_magnitudes, tells_its_unit
from isoloss.runs.intake.content.trajectories import not_last, say_trajectories

# fmt: off
__all__ = [
    "LIKELY", "check_magnitudes", "check_one_row_a_run", "ending_of", "naming", "not_last",
    "ranked", "repeats_named", "say_trajectories", "tells_its_unit", "with_endings",
]
# fmt: on
