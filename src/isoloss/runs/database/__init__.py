"""The file of a store, SQLite: opened, checked and written whole, with a checksum for every row."""

from isoloss.runs.database.checksums import CHECKSUM, check, checksum
from isoloss.runs.database.replacing import logs, replace_store
from isoloss.runs.database.store_file import (
    COVERED,
    TABLES,
    full,
    gone,
    has_column,
    has_room,
    held,
    quoted,
    reading,
    writing,
)

# fmt: off
__all__ = [
    "CHECKSUM", "COVERED", "TABLES", "check", "checksum", "full", "gone", "has_column", "has_room",
    "held", "logs", "quoted", "reading", "replace_store", "writing",
]
# fmt: on
