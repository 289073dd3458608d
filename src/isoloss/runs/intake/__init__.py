"""What comes in: files opened, columns named and checked."""

from isoloss.runs.intake.arranging import Arranged, arranged, with_constant
from isoloss.runs.intake.check import checked, with_reasons
from isoloss.runs.intake.content import (
    check_magnitudes,
    check_once,
    copies,
    not_last,
    repeated,
    say_trajectories,
    summing_up,
    told_apart,
)
from isoloss.runs.intake.frames import frame_of
from isoloss.runs.intake.how_read import Understood, noted, notes_of, understood
from isoloss.runs.intake.loss_units import unit_in_name
from isoloss.runs.intake.opening import open_bytes, open_file
from isoloss.runs.intake.origin import Origin
from isoloss.runs.intake.reader import READERS, Opened, Reader
from isoloss.runs.intake.sources import (
    SOURCES,
    LoggedResult,
    LoggedRun,
    Sent,
    Source,
    TrackedRow,
    check_sendable,
    client,
    is_source,
    logged_rows,
    open_source,
    send_to,
    sources_in_words,
    without_secrets,
)
from isoloss.runs.intake.table_map import TableMap, check_maps, map_for, read_apart
from isoloss.runs.intake.typed import without_unit

# fmt: off
__all__ = [
    "READERS", "SOURCES", "Arranged", "LoggedResult", "LoggedRun", "Opened", "Origin", "Reader",
    "Sent", "Source", "TableMap", "TrackedRow", "Understood", "arranged", "check_magnitudes",
    "check_maps", "check_once", "check_sendable", "checked", "client", "copies", "frame_of",
    "is_source", "logged_rows", "map_for", "not_last", "noted", "notes_of", "open_bytes",
    "open_file", "open_source", "read_apart", "repeated", "say_trajectories", "send_to",
    "sources_in_words", "summing_up", "told_apart", "understood", "unit_in_name", "with_constant",
    "with_reasons", "without_secrets", "without_unit",
]
# fmt: on
