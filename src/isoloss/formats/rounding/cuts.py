"""A format as its list of numbers: x is rounded to the number above the last cut that x exceeds.

Cuts are the midpoints of neighbours, moved down to the next number where the specification takes a
midpoint up, so that one comparison rounds as it does, ties and all.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isoloss.formats.grids import LARGEST_GRID
from isoloss.formats.number import Format
from isoloss.formats.rounding.elements import to_grid


class Cuts(NamedTuple):
    """The numbers of an element, in the type of what is rounded.

    Attributes
    ----------
    levels
        The numbers, ascending.
    cuts
        What x must exceed to be the next of them, or a later one.
    is_whole
        Whether they are all whole numbers from the first to the last: then x is rounded as it is.
    """

    levels: NDArray[Any]
    cuts: NDArray[Any]
    is_whole: bool


@cache
def cuts_of(known: Format, dtype: type[np.float32 | np.float64]) -> Cuts | None:
    """Those of a format; None where it has no list of numbers (fp, noise, more than 16 bits)."""
    if known.levels is None or known.levels > LARGEST_GRID:
        return None
    levels = known.grid
    middles = (levels[:-1] + levels[1:]) / 2  # exact: grids have far fewer bits than float64
    goes_up = to_grid(np, middles, known) == levels[1:]
    cuts = np.where(goes_up, np.nextafter(middles, -np.inf), middles)
    narrow = cuts.astype(dtype)
    # What exceeds a cut in float64 exceeds the largest number of the type that is not above it.
    below = np.nextafter(narrow, dtype(-np.inf))
    is_whole = known.kind == "int" and known.smallest_step == 1.0
    return Cuts(levels.astype(dtype), np.where(narrow > cuts, below, narrow), is_whole)
