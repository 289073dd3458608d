"""A user's own quantiser as a format: a function on arrays, under a name that can be spelled like any other."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from isoloss.formats.marks import Marks
from isoloss.formats.number import Format

# The one table that grows while a program runs: a spelling can only be read back where its function is known.
_OWN: dict[str, Format] = {}


def own_format(
    name: str,
    bits: float,
    function: Callable[[Any], Any],
    storage_bits: float | None = None,
    replace: bool = False,
) -> Format:
    """The format that rounds by `function`, readable from now on as `name` ("w:name", "name/128+had").

    The function takes a numpy array or torch tensor whose last axis holds the numbers of one granule (a group,
    a row, or the whole tensor flat) and returns the rounded array, same shape and dtype. `bits` is what a law
    sees, `storage_bits` (default: bits) what an element takes in memory, scales counted. `replace` gives the
    name of an own format to another one, as when the cell of a notebook runs again.

    Raises ValueError where the name is not lower-case letters, digits and '_', or already means something else,
    and where bits are not above 0.
    """
    if not (isinstance(name, str) and re.fullmatch(r"[a-z][a-z0-9_]*", name)):
        raise ValueError(
            f"cannot name a format {name!r}; use lower-case letters, digits and '_', a letter first"
        )
    given = bits if storage_bits is None else storage_bits
    if not (isinstance(bits, int | float) and isinstance(given, int | float)):
        raise ValueError(
            f"'{name}' of {bits!r} bits, {given!r} stored, is no format; both are numbers"
        )
    stored = float(given)
    if not (0 < bits < float("inf") and 0 < stored < float("inf")):
        raise ValueError(
            f"'{name}' of {bits} bits, {stored:g} stored, is no format; both are above 0 and finite"
        )
    if not callable(function):
        raise ValueError(f"the quantiser of '{name}' is {function!r}; it is a function of an array")
    mine = Format(name, "own", bits, function=function, stored=stored)
    if replace:
        _OWN.pop(name, None)
    if mine != _meaning_of(name, mine):
        hint = " or say replace=True" if name in _OWN else ""
        raise ValueError(
            f"the name '{name}' already means another format; choose one that is free{hint}"
        )
    _OWN[name] = mine
    return mine


def own_named(name: str) -> Format | None:
    """The own format of a name, or None."""
    return _OWN.get(name)


def restored(
    name: str, bits: float, function: Callable[[Any], Any], stored: float | None, marks: Marks
) -> Format:
    """The own format that was pickled, its name readable in this process too."""
    return own_format(name, bits, function, stored).marked(marks)


def _meaning_of(name: str, otherwise: Format) -> Format:
    """What the name already spells, as a format or as parts of a precision."""
    from isoloss.formats.precision import Precision  # it reads names

    for read in (Format.parse, lambda text: Precision(text).format("w")):
        try:
            return read(name) or Format.parse("fp")
        except ValueError:
            continue
    return otherwise
