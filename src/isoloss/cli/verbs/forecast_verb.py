"""``isoloss forecast``: what a saved fit predicts, frozen before the runs."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Annotated

import typer

import isoloss as il
from isoloss.cli.arguments import (
    AsJson,
    kept,
    listed,
    saved_or_law,
)
from isoloss.cli.manual import Example
from isoloss.cli.output import say, show, show_json


def forecast(
    fit: Annotated[
        str,
        typer.Argument(metavar="FIT", help="A saved fit or comparison.", show_default=False),
    ],
    params: Annotated[
        list[str],
        typer.Option(
            "--params",
            metavar="N,N...",
            help="Params of the models, as 1B,7B. All are combined.",
            show_default=False,
        ),
    ],
    tokens: Annotated[
        list[str],
        typer.Option(
            "--tokens", metavar="D,D...", help="Tokens of their training.", show_default=False
        ),
    ],
    output: Annotated[
        Path,
        kept("The file of the forecast (.json); its folder is the ledger. None is replaced."),
    ],
    precision: Annotated[
        list[str] | None,
        typer.Option(
            "--precision",
            metavar="SPELLING,...",
            help="Precisions, as the runs will be spelled.",
            show_default="fp, no rounding",
        ),
    ] = None,
    gap: Annotated[
        bool,
        typer.Option("--gap", help="The loss less that of the same model without rounding."),
    ] = False,
    note: Annotated[
        str, typer.Option("--note", metavar="TEXT", help="What the reader should know.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Freeze what a fit predicts of runs that are not there yet.

    The file holds predictions with quantiles, the law, hashes of the fitted table and of the
    forecast before it in the same folder. Publish the hash that is printed: a change then shows.
    """
    il.scores.check_new(output)
    rows = list(
        product(
            map(il.runs.number, listed(params, "--params")),
            map(il.runs.number, listed(tokens, "--tokens")),
            listed(precision, "--precision") or ["fp"],
        )
    )
    sizes, lengths, names = (list(column) for column in zip(*rows, strict=True))
    known = saved_or_law(fit)
    found = il.forecast(known, sizes, lengths, names, gap=gap, note=note).save(output)
    say(f"froze {len(found)} points as {output}; publish its hash elsewhere: {found.hash}")
    if as_json:
        show_json("forecast", il.files.fields_of(found))
    else:
        show(found.sections())


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "forecast": (
        Example(
            "isoloss forecast fit.json --params 1B --tokens 20B,40B --precision bf16 "
            "-o forecast.json",
            "before the runs",
        ),
    ),
}
