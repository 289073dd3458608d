"""Runs that a tracker holds: one file a tracker, each registered in `SOURCES` under the word before
the colon of ``mlflow:URI#experiment``.

One more is a file in this folder (or a module of a user's own) that ends with
``SOURCES.register("aim", Source("FOLDER", rows_of_a_folder))``; help and messages list it.
"""

from isoloss.runs.intake.sources.asking import client, is_source, open_source, sources_in_words
from isoloss.runs.intake.sources.logged import LoggedRun, logged_rows
from isoloss.runs.intake.sources.secrets import without_secrets
from isoloss.runs.intake.sources.sending import check_sendable, send_to
from isoloss.runs.intake.sources.source import SOURCES, LoggedResult, Sent, Source, TrackedRow

# fmt: off
__all__ = [
    "SOURCES", "LoggedResult", "LoggedRun", "Sent", "Source", "TrackedRow", "check_sendable",
    "client", "is_source", "logged_rows", "open_source", "send_to", "sources_in_words",
    "without_secrets",
]
# fmt: on
