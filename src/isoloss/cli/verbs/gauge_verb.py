"""``isoloss gauge``: a run under way beside its control."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

import isoloss as il
from isoloss.cli.arguments import (
    DOUBT,
    PAGES,
    AsJson,
    Force,
    KeptPage,
    Level,
    check_target,
    listed,
    saved_or_law,
)
from isoloss.cli.manual import Example
from isoloss.cli.output import keep_result, show, show_json
from isoloss.cli.refusing import Refused

if TYPE_CHECKING:
    from isoloss.fits import Gauge

EXPECTED = "The gap that is expected"


def gauge(
    run: Annotated[
        str,
        typer.Argument(
            metavar="LOG",
            help="The log of the run: a file of rows with step or tokens, and loss (JSON lines, "
            "CSV), which may still grow, or a tracker.",
            show_default=False,
        ),
    ],
    against: Annotated[
        str,
        typer.Option(
            "--against",
            metavar="LOG",
            help="The log of its control, a run at the reference on the same batches.",
            show_default=False,
        ),
    ],
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            metavar="NAME=COLUMN",
            help="The column of step, tokens or loss, as loss=train/nll. Repeatable.",
            show_default="those that loggers use",
        ),
    ] = None,
    batch_tokens: Annotated[
        str | None,
        typer.Option(
            "--batch-tokens",
            metavar="COUNT",
            help="Tokens of a step, where a log has steps alone; tokens in logs must agree.",
        ),
    ] = None,
    planned: Annotated[
        str | None,
        typer.Option(
            "--planned",
            metavar="COUNT",
            help="Tokens of the whole run (steps, where logs have no tokens).",
            show_default="those of the longer log",
        ),
    ] = None,
    limit: Annotated[
        float | None,
        typer.Option(
            "--limit",
            metavar="NATS",
            help="Say where the gap crosses this, as that at which the recipe no longer pays.",
        ),
    ] = None,
    fit: Annotated[
        str | None,
        typer.Option(
            "--fit",
            metavar="FIT",
            rich_help_panel=EXPECTED,
            help="A saved fit that predicts it; with --params and --precision.",
        ),
    ] = None,
    params: Annotated[
        str | None,
        typer.Option(
            "--params", metavar="N", rich_help_panel=EXPECTED, help="Params of the model, as 1B."
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            "--precision",
            metavar="SPELLING",
            rich_help_panel=EXPECTED,
            help="What the run rounds, as 'w4 a4'.",
        ),
    ] = None,
    expected: Annotated[
        float | None,
        typer.Option(
            "--expected",
            metavar="NATS",
            rich_help_panel=EXPECTED,
            help="The gap itself, in place of a fit; with --error.",
        ),
    ] = None,
    error: Annotated[
        float | None,
        typer.Option(
            "--error", metavar="NATS", rich_help_panel=EXPECTED, help="Its standard error."
        ),
    ] = None,
    alarm: Annotated[
        float,
        typer.Option(
            "--alarm",
            min=0.0001,
            max=0.5,
            rich_help_panel=DOUBT,
            help="Chance of a false alarm over the whole run, however often one looks.",
        ),
    ] = 0.05,
    level: Level = 0.9,
    output: KeptPage = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Say whether a run under way is as predicted, worse than rounding explains, or better than its
    control.

    The losses of a run in low precision are compared with those of a control on the same batches,
    step by step, as far as both are logged; ask again as the files grow. Without an expected gap
    the run is tested against the control alone.
    """
    check_target(output, PAGES, force)
    found = il.fits.gauge(
        run,
        against,
        fit=None if fit is None else saved_or_law(fit),
        params=params,
        precision=precision,
        expected=expected,
        error=error,
        limit=limit,
        planned=None if planned is None else il.runs.number(planned),
        batch_tokens=None if batch_tokens is None else il.runs.number(batch_tokens),
        alarm=alarm,
        level=level,
        columns=dict(_named(each) for each in listed(column, "--column")),
    )
    keep_result(found, output, force)
    if as_json:
        show_json("gauge", of_gauge(found))
    else:
        show(found.sections())


def _named(text: str) -> tuple[str, str]:
    name, sign, own = text.partition("=")
    if not (sign and name.strip() and own.strip()):
        raise Refused(f"cannot read --column {text!r}; write it like loss=train/nll")
    return name.strip(), own.strip()


def of_gauge(found: Gauge) -> dict[str, Any]:
    """The verdict as JSON; a crossing beyond what is looked at is null."""
    mean, low, high = found.gap
    told: dict[str, Any] = {
        "units": {"gaps": "nats/token", "seen": found.paired.unit},
        "verdict": found.verdict,
        "found_at": None if found.found is None else found.found.tokens,
        "found_share": found.found_share,
        "alarm": found.alarm,
        "level": found.level,
        "rows": len(found.paired.gap),
        "seen": float(found.paired.tokens[-1]) if len(found.paired.tokens) else 0.0,
        "whole": found.paired.whole,
        "gap": {"mean": mean, "low": low, "high": high},
        "smallest_found": found.smallest,
        "smallest_found_late": found.smallest_late,
        "crossing": None,
        "notes": list(found.paired.notes),
    }
    if found.crossing is not None:
        names = ("limit", "tokens", "low", "high", "since", "until")
        told["crossing"] = {name: getattr(found.crossing, name) for name in names}
    if found.expected is not None and len(found.paired.tokens):
        ends = found.expected.at(found.paired.tokens[-1:])
        told["expected"] = dict(
            zip(("gap", "low", "high"), (float(e[0]) for e in ends), strict=True)
        )
        told["warnings"] = [str(each) for each in found.expected.warnings]
    return told


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "gauge": (
        Example(
            "isoloss gauge run.jsonl --against control.jsonl",
            "is it any worse than its control?",
            "the logs of a run and its control",
        ),
        Example(
            "isoloss gauge run.jsonl --against control.jsonl --fit fit.json --params 100M "
            "--precision 'w4 a4' --limit 0.03",
            "is it what the fit predicts, and where does its gap reach 0.03 nats?",
            "the logs of a run and its control",
        ),
        Example(
            "isoloss gauge run.csv --against control.csv --expected 0.02 --error 0.005",
            "beside a gap that is known from earlier runs",
            "the logs of a run and its control",
        ),
    ),
}
