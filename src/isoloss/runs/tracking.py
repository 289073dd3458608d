"""Writing runs and results to a tracker, from where others of a group see them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isoloss.files import KINDS, save
from isoloss.runs.intake import LoggedResult, Sent, check_sendable, logged_rows, send_to
from isoloss.runs.problems import RunsError
from isoloss.runs.table import Runs


def log_runs(runs: Runs, to: str) -> Sent:
    """Write a table to a tracker: one run a row, with its settings as params, its loss as a metric,
    and licence and citation as tags.

    Reading the tracker gives the same table. A row that is there already is not written again, so
    that what was cut short is finished by saying the same once more.

    Parameters
    ----------
    runs
        The table, excluded rows too, which are marked as such.
    to
        An address, as "mlflow:http://localhost:5000#experiment" or "wandb:entity/project".

    Returns
    -------
    Sent
        How many runs were added, and how many were there.

    Raises
    ------
    RunsError
        Nothing can be written to that address, the client is not installed, or the server does not
        take it.
    """
    check_sendable(to)
    return send_to(to, logged_rows(runs.frame(), runs.provenance))


def log_result(
    value: Any,
    to: str,
    params: Mapping[str, Any] | None = None,
    metrics: Mapping[str, float] | None = None,
) -> Sent:
    """Write a result to a tracker, as a plan: one run with its file as an artifact.

    Parameters
    ----------
    value
        A value of a kind that is saved (`isoloss.files.KINDS`), as a plan or a fit.
    to
        An address, as of `log_runs`.
    params, metrics
        What the tracker shows of it beside the file.

    Raises
    ------
    RunsError
        As of `log_runs`, or the value is of no kind that is saved.
    """
    check_sendable(to)
    kind = next((name for name, each in KINDS.items() if each.cls is type(value)), None)
    if kind is None:
        raise RunsError(f"cannot log a {type(value).__name__}; logged are {', '.join(KINDS)}")
    with tempfile.TemporaryDirectory() as folder:
        file = save(value, Path(folder) / f"{kind.replace(' ', '_')}.json")
        return send_to(to, LoggedResult(kind, file, params or {}, metrics or {}))
