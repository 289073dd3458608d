"""The report: one HTML file that asks for nothing, of any values that say what they are."""

from isoloss.plots.reports.document import Document
from isoloss.plots.reports.inlining import inline
from isoloss.plots.reports.look import STYLE
from isoloss.plots.reports.notebooks import (
    in_notebook,
)
from isoloss.plots.reports.reporting import report

__all__ = [
    "STYLE",
    "Document",
    "in_notebook",
    "inline",
    "report",
]
