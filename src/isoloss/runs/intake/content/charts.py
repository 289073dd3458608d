"""Exports of a chart, one column a run, are no table of runs: said with what to export instead."""

from __future__ import annotations

from collections.abc import Sequence

from isoloss.runs.problems import RunsError

_ENDS = ("__MIN", "__MAX")


def check_one_row_a_run(columns: Sequence[str], name: str) -> None:
    """Raise RunsError for the columns of a chart's export: 'run - loss', with __MIN and __MAX.

    Such a file says neither params nor tokens of its runs.
    """
    known = set(columns)
    curves = [
        column for column in columns
        if " - " in column and all(f"{column}{end}" in known for end in _ENDS)
    ]  # fmt: skip
    if not curves:
        return
    run, _, metric = curves[0].rpartition(" - ")
    raise RunsError(
        f"{name} is the export of a chart, one column a run ({len(curves)} of '{metric}', the "
        f"first of run '{run}') and one row a step, without params and tokens: export the table of "
        "runs instead, one row a run with its configuration and last losses, or a history with a "
        "column that names the run, and read it with --last"
    )
