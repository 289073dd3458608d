"""``isoloss theory bits``: how many mantissa bits of a float match an integer of b bits."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

import isoloss as il
from isoloss.cli.arguments import (
    TABLES,
    AsInputs,
    AsIterate,
    AsJson,
    DescentLists,
    Force,
    KeptTable,
    ProblemLists,
    check_target,
    descent_of,
    given,
    listed,
    many,
    only,
    regression_of,
    whole_numbers,
)
from isoloss.cli.manual import Example
from isoloss.cli.output import say, show, show_json
from isoloss.cli.refusing import Refused

if TYPE_CHECKING:
    import polars as pl

    from isoloss.linear import SGD, Regression

RULE = "m = b - (a/2) log2 d + 0.5 log2(c_FP / c_INT)"


def bits(
    *,
    problem: ProblemLists,
    descent: DescentLists,
    integer_bits: Annotated[
        list[str] | None,
        many("--bits", "B,B...", "The formats", "Bits of the integers, sign counted.", "4 to 12"),
    ] = None,
    nearest: Annotated[
        bool,
        typer.Option(
            "--nearest",
            rich_help_panel="The formats",
            help="Rounding to nearest instead of stochastic rounding.",
            show_default=False,
        ),
    ] = False,
    iterate: AsIterate = "average",
    inputs: AsInputs = "clean",
    output: KeptTable = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Find the mantissa bits from which a float is as good as an integer of b bits, as data.

    The rule of the papers, with their constants taken as one and with those of the formats. With
    --samples or --steps also the mantissa of the same exact risk.
    """
    check_target(output, TABLES, force)
    if descent.precision:
        raise Refused("the bit rule has formats of its own; give --bits, not --precision")
    posed, lists = regression_of(problem)
    if posed.spectrum is not None:
        raise Refused("the bit rule is for a spectrum i^-A; give --decay, not --spectrum")
    exact = bool(descent.samples or descent.steps)
    unread = [name for name in {**lists, **given(descent)} if name not in ("dim", "decay")]
    if unread and not exact:
        raise Refused(
            f"--{unread[0].replace('_', '-')} does not change the rule; give --samples too, for "
            "exact risk"
        )
    (point,) = _points(posed, lists, descent)
    wanted = whole_numbers("--bits", listed(integer_bits, "--bits")) or list(range(4, 13))
    mode = "" if nearest else "~sr"
    rows = _exact(point, wanted, mode, iterate, inputs) if exact else _ruled(point[0], wanted, mode)
    frame = _frame(rows)
    _answer(frame, point[0], output, force, as_json)


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


def _frame(rows: list[dict[str, float]]) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame(rows)


def _answer(
    frame: pl.DataFrame, problem: Regression, output: Any, force: bool, as_json: bool
) -> None:
    if output is not None:
        say(f"saved {len(frame)} rows as {il.runs.save_frame(frame, output, force)}")
    if as_json:
        show_json("bits", {"decay": problem.decay, "dim": problem.dim, "bits": frame.to_dicts()})
        return
    rows = tuple(
        tuple("-" if value != value else f"{value:.4g}" for value in row) for row in frame.rows()
    )
    lines = [str(problem), f"{RULE}; constants one, then those of the formats"]
    if any("-" in row for row in rows):
        lines.append("'-': no float of 1 to 7 mantissa bits costs the same")
    title = "Mantissa bits that match an integer of b bits"
    show(
        [
            il.fits.Section(
                title, tuple(lines), tuple(n.replace("_", " ") for n in frame.columns), rows
            )
        ]
    )


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
