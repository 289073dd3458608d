"""Public tables of runs that are read by name."""

from isoloss.runs.published.fetching import data_folder
from isoloss.runs.published.public_table import PublicFile, PublicTable
from isoloss.runs.published.registry import TABLES, bundled_table, load_table, provenance_of

__all__ = [
    "TABLES",
    "PublicFile",
    "PublicTable",
    "bundled_table",
    "data_folder",
    "load_table",
    "provenance_of",
]
