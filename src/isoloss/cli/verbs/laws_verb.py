"""``isoloss laws``: all laws by name, or one with its constants, units and notes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

import isoloss as il
from isoloss.cli.arguments import AsJson, saved_or_law
from isoloss.cli.manual import Example
from isoloss.cli.output import show, show_json

if TYPE_CHECKING:
    from isoloss.fits import Section
    from isoloss.laws import Box, Law


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
        show(_one(known[0]))


def as_data(law: Law) -> dict[str, Any]:
    """The law for programs: constants with units, meaning, bounds and how they are held."""
    from isoloss.cli.output.forms import form

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
        "form": form(law),
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
    from isoloss.cli.output.forms import form

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
    return law.name, of + form(law), constants, _cited(law), il.laws.EVIDENCE[law.evidence]


def _cited(law: Law) -> str:
    """The source without the place in it; where that is a number, that of arXiv."""
    first = law.source.split(",")[0].split(";")[0]
    return f"arXiv {first}" if first[:1].isdigit() else first


def _one(law: Law) -> list[Section]:
    from isoloss.cli.output.forms import form

    what = "gap" if il.laws.is_gap_law(law) else "loss"
    lines = [
        f"{what} = {form(law)}, {il.runs.metric_of(law.metric).per_run}",
        f"source: {law.source or 'none'} ({il.laws.EVIDENCE[law.evidence]})",
    ]
    if law.box is not None:
        lines.append(f"its runs cover {_covered(law.box)}")
    rows = []
    for k in law.constants:
        value = "to be fitted" if k.value is None else f"{k.value:.6g}"
        held = (
            f"= {law.ties[k.name]}"
            if k.name in law.ties
            else "fixed"
            if k.name in law.fixed
            else ""
        )
        rows.append((k.name, value, held, k.unit, k.meaning))
    out = [
        il.fits.Section(f"{law.name}: {law.title}", tuple(lines)),
        il.fits.Section("Constants", (), ("", "value", "", "unit", "meaning"), tuple(rows)),
    ]
    return out + ([il.fits.Section("Notes", law.notes)] if law.notes else [])


def _covered(box: Box) -> str:
    compact = il.runs.compact
    params, tokens = (" to ".join(map(compact, ends)) for ends in (box.params, box.tokens))
    ratio = " to ".join(f"{end:.3g}" for end in box.tokens_per_param)
    return f"params {params}, tokens {tokens}, tokens per param {ratio}" + (
        f"; {box.formats}" if box.formats else ""
    )


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "laws": (
        Example("isoloss laws", "every law by name"),
        Example("isoloss laws kumar2024", "one law: constants, units, notes"),
    ),
}
