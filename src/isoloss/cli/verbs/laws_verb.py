"""``isoloss laws``: all laws by name, or one with its constants, units and notes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

import isoloss as il
from isoloss.cli.arguments import AsJson, saved_or_law
from isoloss.cli.manual import Example
from isoloss.cli.output import show, show_json

if TYPE_CHECKING:
    from isoloss.laws import Law


def laws(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="A law, as kumar2024, or a saved law or fit; none: list all.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the laws, published and registered, or one with its constants, units and notes.

    Where a law says "to be fitted", its form is published but its constants are not, or were not
    seen.
    """
    known = il.laws.LAWS.values() if name is None else (il.laws.as_law(saved_or_law(name)),)
    if as_json:
        show_json("laws", {"laws": [as_data(law) for law in known]})
    elif name is None:
        rows = tuple(_row(law) for law in known)
        show(
            [
                il.fits.Section(
                    f"{len(rows)} laws",
                    (),
                    ("name", "loss", "constants", "source", "evidence"),
                    rows,
                )
            ]
        )
    else:
        show(il.fits.law_sections(known[0]))


def as_data(law: Law) -> dict[str, Any]:
    """The law for programs: constants with units, meaning, bounds and how they are held."""
    constants = [
        {
            "name": k.name,
            "value": k.value,
            "unit": k.unit,
            "meaning": k.meaning,
            "bounds": [k.lower, k.upper],
            "fixed": k.name in law.fixed,
            "tied_to": law.ties.get(k.name),
        }
        for k in law.constants
    ]
    box = None
    if law.box is not None:
        box = {
            "params": law.box.params,
            "tokens": law.box.tokens,
            "tokens_per_param": law.box.tokens_per_param,
            "formats": law.box.formats,
        }
    return {
        "name": law.name,
        "title": law.title,
        "form": il.fits.law_form(law),
        "source": law.source,
        "evidence": il.laws.EVIDENCE[law.evidence],
        "units": {
            "loss": il.runs.metric_of(law.metric).short,
            "params": "parameters",
            "tokens": "tokens",
        },
        "constants": constants,
        "box": box,
        "notes": law.notes,
    }


def _row(law: Law) -> tuple[str, ...]:
    known = sum(k.value is not None for k in law.constants if k.name not in law.fixed)
    estimated = sum(k.name not in law.fixed for k in law.constants)
    constants = (
        "to be fitted"
        if not known
        else f"{known} known"
        if known == estimated
        else f"{known} of {estimated} known"
    )
    of = "gap: " if il.laws.is_gap_law(law) else ""
    return (
        law.name,
        of + il.fits.law_form(law),
        constants,
        _cited(law),
        il.laws.EVIDENCE[law.evidence],
    )


def _cited(law: Law) -> str:
    """The source without the place in it; where that is a number, that of arXiv."""
    first = law.source.split(",")[0].split(";")[0]
    return f"arXiv {first}" if first[:1].isdigit() else first


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "laws": (
        Example("isoloss laws", "every law by name"),
        Example("isoloss laws kumar2024", "one law: constants, units, notes"),
    ),
}
