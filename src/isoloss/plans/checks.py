"""Checks of arguments before any work: shares, counts, switches, precisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from isoloss.files import checked_level, real_number, shown_value, whole_number
from isoloss.formats import Precision
from isoloss.plans.problems import PlanError

#: One precision or several, as spellings or values.
Spellings = str | Precision | Iterable[str | Precision]


def check_level(level: object, draws: int | None = None) -> None:
    """PlanError unless 0 < level < 1, and for a level above 0.9 that needs more draws."""
    checked_level(level, PlanError, draws)


def check_noise(noise: object) -> None:
    """Raise PlanError for what is no standard deviation of log loss."""
    if not 0 < real_number(noise) < float("inf"):
        raise PlanError(
            f"noise is {shown_value(noise)}; it is a standard deviation of log loss above 0, as "
            "0.005"
        )


def check_switch(name: str, value: object) -> None:
    """Raise PlanError unless a switch is True or False; the text "no" would count as yes."""
    if not isinstance(value, bool):
        raise PlanError(f"{name} is {value!r}; accepted are True and False")


def as_count(name: str, value: object, least: int = 1) -> int:
    """A whole number of at least `least`, 3.0 as 3.

    Raises
    ------
    PlanError
        It is a text, a boolean, NaN, a fraction or too small.
    """
    whole = whole_number(value)
    if whole is None or whole < least:
        raise PlanError(
            f"{name} is {shown_value(value)}; accepted is a whole number of at least {least}"
        )
    return whole


def as_precisions(given: Spellings, what: str = "precision") -> tuple[Precision, ...]:
    """The precisions that are meant, each once, in order.

    Parameters
    ----------
    given
        A spelling, a Precision, or a list of these.
    what
        Its name in a message.

    Raises
    ------
    PlanError
        There is none, or one is neither a spelling nor a Precision.
    ValueError
        A spelling cannot be read.
    """
    if isinstance(given, str | Precision):
        given = [given]
    if not isinstance(given, Iterable) or isinstance(given, bytes | Mapping):
        raise PlanError(f"{what} is {given!r}; {ACCEPTED}")
    each = list(given)
    odd = [one for one in each if not isinstance(one, str | Precision)]
    if odd:
        raise PlanError(f"{what} has {odd[0]!r}; {ACCEPTED}")
    if not each:
        raise PlanError(f"no {what} to choose from; give at least one, as 'bf16'")
    return tuple(dict.fromkeys(map(Precision.parse, each)))


def one_precision(given: str | Precision, what: str = "precision") -> Precision:
    """The one precision that is meant.

    Raises PlanError for what is neither a spelling nor a Precision, ValueError for a spelling that
    cannot be read.
    """
    if not isinstance(given, str | Precision):
        raise PlanError(f"{what} is {given!r}; give one spelling such as 'w4 a8', or a Precision")
    return Precision.parse(given)


ACCEPTED = "give a spelling such as 'w4 a8', a Precision, or a list of these"
