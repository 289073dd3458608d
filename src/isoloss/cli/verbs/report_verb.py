"""``isoloss report``: saved results, tables and laws on one page for readers who have no Python."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

import isoloss as il
from isoloss.cli.arguments import (
    A_TABLE,
    PAGES,
    AsMeaning,
    Force,
    Reading,
    check_target,
    kept,
    named_thing,
)
from isoloss.cli.manual import Example
from isoloss.cli.output import say
from isoloss.cli.refusing import Refused


def report(
    *,
    things: Annotated[
        list[str],
        typer.Argument(
            metavar="THING",
            help="Saved results (plans, fits, comparisons, payoffs, forecasts, scores, arenas, "
            f"laws), or laws of 'isoloss laws'. {A_TABLE}.",
            show_default=False,
        ),
    ],
    output: Annotated[Path, kept(f"Where to write the page ({' '.join(PAGES)}).")],
    title: Annotated[
        str | None,
        typer.Option("--title", metavar="TEXT", help="Its title.", show_default="what it is of"),
    ] = None,
    meaning: AsMeaning = None,
    reading: Reading,
    force: Force = False,
) -> None:
    """Write results on one page: a file that needs no network, for readers who have no Python.

    The recommendation, or why it is withheld, comes first; then tables, pictures with the numbers
    behind them, warnings, versions, seeds, hashes, and the commands that made it all. It prints.
    """
    check_target(output, PAGES, force, things)
    same = Counter(str(Path(word).resolve()) if Path(word).exists() else word for word in things)
    if twice := [word for word, count in same.items() if count > 1]:
        raise Refused(f"{Path(twice[0]).name} is given twice; name each result once")
    values = [named_thing(word, meaning, reading) for word in things]
    origins = [
        il.files.origin_of(word)
        if il.files.is_saved(word)
        else il.files.FileOrigin(il.runs.without_secrets(word))
        for word in things
    ]
    il.report(*values, path=output, title=title, origins=origins, force=force)
    say(f"wrote {output}")


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "report": (
        Example("isoloss report plan.json fit.json -o decision.html", "what a decision rests on"),
        Example("isoloss report kumar2024 chen2025 -o laws.html", "two published laws"),
    ),
}
