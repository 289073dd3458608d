"""The verb ``plot``: a figure of anything that isoloss returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from isoloss.fits import Comparison, Fit, GapTable, Profile
from isoloss.formats import Format
from isoloss.laws import Law, preset
from isoloss.linear import Study
from isoloss.plans import Plan
from isoloss.plots.figure import Figure, check_target
from isoloss.plots.look import applied
from isoloss.plots.panels import (
    curves_figure,
    design_figure,
    factors_figure,
    fit_figure,
    frontier_figure,
    gap_figure,
    gaps_figure,
    grids_figure,
    law_figure,
    law_loss_figure,
    laws_figure,
    levels_figure,
    loss_figure,
    plan_figure,
    profile_figure,
    ranking_figure,
    study_figure,
    tokens_figure,
)
from isoloss.plots.problems import PlotError
from isoloss.runs import Runs

Drawn = (
    Runs
    | Fit
    | Comparison
    | GapTable
    | Plan
    | Law
    | Profile
    | Study
    | Format
    | Sequence[Format]
    | str
)
#: What can be drawn of each type; the first kind is the default.
KINDS: Mapping[type, Mapping[str, Callable[[Any], Figure]]] = {
    Runs: {"loss": loss_figure, "design": design_figure},
    Fit: {"fit": fit_figure, "curves": curves_figure},
    Comparison: {"ranking": ranking_figure, "levels": levels_figure},
    GapTable: {"gaps": gaps_figure},
    Plan: {
        "plan": plan_figure,
        "frontier": frontier_figure,
        "laws": laws_figure,
        "tokens": tokens_figure,
    },
    Law: {"factors": factors_figure, "gap": gap_figure, "loss": law_loss_figure},
    Profile: {"profile": profile_figure},
    Study: {"study": study_figure},
    Format: {"grids": grids_figure},
}


def plot(
    thing: Drawn, path: str | Path | None = None, *, kind: str | None = None, force: bool = False
) -> Figure:
    """The figure of a thing, saved too where a path is given (SVG, PNG or PDF by its suffix).

    What there is, the first kind of each being the default:

    - Runs: "loss" against tokens; "design", its params and tokens.
    - Fit: "fit", its predictions, residuals and constants; "curves", its loss curves over the runs.
    - Comparison: "ranking", errors and weights; "levels", the residual of each law at each precision.
    - GapTable: "gaps", what each precision costs against tokens per param.
    - Plan: "plan", equal losses over params and tokens, the budget, the choices; "frontier", loss against what is
      spent; "laws", what each law alone would do; "tokens", where more of them hurt what is rounded after training.
    - Law, or the name of a preset: "factors", effective over nominal params against bits; "gap", the loss gap
      against bits; "loss" against tokens; by default the first of these that it has.
    - Profile: "profile", the objective along one constant.
    - Study, of regression: "study", its answer.
    - Format, a list of them, or their names, as "e2m1 int4 nvfp4": "grids", their numbers and errors by magnitude.

    Raises PlotError, in one sentence, for what cannot be drawn or saved; an existing file is replaced only with
    ``force``.
    """
    target = None if path is None else check_target(path, force)
    drawn: object = _named(thing) if isinstance(thing, str) else thing
    several = isinstance(drawn, list | tuple) and all(isinstance(each, Format) for each in drawn)
    draw = _drawer(drawn[0] if several and drawn else drawn, kind)  # type: ignore[index]
    with applied():
        figure = draw(drawn)
    if target is not None:
        figure.save(target, force)
    return figure


def named_formats(text: str) -> list[Format] | None:
    """The formats that a text names, as "e2m1 int4 nvfp4"; None where a word is none."""
    try:
        return [Format.parse(word) for word in text.split()] or None
    except ValueError:
        return None


def _named(text: str) -> Law | list[Format]:
    """The preset law of a name, or the formats of some."""
    if (found := named_formats(text)) is not None:
        return found
    if len(text.split()) > 1:
        return [Format.parse(word) for word in text.split()]  # which says what cannot be read
    return preset(text)


def _drawer(thing: object, kind: str | None) -> Callable[[Any], Figure]:
    found = next((kinds for type_, kinds in KINDS.items() if isinstance(thing, type_)), None)
    if found is None:
        accepted = ", ".join(t.__name__ for t in KINDS)
        raise PlotError(
            f"cannot plot a {type(thing).__name__}; plot takes {accepted}, or the name of a preset law or of formats"
        )
    if kind is None and isinstance(thing, Law):
        return law_figure
    if kind is None:
        return next(iter(found.values()))
    if kind not in found:
        name = type(thing).__name__
        raise PlotError(f"cannot plot kind {kind!r} of a {name}; kinds are {', '.join(found)}")
    return found[kind]
