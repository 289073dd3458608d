"""The open table of figures: which type each draws, under which name, and what it shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from isoloss.files import Registry
from isoloss.plots.figure import Figure
from isoloss.plots.problems import PlotError

Draw = TypeVar("Draw", bound=Callable[[Any], Figure])


@dataclass(frozen=True)
class Drawing:
    """One kind of figure of one type.

    Attributes
    ----------
    of
        The type that it draws, subclasses included.
    kind
        Its name, as in ``plot(runs, kind="design")``.
    shows
        What it shows, in a few words: "loss against tokens".
    draw
        The function from a value to a figure.
    first
        Whether it is what `plot` draws where no kind is asked for.
    """

    of: type
    kind: str
    shows: str
    draw: Callable[[Any], Figure]
    first: bool = False


#: All figures, as "Runs design"; `draws` adds one.
FIGURES: Registry[Drawing] = Registry("figure", PlotError, of=Drawing)


def draws(of: type, kind: str, shows: str, *, first: bool = False) -> Callable[[Draw], Draw]:
    """Register the decorated function as a kind of figure of a type.

    Parameters
    ----------
    of
        The type that the function draws.
    kind
        Its name among the figures of that type.
    shows
        What it shows, in a few words.
    first
        Draw it where no kind is asked for.

    Returns
    -------
    Callable
        A decorator that leaves the function as it is.

    Raises
    ------
    PlotError
        The type has a figure of this name already.
    """

    def kept(draw: Draw) -> Draw:
        drawing = Drawing(of, kind, shows, draw, first)
        FIGURES.register(f"{of.__name__} {kind}", drawing, home=draw.__module__)
        return draw

    return kept


def kinds_of(value: object) -> dict[str, Drawing]:
    """The figures of a value by kind, the one that is drawn by default first; empty for no type."""
    found = [each for each in FIGURES.values() if isinstance(value, each.of)]
    return {each.kind: each for each in sorted(found, key=lambda each: not each.first)}


def by_type() -> dict[str, list[Drawing]]:
    """The figures of every type by its name in the alphabet, the default of each first."""
    found: dict[str, list[Drawing]] = {}
    for each in sorted(FIGURES.values(), key=lambda each: (each.of.__name__, not each.first)):
        found.setdefault(each.of.__name__, []).append(each)
    return found
