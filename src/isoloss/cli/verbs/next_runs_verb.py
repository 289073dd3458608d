"""``isoloss next-runs``: a saved fit, or a question before any, and a budget in; runs out."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import isoloss as il
from isoloss.cli.arguments import (
    DOUBT,
    PAGES,
    TABLES_OR_PAGES,
    AsJson,
    Force,
    Level,
    Spending,
    check_target,
    kept,
    listed,
    saved_or_law,
)
from isoloss.cli.manual import Example
from isoloss.cli.output import keep_result, say, show, show_json
from isoloss.cli.refusing import Refused

if TYPE_CHECKING:
    from isoloss.plans import FirstRuns, NextRuns

LEARN = "What is to be learned"
RUNS = "Which runs are possible"


def next_runs(
    *,
    fit: Annotated[
        str,
        typer.Argument(
            metavar="FIT",
            help="A fit that 'isoloss fit -o' saved; with --question a published law, or "
            "'published' for all of these.",
            show_default=False,
        ),
    ],
    hardware: Annotated[
        str | None,
        typer.Option(
            "--hardware",
            metavar="NAME",
            help="The machine of the runs and of the plan: {machines}.",
            show_default="that of the budget, as '64 h100 for 30 days'",
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            metavar="FLOP",
            rich_help_panel=LEARN,
            help="Compute of the plan whose params are to be learned, as 1e22flop; other questions "
            "take none.",
        ),
    ] = None,
    question: Annotated[
        str | None,
        typer.Option(
            "--question",
            metavar="TEXT",
            rich_help_panel=LEARN,
            help="What first runs are to answer where there is no fit: 'params within 1.5' (of the "
            "--target), 'exponent of w4' (whether its gap grows with tokens), 'gap of w4 > 0.02 at "
            "7B, 140B'.",
        ),
    ] = None,
    within: Annotated[
        float | None,
        typer.Option(
            "--within",
            metavar="NUMBER",
            rich_help_panel=LEARN,
            help="How near the answer to a question is wanted, in its unit: a factor of params "
            "(upper end of the interval over the lower), the exponent that counts as none, nats of "
            "a gap.",
            show_default="2, 0.05, 0",
        ),
    ] = None,
    target_precision: Annotated[
        list[str] | None,
        typer.Option(
            "--target-precision",
            metavar="SPELLING",
            rich_help_panel=LEARN,
            help="Precisions of that plan, separated by commas.",
            show_default="those of the fitted runs",
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            "--group",
            metavar="NAME",
            rich_help_panel=LEARN,
            help="Group whose constants are used, where a law has several.",
        ),
    ] = None,
    spending: Spending,
    precision: Annotated[
        list[str] | None,
        typer.Option(
            "--precision",
            metavar="SPELLING",
            rich_help_panel=RUNS,
            help="Precisions to run in, separated by commas.",
            show_default="those of the fitted runs",
        ),
    ] = None,
    params: Annotated[
        str | None,
        typer.Option(
            "--params",
            metavar="LOW,HIGH",
            rich_help_panel=RUNS,
            help="Smallest and largest model, as 10M,400M.",
            show_default="as fitted, and up to 4 times larger",
        ),
    ] = None,
    tokens: Annotated[
        str | None,
        typer.Option(
            "--tokens",
            metavar="LOW,HIGH",
            rich_help_panel=RUNS,
            help="Shortest and longest run, as 1B,40B.",
            show_default="as fitted, and up to 4 times longer",
        ),
    ] = None,
    max_runs: Annotated[
        int | None,
        typer.Option(
            "--max-runs",
            min=1,
            rich_help_panel=RUNS,
            help="How many at most.",
            show_default="32, first runs 64",
        ),
    ] = None,
    max_seeds: Annotated[
        int | None,
        typer.Option(
            "--max-seeds",
            min=1,
            rich_help_panel=RUNS,
            help="Seeds of one run at most.",
            show_default="8, of first runs 16",
        ),
    ] = None,
    noise: Annotated[
        float | None,
        typer.Option(
            "--noise",
            rich_help_panel=DOUBT,
            help="Standard deviation of log loss.",
            show_default="that of the fit's residuals; of first runs 0.005",
        ),
    ] = None,
    level: Level = 0.9,
    output: Annotated[
        Path | None,
        kept(
            "Write one row a run (.csv .tsv .parquet .json .jsonl), to fill in its loss, or the "
            "report as a page (.html)."
        ),
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Choose the next runs: those that narrow the interval of a plan's params most for their cost.

    Where losses are as noisy in small runs as in large ones, several small runs and few large ones
    at the edges of what can be paid teach more than a regular grid. The report says how much: the
    interval of the params now, expected after these runs, and after the best regular grid of the
    same cost.

    Before the first run, ask a --question: published laws stand for what may be true, and the
    report says which sizes, lengths, formats and seeds answer it, under laws of which weight, and
    what a grid, an L and two ratios of the same cost would bring. STOP means that no design of the
    cost answers it under laws of half the weight, not even one made for a law alone.
    """
    check_target(output, TABLES_OR_PAGES, force)
    budget = il.Budget(**vars(spending))
    shared = {
        "params": _ends(params, "--params"), "tokens": _ends(tokens, "--tokens"),
        "max_runs": max_runs, "max_seeds": max_seeds, "noise": noise, "level": level,
        "group": group,
    }  # fmt: skip
    given: dict[str, Any] = {name: value for name, value in shared.items() if value is not None}
    if question is not None:
        if target_precision or precision:
            raise Refused(
                "--question names its precision; leave --precision and --target-precision out"
            )
        first = il.plans.first_runs(
            "published" if fit == "published" else saved_or_law(fit), budget, hardware,
            question=question, target=None if target is None else il.Budget(target), within=within,
            **given,
        )  # fmt: skip
        _shown(
            first, "first_runs", fit, {"half": "log, or of the exponent"}, output, force, as_json
        )
        return
    if within is not None:
        raise Refused("--within is how near the answer to a --question is wanted; ask one")
    if target is None:
        raise Refused("--target is missing: the compute of the plan to learn, or ask a --question")
    saved = il.load(fit)
    if not isinstance(saved, il.Fit):
        raise Refused(
            f"'{fit}' holds a {type(saved).__name__.lower()}; next runs are chosen for one fit"
        )
    found = il.next_runs(
        saved, budget, hardware, target=il.Budget(target),
        target_precision=listed(target_precision, "--target-precision") or None,
        precision=listed(precision, "--precision") or None, **given,
    )  # fmt: skip
    _shown(found, "next_runs", fit, {"width": "most over least"}, output, force, as_json)


