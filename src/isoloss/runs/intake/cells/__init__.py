"""Cells of a column: each different one looked at once, empty ones, and the texts of others."""

from isoloss.runs.intake.cells.once import by_frequency, different, each_once, more_than, rows_of
from isoloss.runs.intake.cells.texts import (
    EMPTY_NUMBERS,
    EMPTY_TEXTS,
    MOST_NAMES,
    listed,
    name_of,
    text_of,
)

# fmt: off
__all__ = [
    "EMPTY_NUMBERS", "EMPTY_TEXTS", "MOST_NAMES", "by_frequency", "different", "each_once",
    "listed", "more_than", "name_of", "rows_of", "text_of",
]
# fmt: on
