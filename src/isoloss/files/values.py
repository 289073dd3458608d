"""What somebody gave, as every room reads and shows it: a short text of a value, whole numbers,
names that are nearly right.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sized
from difflib import get_close_matches
from numbers import Integral, Real
from typing import Any

_LONGEST = 60
#: What is written as it is; of anything else its type says more than its text.
_WRITTEN = (str, bytes, bool, list, tuple, dict, set, type(None))


def shown_value(value: object) -> str:
    """A value as a message has it: numbers, text and lists as they are written, cut where long.

    Other objects are named by their type.
    """
    if isinstance(value, Real) and hasattr(value, "item"):
        value = value.item()  # a scalar of numpy, written as a number of Python
    if isinstance(value, (*_WRITTEN, Real)):
        try:
            text = repr(value)
        except ValueError:  # a whole number of more digits than Python prints
            digits = math.ceil(int(value).bit_length() * math.log10(2))  # type: ignore[arg-type]
            return f"a whole number of about {digits} digits"
        return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
    kind = type(value).__name__
    holds = isinstance(value, Sized) and getattr(value, "shape", None) != ()
    if holds and not len(value):  # type: ignore[arg-type]
        return f"an empty {kind}"
    return with_article(kind)


def with_article(name: str) -> str:
    """The name of a type with its article: a Fit, an Expectation; a Unit, as U is mostly spoken."""
    return f"{'an' if name[:1] in 'aeioAEIO' else 'a'} {name}"


def whole_number(value: object) -> int | None:
    """A whole number, 1e9 as well as 10**9; None for anything else, True and False included."""
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    real = real_number(value)
    return None if math.isnan(real) or not real.is_integer() else int(real)


def real_number(value: object) -> float:
    """A real number as a float, NaN for anything else, for True and False and beyond floats."""
    real = isinstance(value, Real) and not isinstance(value, bool)
    try:
        return float(value) if real else math.nan  # type: ignore[arg-type]
    except OverflowError:  # a whole number beyond the largest float
        return math.nan


def percent(share: float) -> str:
    """A share in percent with every digit that it has, 0.9 as 90% and 0.999 as 99.9%."""
    return f"{100 * share:.10g}%"


def least_draws(level: float) -> int:
    """Draws of which at least one lies beyond each end of an interval of a level."""
    return math.ceil(2.0 / (1.0 - level) - 1e-6)


def checked_level(level: Any, problem: type[ValueError], draws: int | None = None) -> float:
    """The coverage of an interval as a number, 0 < level < 1.

    Parameters
    ----------
    level
        What was asked for.
    problem
        What to raise, so that a room keeps its own type.
    draws
        How many draws there are, if intervals come from some: a level above 0.9 is refused where
        none of them lies beyond an end, which would be their extreme. At the usual level any number
        is taken, and a warning says where they are few.
    """
    share = real_number(level)
    if not 0 < share < 1:
        raise problem(f"level is {shown_value(level)}; it is a share between 0 and 1, as 0.9")
    if draws is not None and share > 0.9 and draws < least_draws(share):
        raise problem(
            f"level {shown_value(level)} needs at least {least_draws(share)} draws and there are "
            f"{draws}: the ends of its intervals would be the extremes of the draws"
        )
    return share


def did_you_mean(name: Any, names: Iterable[str], most: int = 3, cutoff: float = 0.5) -> str:
    """The question "did you mean 'a' or 'b'?" for a name nearly right; empty where none is near."""
    near = get_close_matches(str(name), list(names), n=most, cutoff=cutoff)
    return f"did you mean {' or '.join(map(repr, near))}?" if near else ""
