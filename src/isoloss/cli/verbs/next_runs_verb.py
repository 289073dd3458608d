"""``isoloss next-runs``: a saved fit and a budget in; the runs that make a plan surer out."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

import isoloss as il
from isoloss.cli.arguments import (
    DOUBT,
    OUTPUT,
    TABLES,
    AsJson,
    Force,
    Level,
    Spending,
    check_target,
    listed,
)
from isoloss.cli.manual import Example
from isoloss.cli.output import say, show, show_json
from isoloss.cli.refusing import Refused

LEARN = "What is to be learned"
RUNS = "Which runs are possible"


def next_runs(
    *,
    fit: Annotated[
        Path,
        typer.Argument(
            metavar="FIT", help="A fit that 'isoloss fit -o' saved.", show_default=False
        ),
    ],
    hardware: Annotated[
        str,
        typer.Option(
            "--hardware",
            metavar="NAME",
            help="The machine of the runs and of the plan: {machines}.",
            show_default=False,
        ),
    ],
    target: Annotated[
        str,
        typer.Option(
            "--target",
            metavar="FLOP",
            rich_help_panel=LEARN,
            help="Compute of the plan whose params are to be learned, as 1e22flop.",
            show_default=False,
        ),
    ],
    target_precision: Annotated[
        list[str] | None,
        typer.Option(
            "--target-precision",
            metavar="SPELLING",
            rich_help_panel=LEARN,
            help="Precisions of that plan, separated by commas.",
            show_default="those of the fitted runs",
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            "--group",
            metavar="NAME",
            rich_help_panel=LEARN,
            help="Group whose constants are used, where a law has several.",
        ),
    ] = None,
    spending: Spending,
    precision: Annotated[
        list[str] | None,
        typer.Option(
            "--precision",
            metavar="SPELLING",
            rich_help_panel=RUNS,
            help="Precisions to run in, separated by commas.",
            show_default="those of the fitted runs",
        ),
    ] = None,
    params: Annotated[
        str | None,
        typer.Option(
            "--params",
            metavar="LOW,HIGH",
            rich_help_panel=RUNS,
            help="Smallest and largest model, as 10M,400M.",
            show_default="as fitted, and up to 4 times larger",
        ),
    ] = None,
    tokens: Annotated[
        str | None,
        typer.Option(
            "--tokens",
            metavar="LOW,HIGH",
            rich_help_panel=RUNS,
            help="Shortest and longest run, as 1B,40B.",
            show_default="as fitted, and up to 4 times longer",
        ),
    ] = None,
    max_runs: Annotated[
        int, typer.Option("--max-runs", min=1, rich_help_panel=RUNS, help="How many at most.")
    ] = 32,
    max_seeds: Annotated[
        int,
        typer.Option("--max-seeds", min=1, rich_help_panel=RUNS, help="Seeds of one run at most."),
    ] = 8,
    noise: Annotated[
        float | None,
        typer.Option(
            "--noise",
            rich_help_panel=DOUBT,
            help="Standard deviation of log loss.",
            show_default="that of the fit's residuals",
        ),
    ] = None,
    level: Level = 0.9,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            rich_help_panel=OUTPUT,
            help="Write one row a run (.csv .tsv .parquet .json .jsonl), to fill in its loss.",
        ),
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Choose the next runs: those that narrow the interval of a plan's params most for their cost.

    Where losses are as noisy in small runs as in large ones, several small runs and few large ones
    at the edges of what can be paid teach more than a regular grid. The report says how much: the
    interval of the params now, expected after these runs, and after the best regular grid of the
    same cost.
    """
    check_target(output, TABLES, force)
    saved = il.load(fit)
    if not isinstance(saved, il.Fit):
        raise Refused(
            f"'{fit}' holds a {type(saved).__name__.lower()}; next runs are chosen for one fit"
        )
    found = il.next_runs(
        saved,
        il.Budget(**vars(spending)),
        hardware,
        target=il.Budget(target),
        target_precision=listed(target_precision, "--target-precision") or None,
        precision=listed(precision, "--precision") or None,
        params=_ends(params, "--params"),
        tokens=_ends(tokens, "--tokens"),
        max_runs=max_runs,
        max_seeds=max_seeds,
        noise=noise,
        level=level,
        group=group,
    )
    if output is not None:
        found.save(output, force)
        say(f"wrote {output}")
    if as_json:
        units = {
            "params": "parameters",
            "tokens": "tokens",
            "flop": "FLOPs of bf16",
            "width": "most over least",
        }
        show_json("next_runs", {"from": str(fit), "units": units, **asdict(found)})
    else:
        show(found.sections())


def _ends(text: str | None, what: str) -> tuple[str, str] | None:
    if text is None:
        return None
    ends = listed([text], what)
    if len(ends) != 2:
        raise typer.BadParameter(
            f"{text!r} has {len(ends)} values; give least and most", param_hint=what
        )
    return ends[0], ends[1]


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "next-runs": (
        Example(
            "isoloss next-runs fit.json --train 1e20flop --hardware h100 --target 1e22flop",
            "the runs for 1e20 FLOPs that teach most about the params of a plan for 1e22",
        ),
        Example(
            "isoloss next-runs fit.json --hours 24h --devices 8 --hardware h100 --target 1e22flop "
            "--target-precision bf16 "
            "--params 10M,400M --max-runs 12 -o runs.csv",
            "a day on 8 devices, for a model of one precision, kept as a table to fill in",
        ),
    ),
}
