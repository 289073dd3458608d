"""The verb ``plot``: a figure of anything that isoloss returns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Protocol, runtime_checkable

from isoloss.files import modules_of
from isoloss.fits import Comparison, Fit, GapTable, Profile
from isoloss.formats import Format
from isoloss.laws import Law, as_law
from isoloss.linear import Study
from isoloss.plans import Payoffs, Plan
from isoloss.plots.drawing import Drawing, by_type, kinds_of
from isoloss.plots.figure import Figure, check_target
from isoloss.plots.look import applied
from isoloss.plots.problems import PlotError
from isoloss.runs import Runs
from isoloss.scores import Arena, Score


@runtime_checkable
class Illustrated(Protocol):
    """A value that gives another to be drawn in its place, as a reproduced claim its study."""

    def illustration(self) -> Study:
        """What is drawn; raises a ValueError where there is nothing to look at."""


Drawn = (
    Runs
    | Fit
    | Comparison
    | GapTable
    | Plan
    | Payoffs
    | Score
    | Arena
    | Law
    | Profile
    | Study
    | Format
    | Sequence[Format]
    | Illustrated
    | str
)


def plot(
    value: Drawn, path: str | Path | None = None, *, kind: str | None = None, force: bool = False
) -> Figure:
    """Draw a value, and save the figure where a path is given.

    Parameters
    ----------
    value
        What to draw; a text names a preset law, or formats, as "e2m1 int4 nvfp4".
    path
        Where to save it: SVG, PNG or PDF by its suffix.
    kind
        Which figure of the value; the first of its type by default:

        - Runs: "loss" against tokens; "design", its params and tokens.
        - Fit: "fit", its predictions, residuals and constants; "curves", its loss curves over
          the runs.
        - Comparison: "ranking", errors and weights; "levels", the residual of each law at each
          precision.
        - GapTable: "gaps", what each precision costs against tokens per param.
        - Plan: "plan", equal losses over params and tokens, the budget, the choices; "frontier",
          loss against what is spent; "laws", what each law alone would do; "tokens", where more
          of them hurt what is rounded after training.
        - Payoffs: "payoffs", gaps against speed-ups and the line of no gain.
        - Score: "score", what forecasts predicted against what was seen.
        - Arena: "arena", errors of laws and baselines in every contest.
        - Law: "law", the first of these that it has: "factors", effective over nominal params
          against bits; "gap", the loss gap against bits; "loss" against tokens.
        - Profile: "profile", the objective along one constant.
        - Study, of regression: "study", its answer.
        - Format, or a list of them: "grids", their numbers and errors by magnitude.

        A module of your own adds one with `draws`. A value with a method `illustration`, as a
        reproduced claim, is drawn as what that gives.
    force
        Replace a file that exists.

    Returns
    -------
    Figure
        The figure, shown by a notebook.

    Raises
    ------
    PlotError
        The value has no figure, or none of this kind; the file cannot be written.
    """
    target = None if path is None else check_target(path, force)
    drawn: object = value.illustration() if isinstance(value, Illustrated) else value
    drawn = _named(drawn) if isinstance(drawn, str) else drawn
    several = isinstance(drawn, list | tuple) and all(isinstance(each, Format) for each in drawn)
    drawing = _drawing(drawn[0] if several and drawn else drawn, kind)  # type: ignore[index]
    with applied():
        figure = drawing.draw(drawn)
    if target is not None:
        figure.save(target, force)
    return figure


def named_formats(text: str) -> list[Format] | None:
    """The formats that a text names, as "e2m1 int4 nvfp4"; None where a word is none."""
    try:
        return [Format.parse(word) for word in text.split()] or None
    except ValueError:
        return None


def kinds() -> dict[str, dict[str, str]]:
    """All kinds of figures: type, kind and what it shows; the default of each type first."""
    _read_panels()
    return {name: {each.kind: each.shows for each in found} for name, found in by_type().items()}


def figures_of(value: object) -> dict[str, Drawing]:
    """The figures of a value by kind, the one that is drawn by default first."""
    _read_panels()
    return kinds_of(value)


@cache
def _read_panels() -> None:
    """Import the folder of figures, each of which registers itself."""
    modules_of("isoloss.plots.panels")


def _named(text: str) -> Law | list[Format]:
    """The preset law of a name, or the formats of some."""
    if (found := named_formats(text)) is not None:
        return found
    if len(text.split()) > 1:
        return [Format.parse(word) for word in text.split()]  # which says what cannot be read
    return as_law(text)


def _drawing(value: object, kind: str | None) -> Drawing:
    """The default figure of a value, or that of a kind."""
    _read_panels()
    found = kinds_of(value)
    name = type(value).__name__
    if not found:
        raise PlotError(
            f"cannot plot a {name}; plot takes {', '.join(by_type())}, "
            "or the name of a preset law or of formats"
        )
    if kind is not None and kind not in found:
        raise PlotError(f"cannot plot kind {kind!r} of a {name}; kinds are {', '.join(found)}")
    return found[kind] if kind is not None else next(iter(found.values()))
