"""What a word on the command line names, of all that can be drawn and reported."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

import isoloss as il
from isoloss.cli.arguments.options import Reading
from isoloss.cli.arguments.tables import is_table, read_tables
from isoloss.cli.arguments.things import names_a_file
from isoloss.cli.refusing import Refused


class Meaning(StrEnum):
    """What a name means that a table and a law share."""

    runs = "runs"
    law = "law"


AsMeaning = Annotated[
    Meaning | None,
    typer.Option(
        "--as", help="Which one, where a table and a law have the same name.", show_default=False
    ),
]


def named_thing(word: str, meaning: Meaning | None, reading: Reading) -> Any:
    """What the word names. A name of a table and of a law must say which."""
    if meaning is None and is_table(word) and _is_law(word):
        raise Refused(f"'{word}' is a table and a law; say --as runs or --as law")
    if il.files.is_saved(word) and meaning is None:
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
