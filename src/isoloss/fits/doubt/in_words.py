"""Doubt in words: an interval or the word in its place (`fits.sections`), and very small shares."""

from __future__ import annotations

import math
from collections.abc import Callable

from isoloss.fits.sections import NOT_HELD, UNKNOWN, Absent

#: Shares below this are said to be below it.
LEAST_SHARE = 1e-4


def interval_in_words(
    ends: tuple[float, float], write: Callable[[float], str], absent: Absent = NOT_HELD
) -> str:
    """An interval as "low to high", or what stands in its place.

    Parameters
    ----------
    ends
        Low and high; NaN without an interval, infinite to a side that is open.
    write
        How an end is written.
    absent
        Why there is none, where there is none.

    Returns
    -------
    str
        As "0.31 to 0.35", "above 0.31" where the runs hold one side, "not held".
    """
    low, high = (write(end) if math.isfinite(end) else None for end in ends)
    if low is not None and high is not None:
        return f"{low} to {high}"
    if low is not None:
        return f"above {low}"
    return absent if high is None else f"below {high}"


def ends_in_words(
    ends: tuple[float, float], write: Callable[[float], str], absent: Absent = NOT_HELD
) -> tuple[str, str]:
    """The two ends of an interval for columns of their own, said as by `interval_in_words`."""
    low, high = (write(end) if math.isfinite(end) else absent for end in ends)
    return low, high


def loss_in_words(value: float) -> str:
    """A loss or a difference of losses to four digits; what rounds to zero has no sign."""
    return f"{value:z.4f}" if value == value else UNKNOWN


def share_in_words(share: float) -> str:
    """A share in percent: "12%", "0.031%", "less than 0.01%", "more than 100%"; beyond either its
    size says no more.
    """
    if 0 < share < LEAST_SHARE:
        return f"less than {100 * LEAST_SHARE:g}%"
    return "more than 100%" if share > 1 else f"{float(f'{100 * share:.2g}'):g}%"
