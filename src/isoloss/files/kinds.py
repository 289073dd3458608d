"""Kinds of values that are kept in files: each with its name there, its schema, and how it is
written and read.

A room registers its kinds when its face is imported, and a value saves itself with
`isoloss.files.save`, so that no value imports the file that knows all others. One more type:
``KINDS.register("forecast", Kind(Forecast))``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from isoloss.files.problems import FilesError
from isoloss.files.registry import OWN, Registry


@dataclass(frozen=True)
class Kind:
    """How values of one class are kept.

    Attributes
    ----------
    cls
        The class; a dataclass whose fields are numbers, text, arrays, mappings, tuples and such
        dataclasses needs no more than this.
    schema
        The number of the present form of its files; a file with a higher one is refused.
    to_json
        The value as JSON values; None writes its fields.
    from_json
        The value of what `to_json` gave, or ValueError where it is none; None reads its fields.
    check
        Called with a value of the fields that were read; raises ValueError where they do not belong
        together.
    """

    cls: type[Any]
    schema: int = 1
    to_json: Callable[[Any], Any] | None = None
    from_json: Callable[[Any], Any] | None = None
    check: Callable[[Any], None] | None = None


#: Every kind that the loaded rooms and modules keep, by its name in the file.
KINDS: Registry[Kind] = Registry("kind of file", FilesError, of=Kind)


#: Rooms that keep values of their own; a program that imports one room alone may load what
#: another wrote.
ROOMS = ("laws", "runs", "fits", "plans", "scores")


def kind_named(name: str) -> Kind | None:
    """The kind of a name in a file, after loading the rooms of isoloss that keep values."""
    if name not in KINDS:
        for room in ROOMS:
            import_module(f"{OWN}.{room}")
    return KINDS.find(name)


def kind_of(cls: type[Any]) -> Kind | None:
    """The kind of a class, or None where only values that hold it are kept."""
    return next((kind for kind in KINDS.values() if kind.cls is cls), None)
