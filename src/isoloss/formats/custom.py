"""A user's own quantiser as a format: a function on arrays or a grid of numbers, under a name like
any other."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from isoloss.formats.names import FORMATS
from isoloss.formats.number import Format
from isoloss.formats.precision import Precision

#: Words of the spelling of a precision, which no format may be named.
_WORDS = ("then", "from")


def custom_format(
    name: str,
    bits: float | None = None,
    function: Callable[[Any], Any] | None = None,
    storage_bits: float | None = None,
    replace: bool = False,
    *,
    grid: Sequence[float] | None = None,
    block: int | None = None,
) -> Format:
    """A format of your own, readable from now on as `name` ("w:name", "name/128+had").

    Parameters
    ----------
    name
        Lower-case letters, digits and '_', a letter first; it must not mean anything yet.
    bits
        Bits of an element as a law sees them; for a grid by default the logarithm of how many
        numbers it has.
    function
        The quantiser: it takes a numpy array or torch tensor whose last axis holds the numbers of
        one scale group (a group, a row, or the whole tensor flat) and returns the rounded array,
        same shape and dtype.
    storage_bits
        Bits of memory an element takes, scales counted. By default `bits` for a function; for a
        grid its bits and 16 for the scale of a group.
    replace
        Give the name of a custom format to this one, as when the cell of a notebook runs again.
    grid
        The numbers of an element before scaling, ascending. The largest magnitude of a scale group
        is mapped to the largest magnitude of the grid; a number between two of them goes to the
        nearer one, at a midpoint to the lower.
    block
        How many neighbours share a scale where the spelling says nothing (for a grid).

    Returns
    -------
    Format
        Registered in this process with the module that called, which other processes load by `use`.

    Raises
    ------
    ValueError
        The name is no name or already means something, bits are not above 0, there is neither or
        both of `function` and `grid`, or the numbers do not ascend.
    """
    _check_name(name)
    if (function is None) == (grid is None):
        raise ValueError(
            f"'{name}' takes one of function= and grid=, not {'none' if grid is None else 'both'}"
        )
    if grid is None:
        mine = _function_format(name, bits, function, storage_bits, block)
    else:
        mine = _grid_format(name, bits, grid, storage_bits, block)
    known = FORMATS.find(name)
    is_custom = known is not None and not FORMATS.is_shipped(FORMATS.home(name))
    if known != mine and not (is_custom and replace) and _means_something(name):
        hint = " or say replace=True" if is_custom else ""
        raise ValueError(
            f"the name '{name}' already means another format; choose one that is free{hint}"
        )
    FORMATS.register(name, mine, replace=True)
    return mine


def _function_format(
    name: str, bits: float | None, function: Any, storage_bits: float | None, block: int | None
) -> Format:
    if not callable(function):
        raise ValueError(f"the quantiser of '{name}' is {function!r}; it is a function of an array")
    if block is not None:
        raise ValueError(
            f"block={block!r} of '{name}' is for grids; spell the group of a function, as "
            f"'{name}/128'"
        )
    stored = bits if storage_bits is None else storage_bits
    _check_bits(name, bits, stored)
    return Format(name, "custom", float(bits or 0), function=function, stored=float(stored or 0))


def _grid_format(
    name: str, bits: Any, grid: Sequence[float], storage_bits: Any, block: int | None
) -> Format:
    try:
        numbers = tuple(float(each) for each in grid)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"the grid of '{name}' is {grid!r}; it is a list of numbers") from None
    if bits is None:
        bits = math.log2(len(numbers)) if numbers else 0.0
    if block is not None and (isinstance(block, bool) or not isinstance(block, int) or block < 2):
        raise ValueError(f"block={block!r} of '{name}' is none; it is a whole number, 2 or more")
    mine = Format(name, "grid", 1.0, block=block, numbers=numbers)
    _check_bits(name, bits, mine.bits if storage_bits is None else storage_bits)
    stored = None if storage_bits is None else float(storage_bits)
    return Format(name, "grid", float(bits), block=block, numbers=numbers, stored=stored)


def _check_name(name: Any) -> None:
    if not (isinstance(name, str) and re.fullmatch(r"[a-z][a-z0-9_]*", name)) or name in _WORDS:
        raise ValueError(
            f"cannot name a format {name!r}; use lower-case letters, digits and '_', a letter first"
        )


def _check_bits(name: str, bits: Any, stored: Any) -> None:
    if not (isinstance(bits, int | float) and isinstance(stored, int | float)):
        raise ValueError(
            f"'{name}' of {bits!r} bits, {stored!r} stored, is no format; both are numbers"
        )
    if not (0 < bits < math.inf and 0 < stored < math.inf):
        raise ValueError(
            f"'{name}' of {bits} bits, {float(stored):g} stored, is no format; both are above 0 "
            "and finite"
        )


def _means_something(name: str) -> bool:
    """Whether a name already spells a format, or parts of a precision."""
    for read in (Format.parse, Precision):
        try:
            read(name)
        except ValueError:
            continue
        return True
    return False
