"""``isoloss score``: frozen forecasts against the runs that came after them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

import isoloss as il
from isoloss.cli.arguments import (
    A_TABLE,
    FIGURES,
    RESULTS,
    Reading,
    Saving,
    check_target,
    read_tables,
)
from isoloss.cli.manual import Example
from isoloss.cli.output import keep_result, say, show, show_json


def score(
    *,
    forecasts: Annotated[
        Path,
        typer.Argument(
            metavar="FORECAST",
            help="A frozen forecast, or a folder of them, whose chain of hashes is checked.",
            show_default=False,
        ),
    ],
    tables: Annotated[
        list[str],
        typer.Argument(metavar="TABLE", help=f"{A_TABLE}.", show_default=False),
    ],
    tolerance: Annotated[
        float,
        typer.Option(
            "--tolerance", help="How far params and tokens of a run may differ, as a share."
        ),
    ] = 0.01,
    reading: Reading,
    saving: Saving,
) -> None:
    """Say what frozen forecasts hit: coverage with its error, interval and log scores.

    A forecast that was changed after it was frozen is refused.
    """
    check_target(saving.output, RESULTS, saving.force, tables)
    check_target(saving.drawing, FIGURES, saving.force)
    if forecasts.is_dir():
        others = il.scores.ledger(forecasts).others  # refused before tables are read
        if others:
            say(f"no forecasts, and not checked: {', '.join(others)}")
    found = il.score(forecasts, read_tables(tables, reading), tolerance=tolerance)
    keep_result(found, saving.output, saving.force)
    if saving.drawing is not None:
        il.plot(found, saving.drawing, force=saving.force)
        say(f"drew {saving.drawing}")
    if saving.as_json:
        share, error = found.coverage
        told = {"coverage": share, "coverage_error": error, "distinct": found.distinct}
        means = {"interval_score": found.interval_score, "log_score": found.log_score}
        show_json("score", {**told, **means, **asdict(found)})
    else:
        show(found.sections())


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "score": (
        Example("isoloss score forecast.json runs.db", "when the runs are done", needs="runs.db"),
        Example(
            "isoloss score forecasts runs.db --plot score.svg",
            "a folder of forecasts, drawn",
            needs="a folder of forecasts",
        ),
    ),
}