def _shown(
    found: NextRuns | FirstRuns,
    kind: str,
    fit: str,
    units: dict[str, str],
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Keep runs as a table where that is asked for, and print their report or JSON."""
    if output is not None and output.suffix.lower() in PAGES:
        keep_result(found, output, force)
    elif output is not None:
        found.save(output, force)
        say(f"wrote {output}")
    if as_json:
        units = {"params": "parameters", "tokens": "tokens", "flop": "FLOPs of bf16", **units}
        show_json(kind, {"from": fit, "units": units, **asdict(found)})
    else:
        show(found.sections())


def _ends(text: str | None, what: str) -> tuple[str, str] | None:
    if text is None:
        return None
    ends = listed([text], what)
    if len(ends) != 2:
        raise typer.BadParameter(
            f"{text!r} has {len(ends)} values; give least and most", param_hint=what
        )
    return ends[0], ends[1]


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "next-runs": (
        Example(
            "isoloss next-runs fit.json --train 1e20flop --hardware h100 --target 1e22flop",
            "the runs for 1e20 FLOPs that teach most about the params of a plan for 1e22",
        ),
        Example(
            "isoloss next-runs fit.json --hours 24h --devices 8 --hardware h100 --target 1e22flop "
            "--target-precision bf16 "
            "--params 10M,400M --max-runs 12 -o runs.csv",
            "a day on 8 devices, for a model of one precision, kept as a table to fill in",
        ),
        Example(
            "isoloss next-runs published --question 'exponent of w4/64 a4/64' --train 1e19flop "
            "--hardware h100",
            "before the first run: does the gap of 4 bits grow with tokens?",
        ),
        Example(
            "isoloss next-runs epoch2024 --question params --within 1.5 --target 1e23flop "
            "--train '8 h100 for 3 hours'",
            "the params of a plan within a factor of 1.5 if one law is right, on the machine that "
            "the budget names",
        ),
    ),
}
