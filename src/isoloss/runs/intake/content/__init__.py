"""What the content of a table says of it: endings, units, runs along time, what is meant."""

from isoloss.runs.intake.content.charts import check_one_row_a_run
from isoloss.runs.intake.content.decimals import with_points
from isoloss.runs.intake.content.endings import ending_of, unknown_endings, with_endings
from isoloss.runs.intake.content.file_names import called, check_once, told_apart
from isoloss.runs.intake.content.headings import check_one_header, summing_up
from isoloss.runs.intake.content.hints import names_a_column, naming, ranked, repeats_named
from isoloss.runs.intake.content.histories import (
    evaluations_of,
    is_one_run,
    with_run,
)
from isoloss.runs.intake.content.magnitudes import LIKELY, check_magnitudes, tells_its_unit
from isoloss.runs.intake.content.other_kinds import check_is_header, check_is_text
from isoloss.runs.intake.content.repeated_rows import copies, repeated
from isoloss.runs.intake.content.separators import COMMENT, Top, top_of
from isoloss.runs.intake.content.trajectories import not_last, say_trajectories

# fmt: off
__all__ = [
    "COMMENT", "LIKELY", "Top", "called", "check_is_header", "check_is_text", "check_magnitudes",
    "check_once", "check_one_header", "check_one_row_a_run", "copies", "ending_of",
    "evaluations_of", "is_one_run", "names_a_column", "naming", "not_last", "ranked", "repeated",
    "repeats_named", "say_trajectories", "summing_up", "tells_its_unit", "told_apart", "top_of",
    "unknown_endings", "with_endings", "with_points", "with_run",
]
# fmt: on
