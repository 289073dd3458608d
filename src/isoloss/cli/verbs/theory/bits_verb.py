"""``isoloss theory bits``: how many mantissa bits of a float match an integer of b bits."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import isoloss as il
from isoloss.cli.arguments import (
    AsInputs,
    AsIterate,
    DescentLists,
    Keeping,
    ProblemLists,
    descent_of,
    flag,
    given,
    listed,
    many,
    only,
    regression_of,
    switch,
    whole_numbers,
)
from isoloss.cli.manual import Example, given_options
from isoloss.cli.output import keep_rows, show, show_json
from isoloss.cli.refusing import Refused

if TYPE_CHECKING:
    from isoloss.linear import SGD, Regression

FORMATS = "The formats"
RULE = "m = b - (a/2) log2 d + 0.5 log2(c_FP / c_INT)"


def bits(
    *,
    problem: ProblemLists,
    descent: DescentLists,
    integer_bits: Annotated[
        list[str] | None,
        many("--bits", "B,B...", FORMATS, "Bits of the integers, sign counted.", "4 to 12"),
    ] = None,
    nearest: Annotated[
        bool,
        switch("--nearest", FORMATS, "Rounding to nearest instead of stochastic rounding."),
    ] = False,
    iterate: AsIterate = "average",
    inputs: AsInputs = "clean",
    keeping: Keeping,
) -> None:
    """Find the mantissa bits from which a float is as good as an integer of b bits, as data.

    The rule of the papers, with their constants taken as one and with those of the formats. With
    --samples or --steps also the mantissa of the same exact risk.
    """
    if descent.precision:
        raise Refused("the bit rule has formats of its own; give --bits, not --precision")
    posed, lists = regression_of(problem)
    if posed.spectrum is not None:
        raise Refused("the bit rule is for a spectrum i^-A; give --decay, not --spectrum")
    exact = bool(descent.samples or descent.steps)
    if not exact:
        _check_ruled(lists, descent)
    (point,) = _points(posed, lists, descent)
    wanted = whole_numbers("--bits", listed(integer_bits, "--bits"), il.formats.INT_BITS)
    wanted = wanted or list(range(4, 13))
    mode = "" if nearest else "~sr"
    rows = _exact(point, wanted, mode, iterate, inputs) if exact else _ruled(point[0], wanted, mode)
    keep_rows(rows, keeping)
    _answer(rows, point[0], keeping.as_json)


def _check_ruled(lists: dict[str, list[Any]], descent: DescentLists) -> None:
    """Raise Refused for an option that only the exact risk reads."""
    readings = [name for name in given_options() if name in ("iterate", "inputs")]
    for name in (*lists, *given(descent), *readings):
        if name not in ("dim", "decay"):
            raise Refused(
                f"{flag(name)} does not change the rule; give --samples too, for exact risk"
            )


def _points(
    posed: Regression, lists: dict[str, list[Any]], descent: DescentLists
) -> list[tuple[Regression, SGD, Any]]:
    lasting = descent_of(descent) if descent.samples or descent.steps else {"steps": ["1"]}
    single = {name: [value] for name, value in only(lists | lasting).items()}
    return il.linear.grid_points(posed, il.Grid(**single))


def _ruled(problem: Regression, wanted: list[int], mode: str) -> list[dict[str, float]]:
    """The rule for each integer, with the constants as one and with those of the formats."""
    rule = partial(il.linear.bit_rule, decay=problem.decay, dim=problem.dim)
    floating = il.linear.format_constant(f"e8m3{mode}")
    return [
        {
            "bits": b,
            "mantissa_rule": rule(b),
            "mantissa_with_constants": rule(
                b, integer=il.linear.format_constant(f"int{b}{mode}"), floating=floating
            ),
        }
        for b in wanted
    ]


def _exact(
    point: tuple[Regression, SGD, Any],
    wanted: list[int],
    mode: str,
    iterate: str,
    inputs: str,
) -> list[dict[str, float]]:
    """The rule beside the mantissa of the same exact risk."""
    found = il.linear.equal_risk_bits(
        point[0],
        point[1],
        wanted,
        rounding=mode,
        iterate=iterate,
        inputs=inputs,  # type: ignore[arg-type]
    )
    return [
        {
            "bits": each.bits,
            "mantissa_rule": each.rule,
            "mantissa_with_constants": each.measured,
            "mantissa_exact": each.mantissa,
            "cost": each.cost,
        }
        for each in found
    ]


def _answer(rows: list[dict[str, float]], problem: Regression, as_json: bool) -> None:
    if as_json:
        show_json("bits", {"decay": problem.decay, "dim": problem.dim, "bits": rows})
        return
    cells = tuple(
        tuple("-" if value != value else f"{value:.4g}" for value in row.values()) for row in rows
    )
    lines = [str(problem), f"{RULE}; constants one, then those of the formats"]
    if any(min(row["mantissa_rule"], row["mantissa_with_constants"]) < 0 for row in rows):
        lines.append("below 0: no float has so few mantissa bits; by the rule every float will do")
    if any("-" in row for row in cells):
        lines.append("'-': no float of 1 to 7 mantissa bits costs the same")
    title = "Mantissa bits that match an integer of b bits"
    heads = tuple(name.replace("_", " ") for name in rows[0])
    show([il.fits.Section(title, tuple(lines), heads, cells)])


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "theory bits": (
        Example("isoloss theory bits --bits 4,8 --decay 2 --dim 1000", "the rule"),
        Example(
            "isoloss theory bits --bits 6,8 --dim 200 --samples 1e4 --step-size 0.05",
            "and the mantissa of the same exact risk",
        ),
    ),
}
