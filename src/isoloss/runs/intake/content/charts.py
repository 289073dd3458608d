"""Exports of a chart, one column a run, are no table of runs: said with what to export instead."""

from __future__ import annotations

from collections.abc import Sequence

from isoloss.runs.problems import RunsError

_ENDS = ("__MIN", "__MAX")
#: What stands in the first column of a chart's export, in lower case.
_STEPS = frozenset({
    "step", "_step", "steps", "global_step", "trainer/global_step", "epoch", "wall time",
    "relative time (process)", "relative time (wall)", "timestamp", "_timestamp", "_runtime",
})  # fmt: skip


def check_one_row_a_run(columns: Sequence[str], name: str) -> None:
    """Raise RunsError for the columns of a chart's export: 'run - loss', with or without __MIN and
    __MAX.

    Such a file says neither params nor tokens of its runs.
    """
    curves = _curves(columns)
    if not curves:
        return
    run, _, metric = curves[0].rpartition(" - ")
    raise RunsError(
        f"{name} is the export of a chart, one column a run ({len(curves)} of '{metric}', the "
        f"first of run '{run}') and one row a step, without params and tokens: export the table of "
        "runs instead, one row a run with its configuration and last losses, or a history with a "
        "column that names the run, and read it with --last"
    )


def _curves(columns: Sequence[str]) -> list[str]:
    """The columns that are a curve of a run each; none in any other table."""
    known = set(columns)
    curves = [column for column in columns if " - " in column and not column.endswith(_ENDS)]
    if any(all(f"{curve}{end}" in known for end in _ENDS) for curve in curves):
        return [curve for curve in curves if f"{curve}{_ENDS[0]}" in known]
    rest = [column for column in columns if " - " not in column]
    metrics = {curve.rpartition(" - ")[2] for curve in curves}
    alone = len(metrics) == 1 and all(column.lower() in _STEPS for column in rest)
    return curves if alone else []
