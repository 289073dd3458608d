"""``isoloss plot``: a figure of a saved result, a table of runs or a law."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

import isoloss as il
from isoloss.cli.arguments import (
    FIGURES,
    OUTPUT,
    Force,
    Reading,
    check_target,
    is_saved,
    is_table,
    names_a_file,
    read_tables,
)
from isoloss.cli.manual import Example
from isoloss.cli.output import say
from isoloss.cli.refusing import Refused


class Meaning(StrEnum):
    """What a name means that a table and a law share."""

    runs = "runs"
    law = "law"


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
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            rich_help_panel=OUTPUT,
            help=f"Where to draw ({' '.join(FIGURES)}).",
            show_default=False,
        ),
    ],
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind",
            metavar="KIND",
            help="Which figure, {figure kinds}.",
            show_default="the first of these",
        ),
    ] = None,
    meaning: Annotated[
        Meaning | None,
        typer.Option(
            "--as",
            help="Which one, where a table and a law have the same name.",
            show_default=False,
        ),
    ] = None,
    reading: Reading,
    force: Force = False,
) -> None:
    """Draw a saved result, a table of runs, a law or number formats."""
    check_target(output, FIGURES, force)
    found = _thing(thing, meaning, reading)
    il.plot(found, output, kind=kind, force=force)
    say(f"drew {output}")


def _thing(word: str, meaning: Meaning | None, reading: Reading) -> Any:
    """What the word names. A name of a table and of a law must say which."""
    if meaning is None and is_table(word) and _is_law(word):
        raise Refused(f"'{word}' is a table and a law; say --as runs or --as law")
    if is_saved(word) and meaning is None:
        return il.load(word)
    if meaning is Meaning.law or (
        meaning is None and not is_table(word) and not names_a_file(word)
    ):
        formats = None if meaning is Meaning.law else il.plots.named_formats(word)
        return formats or _law(word, asked=meaning is Meaning.law)
    return read_tables([word], reading)


def _law(word: str, asked: bool) -> Any:
    if not asked and not _is_law(word):
        names = [
            *il.runs.TABLES,
            *il.laws.LAWS,
            *map(str, il.formats.catalogue()),
        ]
        lists = "'isoloss runs', 'isoloss laws' and 'isoloss formats' list the names"
        raise Refused(
            f"'{word}' is neither a file nor the name of a table, a law or a format; "
            f"{il.files.did_you_mean(word, names, 2, 0.6) or lists}"
        )
    return il.laws.preset(word)


def _is_law(word: str) -> bool:
    return word in il.laws.LAWS


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
