"""``isoloss plot``: a figure of a saved result, a table of runs or a law."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import isoloss as il
from isoloss.cli.arguments import (
    FIGURES,
    AsMeaning,
    Force,
    Reading,
    check_target,
    kept,
    named_thing,
)
from isoloss.cli.manual import Example
from isoloss.cli.output import say


def plot(
    *,
    thing: Annotated[
        str,
        typer.Argument(
            metavar="THING",
            help=(
                "A saved fit, comparison or plan, a table of runs, a law of 'isoloss laws', or "
                "formats, as 'int4 e2m1'."
            ),
            show_default=False,
        ),
    ],
    output: Annotated[Path, kept(f"Where to draw ({' '.join(FIGURES)}).")],
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind",
            metavar="KIND",
            help="Which figure, {figure kinds}.",
            show_default="the first of these",
        ),
    ] = None,
    meaning: AsMeaning = None,
    reading: Reading,
    force: Force = False,
) -> None:
    """Draw a saved result, a table of runs, a law or number formats."""
    check_target(output, FIGURES, force)
    found = named_thing(thing, meaning, reading)
    il.plot(found, output, kind=kind, force=force)
    say(f"drew {output}")


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "plot": (
        Example("isoloss plot quest2025 --as runs -o runs.svg", "draw a table"),
        Example("isoloss plot kumar2024 -o law.svg", "draw a law"),
        Example("isoloss plot 'e2m1 int4 nvfp4' -o grids.svg", "draw number formats"),
        Example("isoloss plot fit.json -o fit.svg", "draw a saved fit"),
        Example(
            "isoloss plot plan.json --kind frontier -o frontier.svg",
            "draw what a saved plan would do with more",
        ),
    ),
}
