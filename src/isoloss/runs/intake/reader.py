"""What a reader of files is, and the registry of all by ending.

One more is a file in ``readers`` (or a module of a user's own) that ends with
``READERS.register(".words", Reader(open_words))``; help and messages list its ending.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from isoloss.files import Registry, modules_of
from isoloss.runs.intake.origin import Origin
from isoloss.runs.problems import RunsError


@dataclass(frozen=True)
class Opened:
    """Raw values and where they are from.

    Attributes
    ----------
    frame
        The values as they stand in the file, under its own names of columns.
    origin
        The name for messages, and the row of the file that each row is from.
    notes
        What was interpreted in the file itself, in words: a decimal comma, lines left out.
    kept
        How the table was read that this file was saved from, as `how_read.notes_of` wrote it.
    """

    frame: pl.DataFrame
    origin: Origin
    notes: tuple[str, ...] = ()
    kept: str = ""


@dataclass(frozen=True)
class Reader:
    """How files of one ending are opened.

    Attributes
    ----------
    open
        Called with the content and the name of a file, returns what it holds; raises RunsError, one
        sentence, where it cannot.
    in_place
        Called with the path instead, for a file that is not read as a whole, as others may be
        writing to it.
    parts
        Whether a file holds several tables, one of which is named behind its name, as
        'runs.xlsx#sheet'; `open` is given that whole name.
    """

    open: Callable[[bytes, str], Opened] | None = None
    in_place: Callable[[Path], Opened] | None = None
    parts: bool = False


def _shipped() -> None:
    modules_of(f"{__package__}.readers")


#: Every reader by the ending of its files, lower case with the dot.
READERS: Registry[Reader] = Registry("ending", RunsError, _shipped, of=Reader)
