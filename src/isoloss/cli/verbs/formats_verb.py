"""``isoloss formats``: number formats side by side: bits, range, and what rounding to them
costs.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

import isoloss as il
from isoloss.cli.arguments import AsJson
from isoloss.cli.manual import Example
from isoloss.cli.output import show, show_json

if TYPE_CHECKING:
    from isoloss.formats import Format

HEAD = ("name", "bits", "stored", "numbers", "largest", "smallest step", "error", "as integer bits")
MARKED = "absmax error"
#: Integers of more numbers have no error by their list.
MOST_NUMBERS = 2**16


class DistributionName(StrEnum):
    """What the numbers that are rounded are like."""

    normal = "normal"
    laplace = "laplace"
    uniform = "uniform"


def formats(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FORMAT",
            help="Formats, as int4/128 e4m3 mxfp4~sr; none: the catalogue.",
            show_default=False,
        ),
    ] = None,
    distribution: Annotated[
        DistributionName,
        typer.Option("--distribution", help="What the rounded numbers are like, for the error."),
    ] = DistributionName.normal,
    block: Annotated[
        int | None,
        typer.Option(
            "--block",
            metavar="N",
            min=2,
            help=(
                "Also the error where the largest of N numbers makes the scale; a group such as "
                "/128 says N itself."
            ),
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare number formats: bits with scales counted, range, error, and the integers of the same
    error.

    The error is E(Q(x) - x)^2 / E x^2 at the best scale, or of a block with its own scale: 0.01 is
    one percent of the variance. "As integer bits" reads it as the bits of the integer format with
    that normal error.
    """
    known = [il.Format.parse(name) for name in names] if names else list(il.formats.catalogue())
    rows = [as_data(each, distribution.value, block) for each in known]
    if as_json:
        show_json("formats", {"distribution": distribution.value, "formats": rows})
        return
    head = (*HEAD, MARKED) if any(row["absmax_error"] is not None for row in rows) else HEAD
    lines = (
        f"error of {distribution.value} numbers over their variance; '-': unlimited or none",
        "that of integers is of the best grid of as many numbers, wherever it lies; absmax error "
        "is of their own grid",
    )
    table = tuple(_cells(row)[: len(head)] for row in rows)
    show([il.fits.Section(f"{len(rows)} formats" if not names else "Formats", lines, head, table)])


def as_data(known: Format, distribution: str, block: int | None) -> dict[str, Any]:
    """One format for programs."""
    error = il.formats.relative_error(known, distribution)
    size = block or (known.group if known.block is None else None)
    computable = size is not None and il.formats.has_absmax_scale(known)
    computable = computable and (known.levels or 0) <= MOST_NUMBERS
    return {
        "name": str(known),
        "kind": known.kind,
        "bits": known.bits,
        "storage_bits": known.storage_bits,
        "numbers": known.levels,
        "largest": known.max,
        "smallest_step": known.smallest_step,
        "error": error,
        "integer_bits": il.formats.integer_bits(il.formats.relative_error(known)),
        "block": size,
        "absmax_error": il.formats.relative_error(known, distribution, size)
        if computable
        else None,
    }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    keys = (
        "bits",
        "storage_bits",
        "numbers",
        "largest",
        "smallest_step",
        "error",
        "integer_bits",
        "absmax_error",
    )
    return (row["name"], *(_number(row[key]) for key in keys))


def _number(value: float | None) -> str:
    if value is None or value != value or value in (0, float("inf")):
        return "-"
    return f"{value:.4g}"


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "formats": (
        Example("isoloss formats", "every named format"),
        Example(
            "isoloss formats int4/128 e2m1 mxfp4 nvfp4 int4~sr", "some of them, with modifiers"
        ),
        Example(
            "isoloss formats int4 e4m3 --distribution laplace --block 64",
            "heavier tails, scales of 64",
        ),
    ),
}
